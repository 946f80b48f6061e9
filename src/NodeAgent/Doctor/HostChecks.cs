using NodeAgent.Kubelet.Configuration;
using NodeAgent.Linux.Cgroups;
using NodeAgent.Linux.Procfs;

namespace NodeAgent.Doctor;

/// <summary>Kernel, cgroups, swap, kernel parameters, programs.</summary>
internal static class HostChecks
{
    private static readonly string[] Controllers = ["cpu", "cpuset", "memory", "pids"];

    internal static IEnumerable<Finding> Kernel(HostFiles host)
    {
        string release = host.Text("proc/sys/kernel/osrelease") ?? "";
        string[] parts = release.Split('.', '-');
        bool known = int.TryParse(parts.ElementAtOrDefault(0), out int major) & int.TryParse(parts.ElementAtOrDefault(1), out int minor);
        if (!known)
            yield return Finding.Fail("kernel", "no kernel release in /proc", "mount /proc");
        else if (major < 5 || (major == 5 && minor < 10))
            yield return Finding.Warn("kernel", $"{release} is older than 5.10", "update the kernel; user namespaces and recursive read-only mounts need more");
        else
            yield return Finding.Ok("kernel", release);
    }

    internal static IEnumerable<Finding> Cgroups(HostFiles host, CgroupMounts? mounts, KubeletConfiguration configuration)
    {
        if (mounts is null)
        {
            yield return Finding.Fail("cgroups", $"no cgroup file system at {CgroupMounts.UsualRoot}", "mount cgroup2 there");
            yield break;
        }

        if (mounts.Version == CgroupVersion.V1)
        {
            yield return configuration.FailCgroupV1
                ? Finding.Fail("cgroups", "version 1, and failCgroupV1 is true", "boot with cgroup v2, or set failCgroupV1: false")
                : Finding.Warn("cgroups", "version 1", "boot with systemd.unified_cgroup_hierarchy=1; version 1 is going away");
            string[] missing = [.. Controllers.Where(c => !mounts.Hierarchies.ContainsKey(c))];
            if (missing.Length > 0)
                yield return Finding.Fail("cgroups", $"no hierarchy for {string.Join(", ", missing)}", "enable the controllers on the kernel command line");
        }
        else
        {
            string available = host.Text("sys/fs/cgroup/cgroup.controllers") ?? "";
            string[] missing = [.. Controllers.Where(c => !available.Split(' ').Contains(c))];
            yield return missing.Length == 0
                ? Finding.Ok("cgroups", $"version 2 with {available}")
                : Finding.Fail("cgroups", $"controllers missing: {string.Join(", ", missing)}", "enable them, for example with cgroup_enable=memory");
        }
        bool systemd = host.Exists("run/systemd/system");
        if (configuration.CgroupDriver == "systemd" && !systemd)
            yield return Finding.Fail("cgroup driver", "systemd, but this host was not booted with systemd", "set cgroupDriver: cgroupfs here and in the runtime");
        else if (configuration.CgroupDriver == "cgroupfs" && systemd && mounts.Version == CgroupVersion.V2)
            yield return Finding.Warn("cgroup driver", "cgroupfs on a systemd host: two managers of one tree (the runtime's answer wins)", "set cgroupDriver: systemd here and in the runtime");
        else
            yield return Finding.Ok("cgroup driver", configuration.CgroupDriver);
    }

    internal static IEnumerable<Finding> Swap(HostInformation information, KubeletConfiguration configuration)
    {
        if (!information.SwapIsOn())
            yield return Finding.Ok("swap", "off");
        else if (configuration.FailSwapOn)
            yield return Finding.Fail("swap", "on, and failSwapOn is true", "run swapoff -a and take swap out of /etc/fstab, or set failSwapOn: false");
        else
            yield return Finding.Ok("swap", "on, as configured");
    }

    internal static IEnumerable<Finding> KernelParameters(HostFiles host, KubeletConfiguration configuration)
    {
        yield return host.Text("proc/sys/net/ipv4/ip_forward") == "1"
            ? Finding.Ok("sysctl", "net.ipv4.ip_forward = 1")
            : Finding.Fail("sysctl", "net.ipv4.ip_forward is not 1: pods reach nothing", "sysctl -w net.ipv4.ip_forward=1, and set it in /etc/sysctl.d");
        string? bridge = host.Text("proc/sys/net/bridge/bridge-nf-call-iptables");
        if (bridge != "1")
        {
            yield return Finding.Warn("sysctl", bridge is null ? "br_netfilter is not loaded" : "net.bridge.bridge-nf-call-iptables is not 1",
                "modprobe br_netfilter and sysctl -w net.bridge.bridge-nf-call-iptables=1, where pods are on a bridge");
        }
        foreach ((string name, string wanted) in new[] { ("vm.overcommit_memory", "1"), ("vm.panic_on_oom", "0"), ("kernel.panic", "10"), ("kernel.panic_on_oops", "1") })
        {
            string? value = host.Text($"proc/sys/{name.Replace('.', '/')}");
            if (value == wanted)
                continue;
            yield return configuration.ProtectKernelDefaults
                ? Finding.Fail("sysctl", $"{name} is {value}, not {wanted}, and protectKernelDefaults is true", $"sysctl -w {name}={wanted}")
                : Finding.Ok("sysctl", $"{name} is {value} (the Go kubelet would set {wanted}; this agent leaves it)");
        }
    }

    internal static IEnumerable<Finding> Programs(HostFiles host)
    {
        (string Name, string For, bool Needed)[] programs =
        [
            ("mount", "volumes", true), ("umount", "volumes", true), ("iptables", "Services over IPv4", false), ("iptables-restore", "Services over IPv4", false),
            ("ip6tables", "Services over IPv6", false), ("conntrack", "looking at connections by hand", false), ("modprobe", "kernel modules", false),
        ];
        string[] here = [.. programs.Where(p => host.HasProgram(p.Name)).Select(p => p.Name)];
        if (here.Length > 0)
            yield return Finding.Ok("programs", string.Join(", ", here));
        foreach ((string name, string purpose, bool needed) in programs.Where(p => !host.HasProgram(p.Name)))
        {
            yield return needed
                ? Finding.Fail("programs", $"{name} is missing ({purpose})", "install it")
                : Finding.Warn("programs", $"{name} is missing ({purpose})", $"install it, for example apt-get install {(name.Contains("tables", StringComparison.Ordinal) ? "iptables" : name == "modprobe" ? "kmod" : name)}");
        }
    }

    internal static IEnumerable<Finding> Clock(TimeProvider time, HostFiles host)
    {
        DateTimeOffset now = time.GetUtcNow();
        if (now.Year is < 2025 or > 2100)
            yield return Finding.Fail("clock", $"says {now:u}: certificates will not be valid", "set the clock, and run chrony or systemd-timesyncd");
        else if (!host.HasProgram("chronyd") && !host.HasProgram("ntpd") && !host.Exists("usr/lib/systemd/systemd-timesyncd"))
            yield return Finding.Warn("clock", $"{now:u}, but nothing here keeps it right", "install chrony or systemd-timesyncd");
        else
            yield return Finding.Ok("clock", $"{now:u}");
    }
}
