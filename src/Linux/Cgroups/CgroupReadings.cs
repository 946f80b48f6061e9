using System.Globalization;

namespace NodeAgent.Linux.Cgroups;

/// <summary>Turns the contents of control files into limits. Pure. A file that says nothing leaves its value null.</summary>
internal static class CgroupReadings
{
    // The kernel's "no limit" of cgroup v1: the greatest number of whole pages.
    private const long NoLimitFrom = long.MaxValue / 65536 * 65536;

    public static CgroupLimits V1(string shares, string quota, string period, string memory) => new()
    {
        CpuShares = Number(shares),
        CpuQuota = Number(quota),
        CpuPeriod = Number(period) is > 0 and var p ? p : CgroupUnits.DefaultPeriod,
        Memory = Number(memory) is { } bytes ? bytes >= NoLimitFrom ? -1 : bytes : null,
    };

    public static CgroupLimits V2(string weight, string cpuMax, string memory)
    {
        string[] cpu = cpuMax.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        return new CgroupLimits
        {
            CpuShares = Number(weight) is { } w ? CgroupUnits.SharesOfWeight(w) : null,
            CpuQuota = cpu.Length > 0 ? Number(cpu[0]) : null,
            CpuPeriod = cpu.Length > 1 && Number(cpu[1]) is > 0 and var p ? p : CgroupUnits.DefaultPeriod,
            Memory = Number(memory),
        };
    }

    /// <summary>One figure of a file of names and figures; 0 where it is not there.</summary>
    public static long Stat(string text, string name)
    {
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            if (line.StartsWith(name, StringComparison.Ordinal) && line.Length > name.Length && line[name.Length] == ' '
                && long.TryParse(line[(name.Length + 1)..], CultureInfo.InvariantCulture, out long value))
            {
                return value;
            }
        }

        return 0;
    }

    public static long? Number(string text) => text.Trim() is "max" ? -1
        : long.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out long n) ? n : null;
}
