using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Kubelet.Resources;

/// <summary>The kubepods / QoS / pod cgroup tree.</summary>
public interface IPodCgroupManager
{
    /// <summary>CRI cgroup_parent for the pod: a cgroupfs path or a slice name, as the driver says.</summary>
    string CgroupParent(Pod pod);

    /// <summary>Creates or updates the pod's cgroup with its limits. Idempotent.</summary>
    Task EnsureAsync(Pod pod, CancellationToken cancellationToken);

    /// <summary>True where the pod has a cgroup, or pods have none of their own.</summary>
    bool Exists(Pod pod);

    /// <summary>What the pod's cgroup should have.</summary>
    CgroupLimits Limits(Pod pod);

    /// <summary>CPU and memory limits in force; null where the kernel does not tell, negative = no limit.</summary>
    Task<CgroupLimits> ReadAsync(Pod pod, CancellationToken cancellationToken);

    /// <summary>Bytes of memory the pod uses; null where the kernel does not tell.</summary>
    Task<long?> MemoryUsageAsync(Pod pod, CancellationToken cancellationToken);

    /// <summary>Sets some of the limits of the pod's cgroup.</summary>
    /// <exception cref="CgroupException">The kernel or systemd refused; names the cgroup.</exception>
    Task SetAsync(Pod pod, CgroupLimits limits, CancellationToken cancellationToken);

    /// <summary>Removes the pod's cgroup, in whichever QoS class it is, killing what is left inside. Idempotent.</summary>
    Task RemoveAsync(PodUid uid, CancellationToken cancellationToken);

    /// <summary>SIGKILLs what runs in a container's cgroup, for what the runtime has lost sight of. Nothing where pods have no cgroups.</summary>
    /// <param name="pod">Its pod.</param>
    /// <param name="containerId">The runtime's id; runtimes name the cgroup with it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    Task KillContainerAsync(Pod pod, string containerId, CancellationToken cancellationToken);

    /// <summary>UIDs of all pod cgroups that exist, whoever made them.</summary>
    Task<IReadOnlyList<PodUid>> ListAsync(CancellationToken cancellationToken);
}
