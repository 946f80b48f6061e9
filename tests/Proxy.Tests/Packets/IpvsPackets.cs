using System.Globalization;
using System.Net;
using System.Net.Sockets;
using NodeAgent.Harness.Networks;
using NodeAgent.Proxy.Configuration;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Rulesets.Ipvs;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>What ipvs mode alone does with packets, beside the table of cases that every mode has.</summary>
public sealed class IpvsPackets
{
    // Every one that Debian's kernel has.
    private static readonly string[] Schedulers = ["wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "mh", "fo", "ovf", "rr"];

    [PacketRow]
    public async Task Wrong_ports_of_a_service_address_are_refused(IPFamily family)
    {
        using var net = new NodeNetwork("ipvs", family);
        net.Service();
        net.Endpoints(local: false, remote: true);
        // The node listens on every address; not on those of services.
        net.Node.Serve("node", net.Address("0.0.0.0", "::"), 81);
        await net.ProgramAsync();
        Assert.StartsWith("node sees", await net.Client.AskTcpAsync(net.NodeAddress, 81), StringComparison.Ordinal);
        Assert.Equal("refused", await net.Client.AskTcpAsync(net.ClusterIP, 81));
        Assert.Equal("refused", await net.Client.AskUdpAsync(net.ClusterIP, 81));
    }

    [PacketRow]
    public async Task Every_scheduler_of_the_kernel_takes_the_place_of_another_on_a_live_service(IPFamily family)
    {
        using var net = new NodeNetwork("ipvs", family);
        net.Service();
        net.Endpoints(local: true, remote: true);
        foreach (string scheduler in Schedulers)
        {
            net.IpvsOptions = net.IpvsOptions with { Scheduler = scheduler };
            net.Restart();
            await net.ProgramAsync();
            Assert.All(Servers(net), line => Assert.Equal(scheduler, line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2]));
            Assert.EndsWith($"sees {net.PodAddress}", await net.Client.AskTcpAsync(net.ClusterIP, 80), StringComparison.Ordinal);
        }
    }

