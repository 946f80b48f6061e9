using NodeAgent.Harness.Networks;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>Every mode judged by what packets do, from one table of cases.</summary>
public sealed class ServicePacketTests
{
    private const string Pod = "10.180.1.2", Outsider = "203.0.113.2", NodeOutside = "203.0.113.1";

    /// <summary>The modes, iptables once for each of its programs that is installed.</summary>
    public static TheoryData<string> Modes =>
        [.. ((string[])["iptables-nft", "iptables-nft-chains", "iptables-legacy"]).Where(b => File.Exists($"/usr/sbin/{b.Replace("-chains", "", StringComparison.Ordinal)}")), "nftables"];

    /// <summary>Each mode with each family.</summary>
    public static TheoryData<string, IPFamily> ModesAndFamilies
    {
        get
        {
            TheoryData<string, IPFamily> rows = [];
            foreach (string mode in ((string[])["iptables-nft", "iptables-legacy"]).Where(b => File.Exists($"/usr/sbin/{b}")).Append("nftables"))
            {
                rows.Add(mode, IPFamily.IPv4);
                rows.Add(mode, IPFamily.IPv6);
            }

            return rows;
        }
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task A_cluster_IP_answers_pods_without_and_the_host_with_masquerading(string mode)
    {
        using var net = new NodeNetwork(mode);
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
    [MemberData(nameof(Modes))]
    public async Task A_pod_reaches_itself_through_its_service(string mode)
    {
        using var net = new NodeNetwork(mode);
        net.Service();
        net.Endpoints(local: true, remote: false);
        await net.ProgramAsync();
        Assert.Equal("local sees 10.180.2.1", await net.Local.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        Assert.Equal("local sees 10.180.2.1", await net.Local.AskUdpAsync(NodeNetwork.VirtualIP, 80));
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        HashSet<string> answers = [];
        for (int i = 0; i < 40; i++)
        {
            answers.Add(await net.Local.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        }

        // Masqueraded only where it comes back.
        Assert.Equal(["local sees 10.180.2.1", "remote sees 10.180.2.2"], answers.Order());
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task A_pod_reaches_itself_over_IPv6_and_the_node_what_runs_on_itself(string mode)
    {
        using (var net = new NodeNetwork(mode, IPFamily.IPv6))
        {
            net.Service();
            net.Endpoints(local: true, remote: false);
            await net.ProgramAsync();
            Assert.Equal("local sees fd00:180:2::1", await net.Local.AskTcpAsync(NodeNetwork.VirtualIPv6, 80));
            Assert.Equal("local sees fd00:180:1::2", await net.Client.AskTcpAsync(NodeNetwork.VirtualIPv6, 80));
        }

        using (var net = new NodeNetwork(mode))
        {
            net.Service();
            net.Node.Serve("node", NodeOutside, 8080);
            net.EndpointOnNode(NodeOutside);
            await net.ProgramAsync();
            Assert.StartsWith("node sees ", await net.Node.AskTcpAsync(NodeNetwork.VirtualIP, 80), StringComparison.Ordinal);
            Assert.Equal($"node sees {Pod}", await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        }
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task Connections_spread_over_all_endpoints(string mode)
    {
        using var net = new NodeNetwork(mode);
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
    [MemberData(nameof(Modes))]
    public async Task A_node_port_answers_outside_and_in_iptables_mode_on_loopback_masqueraded(string mode)
    {
        using var net = new NodeNetwork(mode);
        net.Service();
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal("remote sees 10.181.0.1", await net.Outside.AskTcpAsync(NodeOutside, NodeNetwork.NodePort));
        Assert.Equal("remote sees 10.181.0.1", await net.Outside.AskUdpAsync(NodeOutside, NodeNetwork.NodePort));
        Assert.Equal(mode == "nftables" ? "refused" : "remote sees 10.181.0.1", await net.Node.AskTcpAsync("127.0.0.1", NodeNetwork.NodePort));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task Without_endpoints_everybody_is_refused_at_once_until_one_appears(string mode)
    {
        using var net = new NodeNetwork(mode);
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
    [MemberData(nameof(Modes))]
    public async Task External_policy_local_keeps_the_source_and_drops_where_nothing_is_local(string mode)
    {
        using var net = new NodeNetwork(mode, local: LocalTrafficDetector.ByCidr("10.180.0.0/16"));
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
    [MemberData(nameof(Modes))]
    public async Task Internal_policy_local_uses_this_node_alone(string mode)
    {
        using var net = new NodeNetwork(mode);
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
    [MemberData(nameof(Modes))]
    public async Task Session_affinity_holds_and_moves_when_its_endpoint_goes(string mode)
    {
        using var net = new NodeNetwork(mode);
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
    [MemberData(nameof(Modes))]
    public async Task IPv6_services_answer_likewise(string mode)
    {
        using var net = new NodeNetwork(mode, IPFamily.IPv6);
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
    [MemberData(nameof(Modes))]
    public async Task Source_ranges_hold_for_the_load_balancer_address_and_not_for_the_node_port(string mode)
    {
        using var net = new NodeNetwork(mode);
        net.Service(type: "LoadBalancer", vip: "198.51.100.4", change: s => s with { LoadBalancerSourceRanges = ["203.0.113.0/29", "192.0.2.0/24"] });
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal("remote sees 10.181.0.1", await net.Outside.AskTcpAsync("198.51.100.4", 80));
        Assert.Equal("nothing", await net.Client.AskTcpAsync("198.51.100.4", 80));
        Assert.Equal("nothing", await net.Client.AskUdpAsync("198.51.100.4", 80));
        Assert.Equal("remote sees 10.181.0.1", await net.Client.AskTcpAsync(NodeOutside, NodeNetwork.NodePort));
        Assert.Equal("remote sees 10.181.0.1", await net.Node.AskTcpAsync("198.51.100.4", 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task External_addresses_are_masqueraded_and_refused_without_endpoints(string mode)
    {
        using var net = new NodeNetwork(mode);
        net.Service(change: s => s with { ExternalIPs = ["198.51.100.9"] });
        net.Endpoints(local: true, remote: false);
        await net.ProgramAsync();
        Assert.Equal("local sees 10.180.2.1", await net.Outside.AskTcpAsync("198.51.100.9", 80));
        Assert.Equal("local sees 10.180.2.1", await net.Outside.AskUdpAsync("198.51.100.9", 80));
        net.Endpoints(local: false, remote: false);
        await net.ProgramAsync();
        Assert.Equal("refused", await net.Client.AskTcpAsync("198.51.100.9", 80));
        Assert.Equal("refused", await net.Client.AskUdpAsync("198.51.100.9", 80));
        Assert.Equal("refused", await net.Outside.AskTcpAsync("198.51.100.9", 80));
        Assert.Equal("refused", await net.Outside.AskUdpAsync("198.51.100.9", 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task Endpoints_about_to_go_are_used_only_where_there_is_nothing_else(string mode)
    {
        using var net = new NodeNetwork(mode);
        net.Service();
        net.Endpoints(local: true, remote: true, localTerminating: true);
        await net.ProgramAsync();
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal($"remote sees {Pod}", await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        }

        net.Endpoints(local: true, remote: false, localTerminating: true);
        await net.ProgramAsync();
        Assert.Equal($"local sees {Pod}", await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        Assert.Equal("local sees 10.180.2.1", await net.Outside.AskTcpAsync(NodeOutside, NodeNetwork.NodePort));
        net.Endpoints(local: true, remote: true, serving: false);
        await net.ProgramAsync();
        Assert.Equal("refused", await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task A_UDP_client_that_never_stops_follows_its_service_to_another_endpoint(string mode)
    {
        using var net = new NodeNetwork(mode);
        net.Service();
        net.Endpoints(local: true, remote: false);
        await net.ProgramAsync();
        using System.Net.Sockets.Socket inside = await net.Client.ConnectUdpAsync(NodeNetwork.VirtualIP, 80), outside = await net.Outside.ConnectUdpAsync(NodeOutside, NodeNetwork.NodePort);
        Assert.Equal($"local sees {Pod}", await NetworkNamespace.AskAsync(inside));
        Assert.Equal("local sees 10.180.2.1", await NetworkNamespace.AskAsync(outside));
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal($"remote sees {Pod}", await NetworkNamespace.AskAsync(inside));
        Assert.Equal("remote sees 10.181.0.1", await NetworkNamespace.AskAsync(outside));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task A_UDP_client_that_came_before_the_first_endpoint_is_served_by_it(string mode)
    {
        using var net = new NodeNetwork(mode);
        net.Service();
        await net.ProgramAsync();
        using System.Net.Sockets.Socket client = await net.Client.ConnectUdpAsync(NodeNetwork.VirtualIP, 80);
        Assert.Equal("refused", await NetworkNamespace.AskAsync(client));
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal($"remote sees {Pod}", await NetworkNamespace.AskAsync(client));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task Local_policy_on_an_external_address_keeps_the_source_and_lets_pods_and_the_node_go_everywhere(string mode)
    {
        using var net = new NodeNetwork(mode, local: LocalTrafficDetector.ByCidr("10.180.0.0/16"));
        net.Service(external: "Local", type: "LoadBalancer", vip: "198.51.100.4", sticky: 60);
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        Assert.Equal($"local sees {Outsider}", await net.Outside.AskTcpAsync("198.51.100.4", 80));
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal("nothing", await net.Outside.AskTcpAsync("198.51.100.4", 80));
        Assert.Equal($"remote sees {Pod}", await net.Client.AskTcpAsync("198.51.100.4", 80));
        Assert.Equal("remote sees 10.181.0.1", await net.Node.AskTcpAsync("198.51.100.4", 80));
    }

    [NetworkTheory]
    [InlineData(IPFamily.IPv4)]
    [InlineData(IPFamily.IPv6)]
    public async Task In_nftables_mode_wrong_ports_are_refused_and_unallocated_addresses_dropped(IPFamily family)
    {
        using var net = new NodeNetwork("nftables", family);
        net.Service();
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal("refused", await net.Client.AskTcpAsync(net.Address(NodeNetwork.VirtualIP, NodeNetwork.VirtualIPv6), 81));
        Assert.Equal("refused", await net.Client.AskUdpAsync(net.Address(NodeNetwork.VirtualIP, NodeNetwork.VirtualIPv6), 81));
        Assert.Equal("nothing", await net.Client.AskTcpAsync(net.Address("172.30.0.50", "fd00:172:30::50"), 80));
    }

    [NetworkTheory]
    [InlineData(IPFamily.IPv4)]
    [InlineData(IPFamily.IPv6)]
    public async Task In_nftables_mode_node_ports_answer_on_the_chosen_addresses_alone(IPFamily family)
    {
        using var net = new NodeNetwork("nftables", family);
        net.NftOptions = net.NftOptions with { NodePortAddresses = [net.Address(NodeOutside, "fd00:203:113::1")] };
        net.Restart();
        net.Service();
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        string masqueraded = net.Address("remote sees 10.181.0.1", "remote sees fd00:181::1");
        Assert.Equal(masqueraded, await net.Outside.AskTcpAsync(net.Address(NodeOutside, "fd00:203:113::1"), NodeNetwork.NodePort));
        Assert.Equal("refused", await net.Client.AskTcpAsync(net.Address("10.180.1.1", "fd00:180:1::1"), NodeNetwork.NodePort));
    }

    [NetworkTheory]
    [InlineData(IPFamily.IPv4)]
    [InlineData(IPFamily.IPv6)]
    public async Task In_nftables_mode_affinity_survives_a_restart_and_ranges_hold_for_both_families(IPFamily family)
    {
        using var net = new NodeNetwork("nftables", family);
        string vip = net.Address("198.51.100.4", "fd00:198::4");
        net.Service(type: "LoadBalancer", vip: vip, sticky: 60, change: s => s with { LoadBalancerSourceRanges = [net.Address("203.0.113.0/24", "fd00:203:113::/64")] });
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        string first = await net.Client.AskTcpAsync(net.Address(NodeNetwork.VirtualIP, NodeNetwork.VirtualIPv6), 80);
        net.Restart();
        await net.ProgramAsync();
        for (int i = 0; i < 12; i++)
        {
            Assert.Equal(first, await net.Client.AskTcpAsync(net.Address(NodeNetwork.VirtualIP, NodeNetwork.VirtualIPv6), 80));
        }

        Assert.NotEqual("nothing", await net.Outside.AskTcpAsync(vip, 80));
        Assert.Equal("nothing", await net.Client.AskTcpAsync(vip, 80));
    }
}
