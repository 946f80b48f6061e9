using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Linux.Netlink;
using NodeAgent.Proxy.Health;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>What the iptables mode alone has to do with the kernel.</summary>
public sealed class IptablesPacketTests
{
    /// <summary>The iptables programs that are installed.</summary>
    public static TheoryData<string> Backends => [.. ((string[])["nft", "legacy"]).Where(b => File.Exists($"/usr/sbin/iptables-{b}"))];

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task A_restart_changes_nothing_in_the_kernel(string backend)
    {
        using var net = new NodeNetwork("iptables-" + backend);
        net.Service(external: "Local", sticky: 60);
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        string[] before = Rules(await net.Iptables.SaveAsync(null, default));
        net.Restart();
        await net.ProgramAsync();
        Assert.Equal(before, Rules(await net.Iptables.SaveAsync(null, default)));
        Assert.True(before.Length > 40, $"{before.Length} lines");
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task A_flush_is_noticed_and_repaired_and_cleanup_leaves_only_the_shared_firewall(string backend)
    {
        using var net = new NodeNetwork("iptables-" + backend);
        net.Service();
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        string[] before = Rules(await net.Iptables.SaveAsync(null, default));
        foreach (string table in (string[])["mangle", "nat", "filter"])
        {
            net.Node.Exec($"iptables-{backend}", "-t", table, "-F");
            net.Node.Exec($"iptables-{backend}", "-t", table, "-X");
        }

        Assert.True(await ((IptablesProxier)net.Proxier).CheckCanaryAsync(default));
        await net.ProgramAsync();
        Assert.Equal(before, Rules(await net.Iptables.SaveAsync(null, default)));
        await IptablesCleanup.RunAsync(net.Iptables, IPFamily.IPv4, default);
        Assert.All(Rules(await net.Iptables.SaveAsync(null, default)).Where(l => l.Contains("KUBE", StringComparison.Ordinal)),
            l => Assert.Contains("KUBE-FIREWALL", l, StringComparison.Ordinal));
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task Rules_taken_out_of_chains_that_stay_are_noticed_and_repaired(string backend)
    {
        using var net = new NodeNetwork("iptables-" + backend);
        net.Service();
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        string[] before = Rules(await net.Iptables.SaveAsync(null, default));
        IptablesProxier proxier = (IptablesProxier)net.Proxier;
        foreach (string[] flush in (string[][])[["-t", "nat", "-F", "KUBE-SERVICES"], ["-t", "nat", "-F"], ["-F"]])
        {
            Assert.False(await proxier.CheckCanaryAsync(default));
            net.Node.Exec([$"iptables-{backend}", .. flush]);
            Assert.True(await proxier.CheckCanaryAsync(default), string.Join(' ', flush));
            Assert.True(await proxier.SyncAsync(default));
            Assert.Equal(before, Rules(await net.Iptables.SaveAsync(null, default)));
        }
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task Packets_for_node_ports_on_loopback_are_counted_where_the_kernel_can(string backend)
    {
        using var net = new NodeNetwork("iptables-" + backend);
        using var counters = new PacketCounters(() => net.Node.Within(() => NetlinkSocket.Open()));
        bool can = counters.Ensure() && await net.Iptables.CountsAsync(PacketCounters.LocalhostAccepted, default);
        Assert.Equal(can ? 0UL : null, counters.Read(PacketCounters.LocalhostAccepted));
        var proxier = new IptablesProxier(net.State, net.Options, net.Iptables, "node1", TimeProvider.System, NullLogger<IptablesProxier>.Instance) { Counters = can ? counters : null };
        var registry = new MetricsRegistry();
        new ProxyMetrics(registry, TimeProvider.System).Follow(counters);
        net.Service();
        net.Endpoints(local: true, remote: false);
        Assert.True(await proxier.SyncAsync(default));
        Assert.Contains("local sees", await net.Node.AskTcpAsync("127.0.0.1", NodeNetwork.NodePort), StringComparison.Ordinal);
        Assert.Equal(can ? 1UL : null, counters.Read(PacketCounters.LocalhostAccepted));
        Assert.Equal(can, registry.Write().Contains("kubeproxy_iptables_localhost_nodeports_accepted_packets_total 1\n", StringComparison.Ordinal));
        Assert.Equal(can, registry.Write().Contains("kubeproxy_iptables_ct_state_invalid_dropped_packets_total 0\n", StringComparison.Ordinal));
        Assert.Equal(can, (await net.Iptables.SaveAsync("filter", default)).Contains("--nfacct-name", StringComparison.Ordinal));
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task The_host_is_asked_for_its_abilities_without_leaving_a_trace(string backend)
    {
        using var net = new NodeNetwork("iptables-" + backend);
        string before = string.Join('\n', Rules(await net.Iptables.SaveAsync("nat", default)));
        IptablesAbilities abilities = await net.Iptables.ProbeAsync(default);
        Assert.True(abilities.Statistic);
        Assert.True(abilities.Recent);
        Assert.DoesNotContain("KUBE-PROBE", string.Join('\n', Rules(await net.Iptables.SaveAsync("nat", default))), StringComparison.Ordinal);
        Assert.DoesNotContain("KUBE", before, StringComparison.Ordinal);
    }

    /// <summary>Chains and rules in order, without counters and dates.</summary>
    private static string[] Rules(string saved) =>
        [.. saved.Split('\n').Where(l => l.StartsWith('*') || l.StartsWith('-') || l.StartsWith(':')).Select(l => l.StartsWith(':') ? l.Split('[')[0] : l)];
}
