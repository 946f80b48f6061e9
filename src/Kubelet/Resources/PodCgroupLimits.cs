using System.Collections.Immutable;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Kubelet.Resources;

/// <summary>Turns pods and node reservations into cgroup limits. Pure. Source: ResourceConfigForPod in pkg/kubelet/cm/helpers_linux.go.</summary>
public static class PodCgroupLimits
{
    /// <summary>Limits of a pod's cgroup.</summary>
    /// <param name="pod">The pod with its allocated resources.</param>
    /// <param name="enforceCpuQuota">cpuCFSQuota.</param>
    /// <param name="cpuPeriod">cpuCFSQuotaPeriod in µs.</param>
    /// <param name="podPidsLimit">podPidsLimit; -1 = none.</param>
    public static CgroupLimits ForPod(Pod pod, bool enforceCpuQuota, long cpuPeriod, long podPidsLimit)
    {
        IReadOnlyDictionary<string, Quantity> requests = PodResources.Requests(pod), limits = PodResources.Limits(pod);
        long milliLimit = PodResources.Amount(limits, PodResources.Cpu)?.MilliValue() ?? 0;
        long quota = enforceCpuQuota && milliLimit > 0 ? CgroupUnits.QuotaOf(milliLimit, cpuPeriod) : -1;
        long memory = PodResources.Amount(limits, PodResources.Memory)?.Value() ?? 0;
        long shares = CgroupUnits.SharesOf(PodResources.Amount(requests, PodResources.Cpu)?.MilliValue() ?? 0);
        CgroupLimits common = new()
        {
            HugePages = HugePages.Limits(requests),
            Pids = podPidsLimit > 0 ? podPidsLimit : null,
            CpuPeriod = cpuPeriod,
        };
        return PodQos.Of(pod) switch
        {
            QosClass.Guaranteed => common with { CpuShares = shares, CpuQuota = quota, Memory = memory > 0 ? memory : null },
            QosClass.Burstable => common with
            {
                CpuShares = shares,
                CpuQuota = PodResources.IsLimited(pod, PodResources.Cpu) ? quota : null,
                Memory = PodResources.IsLimited(pod, PodResources.Memory) && memory > 0 ? memory : null,
            },
            _ => common with { CpuShares = CgroupUnits.MinimumShares },
        };
    }

    /// <summary>Limits of a reserved or allocatable cgroup.</summary>
    /// <param name="resources">cpu, memory, pid, hugepages-*.</param>
    /// <param name="compressibleOnly">Only cpu.</param>
    public static CgroupLimits ForReservation(IReadOnlyDictionary<string, Quantity> resources, bool compressibleOnly)
    {
        CgroupLimits limits = new()
        {
            CpuShares = PodResources.Amount(resources, PodResources.Cpu) is { } cpu ? CgroupUnits.SharesOf(cpu.MilliValue()) : null,
        };
        return compressibleOnly ? limits : limits with
        {
            Memory = PodResources.Amount(resources, PodResources.Memory)?.Value(),
            Pids = PodResources.Amount(resources, "pid")?.Value(),
            HugePages = HugePages.Limits(resources),
        };
    }

    /// <summary>Limits of the Burstable class: shares for the sum of its pods' cpu requests; huge pages without limit.</summary>
    public static CgroupLimits ForBurstable(IEnumerable<Pod> activePods, ImmutableSortedDictionary<string, long> unlimitedHugePages)
    {
        long milli = activePods.Where(p => PodQos.Of(p) == QosClass.Burstable)
            .Sum(p => PodResources.Amount(PodResources.Requests(p), PodResources.Cpu)?.MilliValue() ?? 0);
        return new CgroupLimits { CpuShares = CgroupUnits.SharesOf(milli), HugePages = unlimitedHugePages };
    }
}
