using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Status;

/// <summary>The parts of a container's status that repeat what it was given or what the runtime says it has. Pure.</summary>
internal static class Observed
{
    /// <summary>The spec's resources; what the runtime reports differs from them only while a resize is under way.</summary>
    public static ResourceRequirements? Resources(Pod pod, string name, RuntimeContainerStatus c)
    {
        _ = c;
        return Spec(pod, name)?.Resources is { } r ? new ResourceRequirements { Requests = r.Requests, Limits = r.Limits } : null;
    }

    /// <summary>The requests that were allocated.</summary>
    public static IReadOnlyDictionary<string, Quantity> Allocated(Pod pod, string name) =>
        Spec(pod, name)?.Resources?.Requests ?? new Dictionary<string, Quantity>();

    /// <summary>status.volumeMounts: what was mounted, as the spec asked.</summary>
    public static IReadOnlyList<VolumeMountStatus> VolumeMounts(Pod pod, string name)
    {
        IReadOnlyList<VolumeMount> mounts = Spec(pod, name)?.VolumeMounts
            ?? pod.Spec.EphemeralContainers.FirstOrDefault(e => e.Name == name)?.VolumeMounts ?? [];
        return [.. mounts.Select(m => new VolumeMountStatus
        {
            Name = m.Name,
            MountPath = m.MountPath,
            ReadOnly = m.ReadOnly == true ? true : null,
            RecursiveReadOnly = m.ReadOnly == true ? "Disabled" : null,
        })];
    }

    /// <summary>status.user as the runtime reports it.</summary>
    public static ContainerUser? User(RuntimeContainerStatus c) => c.User?.Linux is not { } linux ? null : new ContainerUser
    {
        Linux = new LinuxContainerUser { Uid = linux.Uid, Gid = linux.Gid, SupplementalGroups = [.. linux.SupplementalGroups] },
    };

    private static Container? Spec(Pod pod, string name) =>
        pod.Spec.Containers.FirstOrDefault(c => c.Name == name) ?? pod.Spec.InitContainers.FirstOrDefault(c => c.Name == name);
}
