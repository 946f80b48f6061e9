using System.Globalization;
using System.Runtime.InteropServices;

namespace NodeAgent.Linux.Procfs;

/// <summary>Facts of the host that change at most with a reboot, and a few gauges. Every path is below a root, so tests give a tree of their own.</summary>
/// <param name="root">"/" on a real host.</param>
public sealed class HostInformation(string root = "/")
{
    /// <summary>PRETTY_NAME of os-release; "Linux" where there is none.</summary>
    public string OperatingSystemImage()
    {
        foreach (string file in (ReadOnlySpan<string>)["etc/os-release", "usr/lib/os-release"])
        {
            if (ReadText(file) is { } text && OsRelease(text, "PRETTY_NAME") is { Length: > 0 } name)
            {
                return name;
            }
        }

        return "Linux";
    }

    /// <summary>uname -r.</summary>
    public string KernelVersion() => ReadText("proc/sys/kernel/osrelease") ?? "";

    /// <summary>The boot's id; "" where not readable.</summary>
    public string BootId() => ReadText("proc/sys/kernel/random/boot_id") ?? "";

    /// <summary>The machine's id; "" where there is none.</summary>
    public string MachineId() => First("etc/machine-id", "var/lib/dbus/machine-id");

    /// <summary>DMI product UUID, else device tree's, else the machine id.</summary>
    public string SystemUuid() => First("sys/class/dmi/id/product_uuid", "proc/device-tree/system-id", "proc/device-tree/vm,uuid", "etc/machine-id");

    /// <summary>Memory and swap.</summary>
    public MemoryInformation Memory() => MemoryInformation.Parse(File.ReadAllBytes(At("proc/meminfo")));

    /// <summary>Logical CPUs online, from /sys/devices/system/cpu/online, else counted in /proc/cpuinfo.</summary>
    public int LogicalCpus()
    {
        if (ReadText("sys/devices/system/cpu/online") is { Length: > 0 } list)
        {
            return CountCpuList(list);
        }

        string info = ReadText("proc/cpuinfo") ?? "";
        int count = info.Split('\n').Count(l => l.StartsWith("processor", StringComparison.Ordinal));
        return count > 0 ? count : Environment.ProcessorCount;
    }

    /// <summary>Bytes of huge pages set aside, by page size in bytes; pages of a size not set aside give 0.</summary>
    public IReadOnlyDictionary<long, long> HugePages()
    {
        SortedDictionary<long, long> pages = [];
        string folder = At("sys/kernel/mm/hugepages");
        if (!Directory.Exists(folder))
        {
            return pages;
        }

        foreach (string path in Directory.EnumerateDirectories(folder, "hugepages-*kB"))
        {
            string name = Path.GetFileName(path);
            if (long.TryParse(name.AsSpan(10, name.Length - 12), CultureInfo.InvariantCulture, out long kibibytes)
                && long.TryParse(ReadText(Path.Combine("sys/kernel/mm/hugepages", name, "nr_hugepages")), CultureInfo.InvariantCulture, out long count))
            {
                pages[kibibytes * 1024] = kibibytes * 1024 * count;
            }
        }

        return pages;
    }

    /// <summary>The largest number of processes: the smaller of pid_max and threads-max.</summary>
    public long MaximumPids()
    {
        long pid = Number("proc/sys/kernel/pid_max", long.MaxValue), threads = Number("proc/sys/kernel/threads-max", long.MaxValue);
        return Math.Min(pid, threads);
    }

    /// <summary>Schedulable entities now (the figure after the slash of /proc/loadavg's fourth column).</summary>
    public long RunningPids()
    {
        string[] fields = (ReadText("proc/loadavg") ?? "").Split(' ');
        return fields.Length > 3 && fields[3].IndexOf('/', StringComparison.Ordinal) is > 0 and int slash
            && long.TryParse(fields[3].AsSpan(slash + 1), CultureInfo.InvariantCulture, out long count) ? count : 0;
    }

    /// <summary>True where any swap area is on.</summary>
    public bool SwapIsOn() => (ReadText("proc/swaps") ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries).Length > 1;

    /// <summary>The architecture as Go names it (amd64, arm64, …).</summary>
    public static string GoArchitecture() => RuntimeInformation.OSArchitecture switch
    {
        Architecture.X64 => "amd64",
        Architecture.X86 => "386",
        Architecture.Arm64 => "arm64",
        Architecture.Arm => "arm",
        Architecture.S390x => "s390x",
        Architecture.Ppc64le => "ppc64le",
        Architecture.LoongArch64 => "loong64",
        Architecture.RiscV64 => "riscv64",
        Architecture other => throw new PlatformNotSupportedException($"no Go name is known for architecture {other}"),
    };

    /// <summary>How many CPUs a list such as "0-3,8" names.</summary>
    public static int CountCpuList(string list)
    {
        int count = 0;
        foreach (string part in list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] ends = part.Split('-');
            int first = int.Parse(ends[0], CultureInfo.InvariantCulture);
            count += ends.Length == 1 ? 1 : int.Parse(ends[1], CultureInfo.InvariantCulture) - first + 1;
        }

        return count;
    }

    /// <summary>A value of os-release, quotes and their escapes resolved; null where absent.</summary>
    public static string? OsRelease(string text, string key)
    {
        foreach (string line in text.Split('\n'))
        {
            if (!line.StartsWith(key + "=", StringComparison.Ordinal))
            {
                continue;
            }

            string value = line[(key.Length + 1)..].Trim();
            if (value.Length >= 2 && (value[0] == '"' || value[0] == '\'') && value[^1] == value[0])
            {
                value = value[1..^1].Replace("\\\"", "\"", StringComparison.Ordinal).Replace("\\$", "$", StringComparison.Ordinal)
                    .Replace("\\`", "`", StringComparison.Ordinal).Replace("\\\\", "\\", StringComparison.Ordinal);
            }

            return value;
        }

        return null;
    }

    private string First(params ReadOnlySpan<string> files)
    {
        foreach (string file in files)
        {
            if (ReadText(file) is { Length: > 0 } text)
            {
                return text;
            }
        }

        return "";
    }

    private long Number(string file, long otherwise) =>
        long.TryParse(ReadText(file), CultureInfo.InvariantCulture, out long value) ? value : otherwise;

    private string At(string file) => Path.Combine(root, file);

    private string? ReadText(string file)
    {
        try
        {
            return File.ReadAllText(At(file)).Trim('\0', '\n', ' ', '\t');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
