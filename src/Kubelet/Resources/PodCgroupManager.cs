using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Resources;

/// <summary>Makes and removes pods' cgroups through either driver.</summary>
/// <param name="cgroups">The driver.</param>
/// <param name="options">Settings.</param>
/// <param name="work">Threads for calls that may block: a lowered memory limit is written only once the kernel has reclaimed what is above it.</param>
/// <param name="beforeNew">Done before a pod gets its cgroup: the shares of its class have to count it first. Null = nothing.</param>
public sealed class PodCgroupManager(ICgroupManager cgroups, CgroupOptions options, BlockingWork work, Func<CancellationToken, Task>? beforeNew = null) : IPodCgroupManager
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);
    private readonly PodCgroupNames _names = new(CgroupName.Parse(options.CgroupRoot));

    /// <inheritdoc/>
    public string CgroupParent(Pod pod) => options.CgroupsPerQos
        ? _names.Pod(PodQos.Of(pod), pod.Uid).Path(cgroups.Driver)
        : _names.Root.Path(cgroups.Driver);

    /// <inheritdoc/>
    public async Task EnsureAsync(Pod pod, CancellationToken cancellationToken)
    {
        if (options.CgroupsPerQos)
        {
            CgroupName name = NameOf(pod);
            if (beforeNew is not null && !cgroups.Exists(name))
            {
                await beforeNew(cancellationToken);
            }

            CgroupLimits limits = Limits(pod);
            limits = limits with { HugePages = HugePages.NoOthers(limits.HugePages, options.HugePageSizes) };
            await await work.RunWithinAsync(Key(pod.Uid), Limit, () => cgroups.EnsureAsync(name, limits, cancellationToken), cancellationToken);
        }
    }

    /// <inheritdoc/>
    public bool Exists(Pod pod) => !options.CgroupsPerQos || cgroups.Exists(NameOf(pod));

    /// <inheritdoc/>
    public CgroupLimits Limits(Pod pod) => PodCgroupLimits.ForPod(pod, options.CpuCfsQuota, options.CpuCfsQuotaPeriod, options.PodPidsLimit);

    /// <inheritdoc/>
    public Task<CgroupLimits> ReadAsync(Pod pod, CancellationToken cancellationToken) =>
        options.CgroupsPerQos ? work.RunWithinAsync(Key(pod.Uid), Limit, () => cgroups.Read(NameOf(pod)), cancellationToken) : Task.FromResult(CgroupLimits.None);

    /// <inheritdoc/>
    public Task<long?> MemoryUsageAsync(Pod pod, CancellationToken cancellationToken) =>
        options.CgroupsPerQos ? work.RunWithinAsync(Key(pod.Uid), Limit, () => cgroups.MemoryUsage(NameOf(pod)), cancellationToken) : Task.FromResult<long?>(null);

    /// <inheritdoc/>
    public async Task SetAsync(Pod pod, CgroupLimits limits, CancellationToken cancellationToken)
    {
        if (options.CgroupsPerQos)
        {
            await await work.RunWithinAsync(Key(pod.Uid), Limit, () => cgroups.SetAsync(NameOf(pod), limits, cancellationToken), cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async Task RemoveAsync(PodUid uid, CancellationToken cancellationToken)
    {
        if (!options.CgroupsPerQos || !uid.IsPathSafe)
        {
            return;
        }

        // What a removal waits for is waited for without a thread: only its beginning is a call of the kernel's.
        await await work.RunWithinAsync(Key(uid), Limit, () => RemoveAnywhereAsync(uid, cancellationToken), cancellationToken);
    }

    // Its class is not known where its object is gone.
    private Task RemoveAnywhereAsync(PodUid uid, CancellationToken cancellationToken) => Task.WhenAll(
        Enum.GetValues<QosClass>().Select(qos => _names.Pod(qos, uid)).Where(cgroups.IsAnywhere).Select(name => cgroups.RemoveAsync(name, cancellationToken)));

    /// <inheritdoc/>
    public Task KillContainerAsync(Pod pod, string containerId, CancellationToken cancellationToken) =>
        options.CgroupsPerQos && containerId.Length > 0 ? work.RunWithinAsync(Key(pod.Uid), Limit, () => KillContainer(pod, containerId), cancellationToken) : Task.CompletedTask;

    private bool KillContainer(Pod pod, string containerId)
    {
        CgroupName parent = _names.Pod(PodQos.Of(pod), pod.Uid);
        foreach (string folder in cgroups.ChildFolders(parent).Where(f => f.Contains(containerId, StringComparison.Ordinal)))
        {
            cgroups.KillChild(parent, folder);
        }

        return true;
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<PodUid>> ListAsync(CancellationToken cancellationToken) => work.RunWithinAsync("cgroups of pods", Limit, List, cancellationToken);

    private IReadOnlyList<PodUid> List()
    {
        SortedSet<PodUid> uids = [];
        foreach (CgroupName parent in options.CgroupsPerQos ? _names.Classes : [])
        {
            foreach (string folder in cgroups.ChildFolders(parent))
            {
                if (PodCgroupNames.UidOf(folder, cgroups.Driver) is { } uid)
                {
                    uids.Add(uid);
                }
            }
        }

        return [.. uids];
    }

    private static string Key(PodUid uid) => "cgroup of pod " + uid;

    private CgroupName NameOf(Pod pod) => _names.Pod(PodQos.Of(pod), pod.Uid);
}
