using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Resources;

/// <summary>The kubepods / QoS / pod cgroup tree.</summary>
public interface IPodCgroupManager
{
    /// <summary>CRI cgroup_parent for the pod: a cgroupfs path or a slice name, as the driver says.</summary>
    string CgroupParent(Pod pod);

    /// <summary>Creates or updates the pod's cgroup with its limits. Idempotent.</summary>
    Task EnsureAsync(Pod pod, CancellationToken cancellationToken);

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
