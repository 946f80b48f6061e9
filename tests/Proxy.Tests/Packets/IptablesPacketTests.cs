using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>Needs root, ip and iptables; runs for each iptables backend that is installed.</summary>
internal sealed class NetworkTheoryAttribute : TheoryAttribute
{
    public NetworkTheoryAttribute()
    {
        if (Environment.UserName != "root")
        {
            Skip = "needs root: makes network namespaces";
        }
        else if (!File.Exists("/usr/sbin/iptables-nft") && !File.Exists("/usr/sbin/iptables-legacy"))
        {
            Skip = "needs the iptables package";
        }
    }
}

/// <summary>Rules judged by what packets do.</summary>
public sealed class IptablesPacketTests
{
    private const string Pod = "10.180.1.2", Outsider = "203.0.113.2", NodeOutside = "203.0.113.1";

    public static TheoryData<string> Backends => [.. ((string[])["nft", "legacy"]).Where(b => File.Exists($"/usr/sbin/iptables-{b}"))];

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task A_cluster_IP_answers_pods_without_and_the_host_with_masquerading(string backend)
    {
        using var net = new NodeNetwork(backend);
        net.Service();
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal($"remote sees {Pod}", await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        Assert.Equal($"remote sees {Pod}", await net.Client.AskUdpAsync(NodeNetwork.VirtualIP, 80));
        Assert.Equal("remote sees 10.181.0.1", await net.Node.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        Assert.Equal("remote sees 10.181.0.1", await net.Node.AskUdpAsync(NodeNetwork.VirtualIP, 80));
        Assert.Equal("remote sees 10.181.0.1", await net.Outside.AskTcpAsync(NodeNetwork.VirtualIP, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task A_pod_reaches_itself_through_its_service(string backend)
    {
        using var net = new NodeNetwork(backend);
        net.Service();
        net.Endpoints(local: true, remote: false);
        await net.ProgramAsync();
        Assert.Equal("local sees 10.180.2.1", await net.Local.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        Assert.Equal("local sees 10.180.2.1", await net.Local.AskUdpAsync(NodeNetwork.VirtualIP, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task Connections_spread_over_all_endpoints(string backend)
    {
        using var net = new NodeNetwork(backend);
        net.Service();
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        var answers = new List<string>();
        for (int i = 0; i < 60; i++)
        {
            answers.Add(await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        }

        // 60 fair coins: fewer than 8 of one side has odds below 10^-9.
        Assert.InRange(answers.Count(a => a == $"local sees {Pod}"), 8, 52);
        Assert.Equal(60, answers.Count(a => a == $"local sees {Pod}" || a == $"remote sees {Pod}"));
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task A_node_port_answers_outside_and_on_loopback_masqueraded(string backend)
    {
        using var net = new NodeNetwork(backend);
        net.Service();
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal("remote sees 10.181.0.1", await net.Outside.AskTcpAsync(NodeOutside, NodeNetwork.NodePort));
        Assert.Equal("remote sees 10.181.0.1", await net.Outside.AskUdpAsync(NodeOutside, NodeNetwork.NodePort));
        Assert.Equal("remote sees 10.181.0.1", await net.Node.AskTcpAsync("127.0.0.1", NodeNetwork.NodePort));
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task Without_endpoints_everybody_is_refused_at_once_until_one_appears(string backend)
    {
        using var net = new NodeNetwork(backend);
        net.Service();
        await net.ProgramAsync();
        Assert.Equal("refused", await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        Assert.Equal("refused", await net.Client.AskUdpAsync(NodeNetwork.VirtualIP, 80));
        Assert.Equal("refused", await net.Node.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        Assert.Equal("refused", await net.Outside.AskTcpAsync(NodeOutside, NodeNetwork.NodePort));
        net.Endpoints(local: true, remote: false);
        await net.ProgramAsync();
        Assert.Equal($"local sees {Pod}", await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task External_policy_local_keeps_the_source_and_drops_where_nothing_is_local(string backend)
    {
        using var net = new NodeNetwork(backend, local: LocalTrafficDetector.ByCidr("10.180.0.0/16"));
        net.Service(external: "Local");
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal($"local sees {Outsider}", await net.Outside.AskTcpAsync(NodeOutside, NodeNetwork.NodePort));
        }

        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal("nothing", await net.Outside.AskTcpAsync(NodeOutside, NodeNetwork.NodePort));
        Assert.Equal($"remote sees {Pod}", await net.Client.AskTcpAsync(NodeOutside, NodeNetwork.NodePort));
        Assert.Equal("remote sees 10.181.0.1", await net.Node.AskTcpAsync(NodeOutside, NodeNetwork.NodePort));
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task Internal_policy_local_uses_this_node_alone(string backend)
    {
        using var net = new NodeNetwork(backend);
        net.Service(@internal: "Local");
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal($"local sees {Pod}", await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        }

        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal("nothing", await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task Session_affinity_holds_and_moves_when_its_endpoint_goes(string backend)
    {
        using var net = new NodeNetwork(backend);
        net.Service(sticky: 60);
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        string first = await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80);
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(first, await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        }

        bool wasLocal = first.StartsWith("local", StringComparison.Ordinal);
        net.Endpoints(local: !wasLocal, remote: wasLocal);
        await net.ProgramAsync();
        Assert.Equal($"{(wasLocal ? "remote" : "local")} sees {Pod}", await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task A_restart_changes_nothing_in_the_kernel(string backend)
    {
        using var net = new NodeNetwork(backend);
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
        using var net = new NodeNetwork(backend);
        net.Service();
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        string[] before = Rules(await net.Iptables.SaveAsync(null, default));
        foreach (string table in (string[])["mangle", "nat", "filter"])
        {
            net.Node.Exec($"iptables-{backend}", "-t", table, "-F");
            net.Node.Exec($"iptables-{backend}", "-t", table, "-X");
        }

        Assert.True(await net.Proxier.CheckCanaryAsync(default));
        await net.ProgramAsync();
        Assert.Equal(before, Rules(await net.Iptables.SaveAsync(null, default)));
        await IptablesCleanup.RunAsync(net.Iptables, IPFamily.IPv4, default);
        Assert.All(Rules(await net.Iptables.SaveAsync(null, default)).Where(l => l.Contains("KUBE", StringComparison.Ordinal)),
            l => Assert.Contains("KUBE-FIREWALL", l, StringComparison.Ordinal));
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task IPv6_services_answer_likewise(string backend)
    {
        using var net = new NodeNetwork(backend, IPFamily.IPv6);
        net.Service();
        net.Endpoints(local: true, remote: false);
        await net.ProgramAsync();
        Assert.Equal("local sees fd00:180:1::2", await net.Client.AskTcpAsync(NodeNetwork.VirtualIPv6, 80));
        Assert.Equal("local sees fd00:180:2::1", await net.Outside.AskTcpAsync("fd00:203:113::1", NodeNetwork.NodePort));
        net.Endpoints(local: false, remote: false);
        await net.ProgramAsync();
        Assert.Equal("refused", await net.Client.AskTcpAsync(NodeNetwork.VirtualIPv6, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task The_host_is_asked_for_its_abilities_without_leaving_a_trace(string backend)
    {
        using var net = new NodeNetwork(backend);
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