    [PacketRow]
    public async Task A_connection_outlives_its_endpoints_removal_takes_no_new_ones_with_it_and_the_real_server_goes_after_it(IPFamily family)
    {
        using var net = new NodeNetwork("ipvs", family);
        net.Service();
        net.State.SetSlice(net.Slice("web-1", [new SlicePort("tcp", "tcp", 8081)], net.LocalPod));
        using Socket listener = net.Local.Within(() => new Socket(Family(family), SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(new IPEndPoint(IPAddress.Parse(net.LocalPod.Address), 8081));
        listener.Listen();
        await net.ProgramAsync();
        using Socket client = net.Client.Within(() => new Socket(Family(family), SocketType.Stream, ProtocolType.Tcp));
        await client.ConnectAsync(IPAddress.Parse(net.ClusterIP), 80);
        using Socket server = await listener.AcceptAsync();
        await EchoAsync(client, server);

        net.State.SetSlice(net.Slice("web-1", [new SlicePort("tcp", "tcp", 8080)], net.RemotePod));
        await net.ProgramAsync();
        Assert.Equal(1, ((IpvsProxier)net.Proxier).Draining);
        Assert.Equal($"remote sees {net.PodAddress}", await net.Client.AskTcpAsync(net.ClusterIP, 80));
        Assert.Equal($"remote sees {net.PodAddress}", await net.Client.AskTcpAsync(net.ClusterIP, 80));
        await EchoAsync(client, server);

        // Reset, a connection is forgotten after ten seconds.
        client.LingerState = new LingerOption(true, 0);
        client.Close();
        await PatientlyAsync(net, async () =>
        {
            await net.ProgramAsync();
            return ((IpvsProxier)net.Proxier).Draining == 0;
        });
        Assert.DoesNotContain(Reals(net), line => line.Contains(":1F91", StringComparison.Ordinal));
    }

    [PacketRow]
    public async Task A_restart_changes_nothing_and_an_endpoint_that_comes_back_takes_connections_again(IPFamily family)
    {
        using var net = new NodeNetwork("ipvs", family);
        net.Service(sticky: 60, external: "Local", type: "LoadBalancer", vip: net.Address("198.51.100.4", "fd00:198::4"));
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        string before = await StateAsync(net);
        net.Restart();
        await net.ProgramAsync();
        Assert.Equal(before, await StateAsync(net));

        net.Service();
        await net.ProgramAsync();
        Assert.NotEqual(await net.Client.AskTcpAsync(net.ClusterIP, 80), await net.Client.AskTcpAsync(net.ClusterIP, 80));
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal(1, ((IpvsProxier)net.Proxier).Draining);
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        Assert.Equal(0, ((IpvsProxier)net.Proxier).Draining);
        Assert.NotEqual(await net.Client.AskTcpAsync(net.ClusterIP, 80), await net.Client.AskTcpAsync(net.ClusterIP, 80));
    }

    [PacketRow(Only = "IPv4")]
    public async Task Strict_ARP_keeps_the_node_from_answering_for_service_addresses_on_its_links(IPFamily family)
    {
        foreach (bool strict in (bool[])[false, true])
        {
            using var net = new NodeNetwork("ipvs", family);
            net.Set(new KubeProxyConfiguration { IpvsStrictARP = strict });
            net.Service();
            net.Endpoints(local: false, remote: true);
            await net.ProgramAsync();
            net.Outside.Ip($"route add {net.ClusterIP}/32 dev eth0");
            Assert.Equal(strict ? "unreachable" : net.RemoteMasqueraded, await net.Outside.AskTcpAsync(net.ClusterIP, 80));
        }
    }

    [PacketRow]
    public async Task Virtual_servers_of_others_go_but_for_those_in_excluded_ranges(IPFamily family)
    {
        using var net = new NodeNetwork("ipvs", family);
        VirtualServerKey kept = new(net.Address("198.51.100.70", "fd00:198::70"), 8000, "tcp"), removed = new(net.Address("198.51.100.7", "fd00:198::7"), 8000, "tcp");
        Assert.Empty(net.Ipvs.Apply([new IpvsStep.AddServer(kept, new VirtualServer("wlc", 0, 0)), new IpvsStep.AddServer(removed, new VirtualServer("wlc", 0, 0))]));
        net.IpvsOptions = net.IpvsOptions with { ExcludeCidrs = [net.Address("198.51.100.64/26", "fd00:198::40/122")] };
        net.Restart();
        net.Service();
        await net.ProgramAsync();
        IEnumerable<VirtualServerKey> there = net.Ipvs.Read().Servers.Keys;
        Assert.Contains(kept, there);
        Assert.DoesNotContain(removed, there);
        Assert.Contains(new VirtualServerKey(net.ClusterIP, 80, "tcp"), there);
    }

    [PacketRow]
    public async Task Time_outs_hold_for_new_connections_and_affinity_has_its_own(IPFamily family)
    {
        using var net = new NodeNetwork("ipvs", family);
        net.SetIpvsTimeouts(TimeSpan.FromSeconds(400), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(70));
        net.Service(sticky: 2000);
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal($"remote sees {net.PodAddress}", await net.Client.AskUdpAsync(net.ClusterIP, 80));
        VirtualServer sticky = net.Ipvs.Read().Servers[new VirtualServerKey(net.ClusterIP, 80, "udp")].Server;
        Assert.Equal((VirtualServer.Persistent, 2000u), (sticky.Flags & VirtualServer.Persistent, sticky.Timeout));
        string[][] connections = [.. net.Node.Exec("cat", "/proc/net/ip_vs_conn").Split('\n').Skip(1).Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(l => l.Length > 8)];
        Assert.InRange(Expires(connections, "UDP"), 1, 70);
        // The template of the client's affinity.
        Assert.Contains(connections, c => c[2] == "0000" && int.Parse(c[8], CultureInfo.InvariantCulture) is > 70 and <= 2000);
        using Socket listener = net.Remote.Within(() => new Socket(Family(family), SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(new IPEndPoint(IPAddress.Parse(net.RemotePod.Address), 8081));
        listener.Listen();
        net.State.SetSlice(net.Slice("web-1", [new SlicePort("tcp", "tcp", 8081)], net.RemotePod));
        await net.ProgramAsync();
        using Socket client = net.Client.Within(() => new Socket(Family(family), SocketType.Stream, ProtocolType.Tcp));
        await client.ConnectAsync(IPAddress.Parse(net.ClusterIP), 80);
        using Socket server = await listener.AcceptAsync();
        await EchoAsync(client, server);
        Assert.Contains("ESTABLISHED", net.Node.Exec("cat", "/proc/net/ip_vs_conn"), StringComparison.Ordinal);
        connections = [.. net.Node.Exec("cat", "/proc/net/ip_vs_conn").Split('\n').Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(l => l.Contains("ESTABLISHED"))];
        Assert.InRange(Expires(connections, "TCP"), 71, 400);
    }

    [PacketRow]
    public async Task Source_ranges_without_the_node_keep_the_node_out_and_a_range_of_everybody_lets_everybody_in(IPFamily family)
    {
        using var net = new NodeNetwork("ipvs", family);
        string vip = net.Address("198.51.100.4", "fd00:198::4");
        net.Service(type: "LoadBalancer", vip: vip, change: s => s with { LoadBalancerSourceRanges = [net.Address("10.180.1.0/24", "fd00:180:1::/64")] });
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal(net.RemoteMasqueraded, await net.Client.AskTcpAsync(vip, 80));
        Assert.Equal("nothing", await net.Node.AskTcpAsync(vip, 80));
        Assert.Equal("nothing", await net.Outside.AskTcpAsync(vip, 80));
        net.Service(type: "LoadBalancer", vip: vip, change: s => s with { LoadBalancerSourceRanges = [net.Address("0.0.0.0/0", "::/0"), net.Address("192.0.2.0/24", "fd00:192::/64")] });
        await net.ProgramAsync();
        Assert.Equal(net.RemoteMasqueraded, await net.Outside.AskTcpAsync(vip, 80));
        Assert.Equal(net.RemoteMasqueraded, await net.Node.AskTcpAsync(vip, 80));
    }

    [PacketRow]
    public async Task External_addresses_with_policy_local_keep_the_source_and_node_ports_answer_on_the_chosen_addresses_alone(IPFamily family)
    {
        using var net = new NodeNetwork("ipvs", family);
        net.NodePortAddresses = [net.NodeAddress];
        net.Restart();
        string external = net.Address("198.51.100.9", "fd00:198::9");
        net.Service(external: "Local", change: s => s with { ExternalIPs = [external] });
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal($"local sees {net.OutsideAddress}", await net.Outside.AskTcpAsync(external, 80));
            Assert.Equal($"local sees {net.OutsideAddress}", await net.Outside.AskTcpAsync(net.NodeAddress, NodeNetwork.NodePort));
        }

        Assert.Equal("refused", await net.Client.AskTcpAsync(net.Address("10.180.1.1", "fd00:180:1::1"), NodeNetwork.NodePort));
        // What the service lets go of is no address of the node any longer, and nothing is left of the service.
        net.Service(external: "Local");
        await net.ProgramAsync();
        Assert.DoesNotContain(external, net.Ipvs.Read().Bound!);
        net.State.RemoveService(new ServiceName("ns", "web"));
        await net.ProgramAsync();
        IpvsObserved left = net.Ipvs.Read();
        Assert.Empty(left.Servers);
        Assert.Empty(left.Bound!);
        Assert.All(left.Sets, set => Assert.Empty(set.Value));
    }

    [PacketRow]
    public async Task Everything_is_masqueraded_where_that_is_asked_for_and_without_a_detector_only_what_has_a_service_address_itself(IPFamily family)
    {
        using var net = new NodeNetwork("ipvs", family);
        net.IpvsOptions = net.IpvsOptions with { MasqueradeAll = true };
        net.Restart();
        net.Service();
        net.Endpoints(local: false, remote: true);
        await net.ProgramAsync();
        Assert.Equal(net.RemoteMasqueraded, await net.Client.AskTcpAsync(net.ClusterIP, 80));
        net.IpvsOptions = net.IpvsOptions with { MasqueradeAll = false, LocalTraffic = LocalTraffic.LocalTrafficDetector.None };
        net.Restart();
        await net.ProgramAsync();
        Assert.Equal($"remote sees {net.OutsideAddress}", await net.Outside.AskTcpAsync(net.ClusterIP, 80));
        Assert.Equal(net.RemoteMasqueraded, await net.Node.AskTcpAsync(net.ClusterIP, 80));
    }

    [PacketRow]
    public async Task What_somebody_takes_away_is_there_again_after_the_next_pass(IPFamily family)
    {
        using var net = new NodeNetwork("ipvs", family);
        net.Service();
        net.Endpoints(local: true, remote: false);
        await net.ProgramAsync();
        string before = await StateAsync(net);
        string iptables = net.Address("iptables-", "ip6tables-") + PacketModes.IptablesOfIpvs;
        foreach (string table in (string[])["nat", "filter"])
        {
            net.Node.Exec(iptables, "-w", "-t", table, "-F");
        }

        net.Node.Ip("link del kube-ipvs0");
        Assert.Empty(net.Ipvs.Apply([.. net.Ipvs.Read().Servers.Keys.Select(k => new IpvsStep.RemoveServer(k))]));
        await net.ProgramAsync();
        Assert.Equal(before, await StateAsync(net));
        Assert.Equal(net.LocalMasqueraded, await net.Local.AskTcpAsync(net.ClusterIP, 80));
    }

    private static AddressFamily Family(IPFamily family) => family == IPFamily.IPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;

    private static IEnumerable<string> Servers(NodeNetwork net) => net.Node.Exec("cat", "/proc/net/ip_vs").Split('\n').Where(l => l.StartsWith("TCP", StringComparison.Ordinal) || l.StartsWith("UDP", StringComparison.Ordinal));

    private static IEnumerable<string> Reals(NodeNetwork net) => net.Node.Exec("cat", "/proc/net/ip_vs").Split('\n').Where(l => l.Contains("->", StringComparison.Ordinal)).Skip(1);

    private static int Expires(string[][] connections, string protocol) => int.Parse(connections.First(c => c[0] == protocol && c[2] != "0000")[8], CultureInfo.InvariantCulture);

    private static async Task EchoAsync(Socket client, Socket server)
    {
        using var limit = new CancellationTokenSource(NetworkNamespace.Patience);
        byte[] buffer = new byte[1];
        await client.SendAsync("a"u8.ToArray(), limit.Token);
        Assert.Equal(1, await server.ReceiveAsync(buffer, limit.Token));
        await server.SendAsync(buffer, limit.Token);
        Assert.Equal(1, await client.ReceiveAsync(buffer, limit.Token));
    }

    /// <summary>Again and again, a question between, until it holds.</summary>
    private static async Task PatientlyAsync(NodeNetwork net, Func<Task<bool>> holds)
    {
        long began = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromMinutes(3));
            await net.Client.AskTcpAsync(net.ClusterIP, 80);
        }
    }

    /// <summary>Servers, sets, addresses and rules, in order and without counters.</summary>
    private static async Task<string> StateAsync(NodeNetwork net)
    {
        IpvsObserved there = net.Ipvs.Read();
        return string.Join('\n',
        [
            .. there.Servers.Select(s => $"{s.Key} {s.Value.Server} {string.Join(' ', s.Value.RealServers.Select(r => $"{r.Server}={r.Weight}").Order(StringComparer.Ordinal))}"),
            .. there.Sets.Select(s => $"{s.Key} {string.Join(' ', s.Value)}").Order(StringComparer.Ordinal),
            string.Join(' ', there.Bound ?? []),
            .. (await net.Iptables.SaveAsync(null, default)).Split('\n').Where(l => l.StartsWith('-') && l.Contains("KUBE", StringComparison.Ordinal)),
        ]);
    }
}
