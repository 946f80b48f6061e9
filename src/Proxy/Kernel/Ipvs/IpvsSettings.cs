using NodeAgent.Proxy.Configuration;
using NodeAgent.Proxy.Kernel.Sysctls;

namespace NodeAgent.Proxy.Kernel.Ipvs;

/// <summary>The kernel settings of ipvs mode, in order; those of net/ipv4/vs are there once ip_vs is loaded. Pure. Source: pkg/proxy/ipvs/proxier.go (NewProxier).</summary>
public static class IpvsSettings
{
    private const string Field = "mode: ipvs";
    private const string Remedy = "run as root, with ip_vs in the kernel, or use another mode";
    private static readonly Version ReuseModeSince = new(4, 1), ReuseModeMendedIn = new(5, 9);

    /// <summary>What a configuration asks for.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <param name="kernel">The kernel's version.</param>
    public static IReadOnlyList<KernelSetting> Plan(KubeProxyConfiguration configuration, Version kernel)
    {
        List<KernelSetting> plan = [Setting("vs/conntrack", 1)];
        if (kernel >= ReuseModeSince && kernel < ReuseModeMendedIn)
        {
            // Between these, a reused client port costs a second for each connection unless this is off.
            plan.Add(Setting("vs/conn_reuse_mode", 0));
        }

        plan.Add(Setting("vs/expire_nodest_conn", 1));
        plan.Add(Setting("vs/expire_quiescent_template", 1));
        plan.Add(Setting("ip_forward", 1));
        if (configuration.IpvsStrictARP)
        {
            plan.Add(Setting("conf/all/arp_ignore", 1) with { Field = "ipvs.strictARP" });
            plan.Add(Setting("conf/all/arp_announce", 2) with { Field = "ipvs.strictARP" });
        }

        return plan;
    }

    /// <summary>The version in a kernel's release, as 6.1 in 6.1.0-50-cloud-amd64; a new one where it cannot be read.</summary>
    public static Version VersionOf(string release)
    {
        string[] parts = release.Split('.', '-');
        return parts.Length > 1 && int.TryParse(parts[0], out int major) && int.TryParse(parts[1], out int minor) ? new Version(major, minor) : ReuseModeMendedIn;
    }

    private static KernelSetting Setting(string name, long value) => new("proc/sys/net/ipv4/" + name, value, Field, Remedy);
}
