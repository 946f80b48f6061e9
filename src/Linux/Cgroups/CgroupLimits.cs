using System.Collections.Immutable;

namespace NodeAgent.Linux.Cgroups;

/// <summary>What to set on a cgroup. Null leaves a value as it is.</summary>
public sealed record CgroupLimits
{
    /// <summary>cpu.shares (v1 units; turned into cpu.weight on v2).</summary>
    public long? CpuShares { get; init; }
    /// <summary>CFS quota in µs; negative = no limit.</summary>
    public long? CpuQuota { get; init; }
    /// <summary>CFS period in µs; needs <see cref="CpuQuota"/>.</summary>
    public long CpuPeriod { get; init; } = CgroupUnits.DefaultPeriod;
    /// <summary>Memory in bytes; negative = no limit.</summary>
    public long? Memory { get; init; }
    /// <summary>Number of tasks; negative = no limit.</summary>
    public long? Pids { get; init; }
    /// <summary>Bytes by huge page size as the kernel names it ("2MB", "1GB"); negative = no limit.</summary>
    public ImmutableSortedDictionary<string, long> HugePages { get; init; } = ImmutableSortedDictionary<string, long>.Empty;

    /// <summary>Nothing to set.</summary>
    public static readonly CgroupLimits None = new();

    /// <summary>The kernel's name of a huge page size.</summary>
    /// <param name="bytes">A page's size in bytes.</param>
    public static string HugePageSizeName(long bytes) => bytes switch
    {
        >= 1L << 30 when bytes % (1L << 30) == 0 => $"{bytes >> 30}GB",
        >= 1L << 20 when bytes % (1L << 20) == 0 => $"{bytes >> 20}MB",
        _ => $"{bytes >> 10}KB",
    };
}

/// <summary>One value to write into one control file.</summary>
/// <param name="Controller">Controller the file belongs to.</param>
/// <param name="File">File name.</param>
/// <param name="Value">Text to write.</param>
public readonly record struct CgroupWrite(string Controller, string File, string Value);

/// <summary>Turns limits into the writes of either cgroup version. Pure.</summary>
public static class CgroupWrites
{
    /// <summary>The writes for cgroup v2.</summary>
    public static IReadOnlyList<CgroupWrite> V2(CgroupLimits limits)
    {
        List<CgroupWrite> writes = [];
        if (limits.CpuShares is { } shares)
        {
            writes.Add(new("cpu", "cpu.weight", Text(CgroupUnits.WeightOf(shares))));
        }

        if (limits.CpuQuota is { } quota)
        {
            writes.Add(new("cpu", "cpu.max", $"{MaxOr(quota)} {Text(limits.CpuPeriod)}"));
        }

        if (limits.Memory is { } memory)
        {
            writes.Add(new("memory", "memory.max", MaxOr(memory)));
        }

        if (limits.Pids is { } pids)
        {
            writes.Add(new("pids", "pids.max", MaxOr(pids)));
        }

        writes.AddRange(limits.HugePages.Select(p => new CgroupWrite("hugetlb", $"hugetlb.{p.Key}.max", MaxOr(p.Value))));
        return writes;
    }

    /// <summary>The writes for cgroup v1. The period goes before the quota, which the kernel checks against it.</summary>
    public static IReadOnlyList<CgroupWrite> V1(CgroupLimits limits)
    {
        List<CgroupWrite> writes = [];
        if (limits.CpuShares is { } shares)
        {
            writes.Add(new("cpu", "cpu.shares", Text(Math.Clamp(shares, CgroupUnits.MinimumShares, CgroupUnits.MaximumShares))));
        }

        if (limits.CpuQuota is { } quota)
        {
            writes.Add(new("cpu", "cpu.cfs_period_us", Text(limits.CpuPeriod)));
            writes.Add(new("cpu", "cpu.cfs_quota_us", Text(quota < 0 ? -1 : quota)));
        }

        if (limits.Memory is { } memory)
        {
            writes.Add(new("memory", "memory.limit_in_bytes", Text(memory < 0 ? -1 : memory)));
        }

        if (limits.Pids is { } pids)
        {
            writes.Add(new("pids", "pids.max", MaxOr(pids)));
        }

        writes.AddRange(limits.HugePages.Select(p => new CgroupWrite("hugetlb", $"hugetlb.{p.Key}.limit_in_bytes", Text(p.Value < 0 ? -1 : p.Value))));
        return writes;
    }

    private static string MaxOr(long value) => value < 0 ? "max" : Text(value);

    private static string Text(long value) => value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
