using System.Collections.Immutable;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Resources;

/// <summary>Which pods count for the QoS cgroups. The pod core implements it.</summary>
public interface IActivePods
{
    /// <summary>Pods that are admitted and not terminated.</summary>
    IReadOnlyList<Pod> Active { get; }
}

/// <summary>Keeps kubepods (node allocatable), kubepods/burstable and kubepods/besteffort as they should be.</summary>
/// <param name="cgroups">The driver.</param>
/// <param name="options">Settings.</param>
/// <param name="capacity">Node capacity incl. pid.</param>
/// <param name="work">Runs what may block in the kernel.</param>
public sealed class QosContainerManager(ICgroupManager cgroups, CgroupOptions options, IReadOnlyDictionary<string, Quantity> capacity, BlockingWork work)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);
    private readonly PodCgroupNames _names = new(CgroupName.Parse(options.CgroupRoot));
    private readonly ImmutableSortedDictionary<string, long> _unlimitedHugePages =
        options.HugePageSizes.ToImmutableSortedDictionary(CgroupLimits.HugePageSizeName, _ => -1L);
    private readonly SemaphoreSlim _oneAtATime = new(1);
    private long? _lastShares;
    private CgroupLimits? _kubepods;
    private readonly List<string> _enforced = [];

    /// <summary>What was enforced at the start, in the words of upstream's events.</summary>
    public IReadOnlyList<string> Enforced => _enforced;

    /// <summary>Why the pods' common limit is not in force; null while it is. Tried again with each update.</summary>
    public string? AllocatableError { get; private set; }

    /// <summary>Makes the tree and enforces reservations. Call once, before the first pod.</summary>
    /// <exception cref="CgroupException">A cgroup cannot be made or changed, or a reserved one does not exist.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (NodeAllocatable.Validate(capacity, options.Reservations) is { } invalid)
        {
            throw new CgroupException(_names.Kubepods.ToString(), invalid);
        }

        if (!options.CgroupsPerQos)
        {
            return;
        }

        if (!_names.Root.Parts.IsEmpty && !cgroups.Exists(_names.Root))
        {
            throw new CgroupException(_names.Root.ToString(), "cgroupRoot does not exist; create it or leave cgroupRoot empty");
        }

        bool enforce = options.EnforceNodeAllocatable.Contains("pods");
        IReadOnlyDictionary<string, Quantity> podsMayUse = enforce ? NodeAllocatable.ForPods(capacity, options.Reservations) : capacity;
        _kubepods = PodCgroupLimits.ForReservation(podsMayUse, compressibleOnly: false);
        await EnforceAllocatableAsync(mayFail: cgroups.Exists(_names.Kubepods), cancellationToken);
        await EnsureAsync(_names.BestEffort, new CgroupLimits { CpuShares = CgroupUnits.MinimumShares, HugePages = _unlimitedHugePages }, cancellationToken);
        await EnsureAsync(_names.Burstable, new CgroupLimits { HugePages = _unlimitedHugePages }, cancellationToken);
        await EnforceReservedAsync("system-reserved", options.SystemReservedCgroup, options.Reservations.SystemReserved, cancellationToken);
        await EnforceReservedAsync("kube-reserved", options.KubeReservedCgroup, options.Reservations.KubeReserved, cancellationToken);
    }

    /// <summary>Sets Burstable's shares by its pods; writes only on change. Call each minute and when a pod starts or ends.</summary>
    public async Task UpdateAsync(IActivePods pods, CancellationToken cancellationToken)
    {
        if (!options.CgroupsPerQos)
        {
            return;
        }

        await _oneAtATime.WaitAsync(cancellationToken);
        try
        {
            if (AllocatableError is not null)
            {
                await EnforceAllocatableAsync(mayFail: true, cancellationToken);
            }

            CgroupLimits burstable = PodCgroupLimits.ForBurstable(pods.Active, ImmutableSortedDictionary<string, long>.Empty);
            if (_lastShares != burstable.CpuShares)
            {
                await EnsureAsync(_names.Burstable, burstable, cancellationToken);
                _lastShares = burstable.CpuShares;
            }
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    private async Task EnsureAsync(CgroupName name, CgroupLimits limits, CancellationToken cancellationToken) =>
        await await work.RunWithinAsync("cgroup " + name, Limit, () => cgroups.EnsureAsync(name, limits, cancellationToken), cancellationToken);

    // Running pods may use more than a lower limit allows; v1 then refuses it. They go on, and the limit comes when they use less.
    private async Task EnforceAllocatableAsync(bool mayFail, CancellationToken cancellationToken)
    {
        try
        {
            await EnsureAsync(_names.Kubepods, _kubepods!, cancellationToken);
            AllocatableError = null;
            _enforced.Add("Updated Node Allocatable limit across pods");
        }
        catch (CgroupException e) when (mayFail)
        {
            AllocatableError = e.Message;
        }
    }

    private async Task EnforceReservedAsync(string key, string cgroup, IReadOnlyDictionary<string, Quantity> reserved, CancellationToken cancellationToken)
    {
        bool compressible = options.EnforceNodeAllocatable.Contains(key + "-compressible");
        if (!compressible && !options.EnforceNodeAllocatable.Contains(key))
        {
            return;
        }

        CgroupName name = CgroupName.ParseExisting(cgroup, cgroups.Driver);
        if (!cgroups.Exists(name))
        {
            throw new CgroupException(cgroup, $"enforceNodeAllocatable has \"{key}\", but this cgroup does not exist; create it before the agent starts");
        }

        await EnsureAsync(name, PodCgroupLimits.ForReservation(reserved, compressible), cancellationToken);
        _enforced.Add($"Updated limits on {key.Replace('-', ' ')} cgroup {cgroup}");
    }
}
