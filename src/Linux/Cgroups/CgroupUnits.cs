namespace NodeAgent.Linux.Cgroups;

/// <summary>Conversions between CPU units. Source: pkg/kubelet/cm/helpers_linux.go and libcontainer's cgroup v2 weight.</summary>
public static class CgroupUnits
{
    /// <summary>Least cpu.shares the kernel takes.</summary>
    public const long MinimumShares = 2;
    /// <summary>Greatest cpu.shares the kernel takes.</summary>
    public const long MaximumShares = 262144;
    /// <summary>Least CFS quota, µs.</summary>
    public const long MinimumQuota = 1000;
    /// <summary>Usual CFS period, µs.</summary>
    public const long DefaultPeriod = 100_000;

    /// <summary>cpu.shares for thousandths of a CPU; 0 gives the minimum.</summary>
    public static long SharesOf(long milliCpu) =>
        milliCpu == 0 ? MinimumShares : Math.Clamp(milliCpu * 1024 / 1000, MinimumShares, MaximumShares);

    /// <summary>CFS quota in µs for thousandths of a CPU; 0 (no limit) gives 0.</summary>
    public static long QuotaOf(long milliCpu, long period) =>
        milliCpu == 0 ? 0 : Math.Max(milliCpu * period / 1000, MinimumQuota);

    /// <summary>cgroup v2 cpu.weight (1 to 10000) for cpu.shares: linear, as the kubelet has it for pods and classes (newer runtimes bend the line for containers).</summary>
    public static long WeightOf(long shares) => 1 + ((Math.Clamp(shares, MinimumShares, MaximumShares) - 2) * 9999 / 262142);

    /// <summary>cpu.shares for a cgroup v2 cpu.weight, linear.</summary>
    public static long SharesOfWeight(long weight) => ((weight - 1) * 262142 / 9999) + 2;

    /// <summary>Thousandths of a CPU for cpu.shares, rounded up; 0 below the minimum.</summary>
    public static long MilliOfShares(long shares) => shares < MinimumShares ? 0 : ((shares * 1000) + 1023) / 1024;

    /// <summary>Thousandths of a CPU for a CFS quota; 0 where there is none.</summary>
    public static long MilliOfQuota(long quota, long period) => quota < 0 || period <= 0 ? 0 : quota * 1000 / period;

    /// <summary>systemd's CPUQuotaPerSecUSec, rounded up to whole percent as its unit files hold it.</summary>
    public static ulong QuotaPerSecond(long quota, long period)
    {
        ulong perSecond = (ulong)quota * 1_000_000 / (ulong)period;
        return (perSecond + 9_999) / 10_000 * 10_000;
    }
}
