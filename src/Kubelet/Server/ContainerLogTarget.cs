using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Server;

/// <summary>Finds which container instance's log is meant. Pure. Source: validateContainerLogStatus in pkg/kubelet/kubelet_pods.go.</summary>
public static class ContainerLogTarget
{
    /// <summary>The instance's id with runtime prefix, or why there is none.</summary>
    public static (string? ContainerId, string? Error) Find(Pod pod, string container, bool previous)
    {
        string podName = pod.Metadata.Name ?? "";
        string Say(string what) => $"container \"{container}\" in pod \"{podName}\" {what}";
        ContainerStatus? status = pod.Status.InitContainerStatuses.Concat(pod.Status.ContainerStatuses).Concat(pod.Status.EphemeralContainerStatuses)
            .FirstOrDefault(s => s.Name == container);
        if (status is null)
        {
            return (null, Say("is not available"));
        }

        string? last = status.LastState?.Terminated?.ContainerID;
        if (previous)
        {
            return string.IsNullOrEmpty(last) ? (null, $"previous terminated container \"{container}\" in pod \"{podName}\" not found") : (last, null);
        }

        switch (status.State)
        {
            case { Running: not null }:
                return (status.ContainerID, null);
            case { Terminated: { } terminated }:
                string? id = string.IsNullOrEmpty(terminated.ContainerID) ? last : terminated.ContainerID;
                return string.IsNullOrEmpty(id) ? (null, Say("is terminated")) : (id, null);
        }

        if (status.LastState?.Terminated is not null)
        {
            return string.IsNullOrEmpty(last) ? (null, Say("is terminated")) : (last, null);
        }

        return (null, status.State?.Waiting is { } waiting ? Say("is waiting to start: " + Why(waiting.Reason ?? "")) : Say("is waiting to start - no logs yet"));
    }

    private static string Why(string reason) => reason switch
    {
        "ErrImagePull" => "image can't be pulled",
        "ImagePullBackOff" => "trying and failing to pull image",
        _ => reason,
    };
}
