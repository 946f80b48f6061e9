using NodeAgent.Harness.Networks;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>SCTP beside TCP and UDP on the same port.</summary>
public sealed class SctpPacketTests
{
    private const int Backend = 9899;

    /// <summary>Modes by families.</summary>
    public static TheoryData<string, IPFamily> Rows => ServicePacketTests.ModesAndFamilies;

    [NetworkTheory]
    [MemberData(nameof(Rows))]
    public async Task Each_protocol_of_one_port_goes_to_its_own_backend_and_SCTP_is_masqueraded_and_refused_as_the_others(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        string vip = net.Address(NodeNetwork.VirtualIP, NodeNetwork.VirtualIPv6), node = net.Address("203.0.113.1", "fd00:203:113::1");
        using SctpEnd local = SctpEnd.Serve(net.Local, "sctp", net.Address("10.180.2.2", "fd00:180:2::2"), Backend);
        net.Service(change: s => s with
        {
            Ports = [.. s.Ports, new Kubernetes.Objects.ServicePort { Name = "sctp", Port = 80, Protocol = "SCTP", NodePort = NodeNetwork.NodePort }],
        });
        net.State.SetSlice(net.Slice("web-1", [new SlicePort("tcp", "tcp", 8080), new SlicePort("udp", "udp", 8080), new SlicePort("sctp", "sctp", Backend)], net.LocalPod));
        await net.ProgramAsync();
        string pod = net.Address("10.180.1.2", "fd00:180:1::2"), masqueraded = net.Address("10.180.2.1", "fd00:180:2::1");
        Assert.Equal($"sctp sees {pod}", await SctpEnd.AskAsync(net.Client, vip, 80));
        Assert.Equal($"local sees {pod}", await net.Client.AskTcpAsync(vip, 80));
        Assert.Equal($"local sees {pod}", await net.Client.AskUdpAsync(vip, 80));
        Assert.Equal($"sctp sees {masqueraded}", await SctpEnd.AskAsync(net.Outside, node, NodeNetwork.NodePort));
        Assert.Equal($"sctp sees {masqueraded}", await SctpEnd.AskAsync(net.Local, vip, 80));
        Assert.Equal($"sctp sees {masqueraded}", await SctpEnd.AskAsync(net.Node, vip, 80));
        net.State.SetSlice(net.Slice("web-1", [new SlicePort("tcp", "tcp", 8080), new SlicePort("udp", "udp", 8080)], net.LocalPod));
        await net.ProgramAsync();
        Assert.Equal("refused", await SctpEnd.AskAsync(net.Client, vip, 80));
        Assert.Equal($"local sees {pod}", await net.Client.AskTcpAsync(vip, 80));
    }
}
