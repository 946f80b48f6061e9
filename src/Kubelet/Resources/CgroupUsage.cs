using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Kubelet.Resources;

/// <summary>What one pod uses now.</summary>
/// <param name="Memory">Working set, bytes; null where the kernel does not tell.</param>
/// <param name="Processes">Processes and threads; null where the kernel does not tell.</param>
public readonly record struct PodCgroupUse(long? Memory, long? Processes);

/// <summary>Reads what pods use from the control files of their cgroups. Blocking, but never on a disk.</summary>
/// <param name="cgroups">The driver.</param>
/// <param name="options">Settings.</param>
public sealed class CgroupUsage(ICgroupManager cgroups, CgroupOptions options)
{
    private readonly PodCgroupNames _names = new(CgroupName.Parse(options.CgroupRoot));

    /// <summary>Working set and limit of all pods together; null where they have no common limit or the kernel does not tell.</summary>
    public (long WorkingSet, long Limit)? AllPods()
    {
        if (!options.CgroupsPerQos)
        {
            return null;
        }

        return cgroups.Read(_names.Kubepods).Memory is > 0 and var limit && cgroups.WorkingSet(_names.Kubepods) is { } used ? (used, limit) : null;
    }

    /// <summary>Of one pod.</summary>
    public PodCgroupUse Of(Pod pod) => options.CgroupsPerQos ? new PodCgroupUse(cgroups.WorkingSet(NameOf(pod)), cgroups.Processes(NameOf(pod))) : default;

    /// <summary>Working set of one container; null where the kernel does not tell.</summary>
    /// <param name="pod">Its pod.</param>
    /// <param name="containerId">The runtime's id; runtimes name the cgroup with it.</param>
    public long? OfContainer(Pod pod, string containerId) =>
        options.CgroupsPerQos && containerId.Length > 0
        && cgroups.ChildFolders(NameOf(pod)).FirstOrDefault(f => f.Contains(containerId, StringComparison.Ordinal)) is { } folder
            ? cgroups.WorkingSet(NameOf(pod), folder) : null;

    private CgroupName NameOf(Pod pod) => _names.Pod(PodQos.Of(pod), pod.Uid);
}
