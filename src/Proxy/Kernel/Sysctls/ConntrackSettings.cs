using NodeAgent.Proxy.Configuration;

namespace NodeAgent.Proxy.Kernel.Sysctls;

/// <summary>The connection tracking settings made at start, in order. The plan is pure. Source: cmd/kube-proxy/app/conntrack.go.</summary>
public static class ConntrackSettings
{
    private const string Module = "nf_conntrack";
    private const string Folder = "proc/sys/net/netfilter/";
    private const long Most = 1 << 20;

    /// <summary>What a configuration asks for on a machine with so many CPUs.</summary>
    public static IReadOnlyList<KernelSetting> Plan(KubeProxyConfiguration configuration, int cpus)
    {
        List<KernelSetting> plan = [];
        if (configuration.ConntrackMaxPerCore > 0)
        {
            long max = Limit(configuration, cpus);
            const string remedy = "set conntrack.maxPerCore to 0 to leave the host's limit";
            plan.Add(new KernelSetting(Folder + "nf_conntrack_max", max, "conntrack.maxPerCore", remedy));
            plan.Add(new KernelSetting("sys/module/nf_conntrack/parameters/hashsize", max / 4, "conntrack.maxPerCore", remedy, AtLeast: true, TolerateReadOnly: true));
        }

        Seconds(plan, "nf_conntrack_tcp_timeout_established", configuration.ConntrackTcpEstablishedTimeout, "conntrack.tcpEstablishedTimeout");
        Seconds(plan, "nf_conntrack_tcp_timeout_close_wait", configuration.ConntrackTcpCloseWaitTimeout, "conntrack.tcpCloseWaitTimeout");
        if (configuration.ConntrackTcpBeLiberal)
        {
            plan.Add(new KernelSetting(Folder + "nf_conntrack_tcp_be_liberal", 1, "conntrack.tcpBeLiberal", "set it to false to leave the host's setting"));
        }

        Seconds(plan, "nf_conntrack_udp_timeout", configuration.ConntrackUdpTimeout, "conntrack.udpTimeout");
        Seconds(plan, "nf_conntrack_udp_timeout_stream", configuration.ConntrackUdpStreamTimeout, "conntrack.udpStreamTimeout");
        return plan;
    }

    /// <summary>
    /// Has the module nf_conntrack loaded where a setting of the plan is wanted and none is there, as on a host that no rule tracks connections
    /// on yet. Null where they are there afterwards or none is wanted, else why not.
    /// </summary>
    /// <param name="plan">What is wanted.</param>
    /// <param name="kernel">The kernel's settings.</param>
    /// <param name="load">Loads the module; gives what was said where that failed.</param>
    public static async Task<string?> AppearAsync(IReadOnlyList<KernelSetting> plan, KernelSettings kernel, Func<string, Task<string?>> load)
    {
        if (plan.Count == 0 || kernel.Read(plan[0].File) is not null)
        {
            return null;
        }

        string? said = await load(Module);
        return kernel.Read(plan[0].File) is not null ? null
            : $"{plan[0].Field}: the kernel module {Module} is not loaded and its settings are not there ({said ?? "modprobe says it is loaded"}); load it, or {plan[0].Remedy}";
    }

    /// <summary>CPUs that are online, of a text like 0-3,8.</summary>
    public static int CountCpus(string online)
    {
        int count = 0;
        foreach (string range in online.Trim().Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] ends = range.Split('-');
            if (int.TryParse(ends[0], out int first) && int.TryParse(ends[^1], out int last) && last >= first)
            {
                count += last - first + 1;
            }
        }

        return count;
    }

    private static long Limit(KubeProxyConfiguration configuration, int cpus)
    {
        long scaled = (long)configuration.ConntrackMaxPerCore * cpus;
        return scaled > Most ? Most : Math.Max(scaled, configuration.ConntrackMin);
    }

    private static void Seconds(List<KernelSetting> plan, string name, TimeSpan value, string field)
    {
        if (value > TimeSpan.Zero)
        {
            plan.Add(new KernelSetting(Folder + name, (long)value.TotalSeconds, field, "set it to 0s to leave the host's setting"));
        }
    }
}
