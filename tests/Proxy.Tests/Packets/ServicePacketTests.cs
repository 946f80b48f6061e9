using NodeAgent.Harness.Networks;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>Every mode judged by what packets do, from one table of cases.</summary>
public sealed class ServicePacketTests
{
    /// <summary>The modes, iptables once for each of its programs that is installed; IPv6 once for each kind of rules.</summary>
    public static TheoryData<string, IPFamily> Modes
    {
        get
        {
            TheoryData<string, IPFamily> rows = [];
            foreach (string mode in PacketModes.All)
            {
                rows.Add(mode, IPFamily.IPv4);
                if (mode is not ("iptables-nft-chains" or "iptables-legacy"))
                {
                    rows.Add(mode, IPFamily.IPv6);
                }
            }

            return rows;
        }
    }

    /// <summary>Each mode with each family.</summary>
    public static TheoryData<string, IPFamily> ModesAndFamilies
    {
        get
        {
            TheoryData<string, IPFamily> rows = [];
            foreach (string mode in PacketModes.All.Where(m => m != "iptables-nft-chains"))
            {
                rows.Add(mode, IPFamily.IPv4);
                rows.Add(mode, IPFamily.IPv6);
            }

            return rows;
        }
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task A_cluster_IP_answers_pods_without_and_the_host_with_masquerading(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service();
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal($"remote sees {net.PodAddress}", await net.Client.AskTcpAsync(net.ClusterIP, 80));
        Assert.Equal($"remote sees {net.PodAddress}", await net.Client.AskUdpAsync(net.ClusterIP, 80));
        Assert.Equal(net.RemoteMasqueraded, await net.Node.AskTcpAsync(net.ClusterIP, 80));
        Assert.Equal(net.RemoteMasqueraded, await net.Node.AskUdpAsync(net.ClusterIP, 80));
        Assert.Equal(net.RemoteMasqueraded, await net.Outside.AskTcpAsync(net.ClusterIP, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task A_pod_reaches_itself_through_its_service(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service();
        net.Endpoints(local: true, remote: false);
        await net.ProgramAsync();
        Assert.Equal(net.LocalMasqueraded, await net.Local.AskTcpAsync(net.ClusterIP, 80));
        Assert.Equal(net.LocalMasqueraded, await net.Local.AskUdpAsync(net.ClusterIP, 80));
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        HashSet<string> answers = [];
        for (int i = 0; i < (net.IsIpvs ? 4 : 40); i++)
        {
            answers.Add(await net.Local.AskTcpAsync(net.ClusterIP, 80));
        }

        // Masqueraded only where it comes back.
        Assert.Equal([net.LocalMasqueraded, $"remote sees {net.LocalPod.Address}"], answers.Order());
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task Pods_and_the_node_reach_what_runs_on_the_node_itself(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service();
        net.Node.Serve("node", net.NodeAddress, 8080);
        net.EndpointOnNode(net.NodeAddress);
        await net.ProgramAsync();
        Assert.StartsWith("node sees ", await net.Node.AskTcpAsync(net.ClusterIP, 80), StringComparison.Ordinal);
        Assert.Equal($"node sees {net.PodAddress}", await net.Client.AskTcpAsync(net.ClusterIP, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task Connections_spread_over_all_endpoints(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service();
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        var answers = new List<string>();
        int asked = net.IsIpvs ? 12 : 60;
        for (int i = 0; i < asked; i++)
        {
            answers.Add(await net.Client.AskTcpAsync(net.ClusterIP, 80));
        }

        // 60 fair coins: fewer than 8 of one side has odds below 10^-9. ipvs takes turns.
        Assert.InRange(answers.Count(a => a == $"local sees {net.PodAddress}"), net.IsIpvs ? 6 : 8, net.IsIpvs ? 6 : 52);
        Assert.Equal(asked, answers.Count(a => a == $"local sees {net.PodAddress}" || a == $"remote sees {net.PodAddress}"));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task A_node_port_answers_outside_and_in_iptables_mode_on_loopback_masqueraded(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service();
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal(net.RemoteMasqueraded, await net.Outside.AskTcpAsync(net.NodeAddress, NodeNetwork.NodePort));
        Assert.Equal(net.RemoteMasqueraded, await net.Outside.AskUdpAsync(net.NodeAddress, NodeNetwork.NodePort));
        Assert.Equal(net.RemoteMasqueraded, await net.Client.AskTcpAsync(net.Address("10.180.1.1", "fd00:180:1::1"), NodeNetwork.NodePort));
        bool onLoopback = mode.StartsWith("iptables", StringComparison.Ordinal) && family == IPFamily.IPv4;
        Assert.Equal(onLoopback ? net.RemoteMasqueraded : "refused", await net.Node.AskTcpAsync(net.Address("127.0.0.1", "::1"), NodeNetwork.NodePort));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task Without_endpoints_everybody_is_refused_at_once_until_one_appears(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service();
        await net.ProgramAsync();
        Assert.Equal("refused", await net.Client.AskTcpAsync(net.ClusterIP, 80));
        Assert.Equal("refused", await net.Client.AskUdpAsync(net.ClusterIP, 80));
        Assert.Equal("refused", await net.Node.AskTcpAsync(net.ClusterIP, 80));
        Assert.Equal("refused", await net.Outside.AskTcpAsync(net.NodeAddress, NodeNetwork.NodePort));
        net.Endpoints(local: true, remote: false);
        await net.ProgramAsync();
        Assert.Equal($"local sees {net.PodAddress}", await net.Client.AskTcpAsync(net.ClusterIP, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task External_policy_local_keeps_the_source_and_drops_where_nothing_is_local(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family, NodeNetwork.PodsOfThisNode(family));
        net.Service(external: "Local");
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal($"local sees {net.OutsideAddress}", await net.Outside.AskTcpAsync(net.NodeAddress, NodeNetwork.NodePort));
        }

        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        // ipvs takes all endpoints where it has none of its own, and rewrites no source.
        Assert.Equal(net.IsIpvs ? $"remote sees {net.OutsideAddress}" : "nothing", await net.Outside.AskTcpAsync(net.NodeAddress, NodeNetwork.NodePort));
        Assert.Equal($"remote sees {net.PodAddress}", await net.Client.AskTcpAsync(net.NodeAddress, NodeNetwork.NodePort));
        Assert.Equal(net.IsIpvs ? $"remote sees {net.NodeAddress}" : net.RemoteMasqueraded, await net.Node.AskTcpAsync(net.NodeAddress, NodeNetwork.NodePort));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task Internal_policy_local_uses_this_node_alone(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service(@internal: "Local");
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal($"local sees {net.PodAddress}", await net.Client.AskTcpAsync(net.ClusterIP, 80));
        }

        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        // ipvs takes what the node port uses.
        Assert.Equal(net.IsIpvs ? $"remote sees {net.PodAddress}" : "nothing", await net.Client.AskTcpAsync(net.ClusterIP, 80));
        if (net.IsIpvs)
        {
            net.Service(@internal: "Local", type: "ClusterIP", change: s => s with { Ports = [.. s.Ports.Select(p => p with { NodePort = null })] });
            await net.ProgramAsync();
            Assert.Equal("refused", await net.Client.AskTcpAsync(net.ClusterIP, 80));
        }
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task Session_affinity_holds_and_moves_when_its_endpoint_goes(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service(sticky: 60);
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        string first = await net.Client.AskTcpAsync(net.ClusterIP, 80);
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(first, await net.Client.AskTcpAsync(net.ClusterIP, 80));
        }

        bool wasLocal = first.StartsWith("local", StringComparison.Ordinal);
        net.Endpoints(local: !wasLocal, remote: wasLocal);
        await net.ProgramAsync();
        Assert.Equal($"{(wasLocal ? "remote" : "local")} sees {net.PodAddress}", await net.Client.AskTcpAsync(net.ClusterIP, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task Source_ranges_hold_for_the_load_balancer_address_and_not_for_the_node_port(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        string vip = net.Address("198.51.100.4", "fd00:198::4");
        net.Service(type: "LoadBalancer", vip: vip, change: s => s with
        {
            LoadBalancerSourceRanges = [net.Address("203.0.113.0/29", "fd00:203:113::/120"), net.Address("192.0.2.0/24", "fd00:192::/64")],
        });
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal(net.RemoteMasqueraded, await net.Outside.AskTcpAsync(vip, 80));
        Assert.All(await Task.WhenAll(net.Client.AskTcpAsync(vip, 80), net.Client.AskUdpAsync(vip, 80)), answer => Assert.Equal("nothing", answer));
        Assert.Equal(net.RemoteMasqueraded, await net.Client.AskTcpAsync(net.NodeAddress, NodeNetwork.NodePort));
        Assert.Equal(net.RemoteMasqueraded, await net.Node.AskTcpAsync(vip, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task External_addresses_are_masqueraded_and_refused_without_endpoints(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        string external = net.Address("198.51.100.9", "fd00:198::9");
        net.Service(change: s => s with { ExternalIPs = [external] });
        net.Endpoints(local: true, remote: false);
        await net.ProgramAsync();
        Assert.Equal(net.LocalMasqueraded, await net.Outside.AskTcpAsync(external, 80));
        Assert.Equal(net.LocalMasqueraded, await net.Outside.AskUdpAsync(external, 80));
        net.Endpoints(local: false, remote: false);
        await net.ProgramAsync();
        Assert.Equal("refused", await net.Client.AskTcpAsync(external, 80));
        Assert.Equal("refused", await net.Client.AskUdpAsync(external, 80));
        Assert.Equal("refused", await net.Outside.AskTcpAsync(external, 80));
        Assert.Equal("refused", await net.Outside.AskUdpAsync(external, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task Endpoints_about_to_go_are_used_only_where_there_is_nothing_else(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service();
        net.Endpoints(local: true, remote: true, localTerminating: true);
        await net.ProgramAsync();
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal($"remote sees {net.PodAddress}", await net.Client.AskTcpAsync(net.ClusterIP, 80));
        }

        net.Endpoints(local: true, remote: false, localTerminating: true);
        await net.ProgramAsync();
        Assert.Equal($"local sees {net.PodAddress}", await net.Client.AskTcpAsync(net.ClusterIP, 80));
        Assert.Equal(net.LocalMasqueraded, await net.Outside.AskTcpAsync(net.NodeAddress, NodeNetwork.NodePort));
        net.Endpoints(local: true, remote: true, serving: false);
        await net.ProgramAsync();
        Assert.Equal("refused", await net.Client.AskTcpAsync(net.ClusterIP, 80));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task A_UDP_client_that_never_stops_follows_its_service_to_another_endpoint(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service();
        net.Endpoints(local: true, remote: false);
        await net.ProgramAsync();
        using System.Net.Sockets.Socket inside = await net.Client.ConnectUdpAsync(net.ClusterIP, 80), outside = await net.Outside.ConnectUdpAsync(net.NodeAddress, NodeNetwork.NodePort);
        Assert.Equal($"local sees {net.PodAddress}", await NetworkNamespace.AskAsync(inside));
        Assert.Equal(net.LocalMasqueraded, await NetworkNamespace.AskAsync(outside));
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal($"remote sees {net.PodAddress}", await FollowAsync(net, inside));
        Assert.Equal(net.RemoteMasqueraded, await FollowAsync(net, outside));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task A_UDP_client_that_came_before_the_first_endpoint_is_served_by_it(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service();
        await net.ProgramAsync();
        using System.Net.Sockets.Socket client = await net.Client.ConnectUdpAsync(net.ClusterIP, 80);
        Assert.Equal("refused", await NetworkNamespace.AskAsync(client));
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal($"remote sees {net.PodAddress}", await NetworkNamespace.AskAsync(client));
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task Local_policy_on_an_external_address_keeps_the_source_and_lets_pods_and_the_node_go_everywhere(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family, NodeNetwork.PodsOfThisNode(family));
        string vip = net.Address("198.51.100.4", "fd00:198::4");
        net.Service(external: "Local", type: "LoadBalancer", vip: vip, sticky: 60);
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        Assert.Equal($"local sees {net.OutsideAddress}", await net.Outside.AskTcpAsync(vip, 80));
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal(net.IsIpvs ? $"remote sees {net.OutsideAddress}" : "nothing", await net.Outside.AskTcpAsync(vip, 80));
        Assert.Equal($"remote sees {net.PodAddress}", await net.Client.AskTcpAsync(vip, 80));
        // In ipvs mode the address is one of the node's own, and the source of what the node sends to it.
        Assert.Equal(net.IsIpvs ? $"remote sees {vip}" : net.RemoteMasqueraded, await net.Node.AskTcpAsync(vip, 80));
    }

    /// <summary>ipvs ends a connection of an endpoint that has gone when its next datagram comes, and that one is lost.</summary>
    private static async Task<string> FollowAsync(NodeNetwork net, System.Net.Sockets.Socket socket) =>
        await NetworkNamespace.AskAsync(socket) is var answer && net.IsIpvs && answer == "nothing" ? await NetworkNamespace.AskAsync(socket) : answer;

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
        net.NftOptions = net.NftOptions with { NodePortAddresses = [net.NodeAddress] };
        net.Restart();
        net.Service();
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        string masqueraded = net.Address("remote sees 10.181.0.1", "remote sees fd00:181::1");
        Assert.Equal(masqueraded, await net.Outside.AskTcpAsync(net.NodeAddress, NodeNetwork.NodePort));
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
