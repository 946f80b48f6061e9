using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests;

/// <summary>Small pods for tests.</summary>
internal static class TestPods
{
    public static Pod Pod(string name = "web", string restartPolicy = "Always", params string[] containers) => new()
    {
        Metadata = new ObjectMeta { Name = name, Namespace = "default", Uid = $"uid-{name}", Generation = 1 },
        Spec = new PodSpec
        {
            RestartPolicy = restartPolicy,
            Containers = [.. (containers.Length > 0 ? containers : ["main"]).Select(c => new Container { Name = c, Image = "busybox" })],
        },
        Status = new PodStatus { Phase = "Pending" },
    };

    public static Pod Deleting(this Pod pod, long grace = 30) => pod with
    {
        Metadata = pod.Metadata with { DeletionTimestamp = DateTimeOffset.UnixEpoch, DeletionGracePeriodSeconds = grace },
    };
}
