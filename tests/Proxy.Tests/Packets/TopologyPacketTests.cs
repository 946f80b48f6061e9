using NodeAgent.Kubernetes.Objects;
using NodeAgent.Proxy.Tracking;
using ApiEndpoint = NodeAgent.Kubernetes.Objects.Endpoint;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>Hints of zones and nodes, which the control plane writes for trafficDistribution; the node is node1 in zone-a.</summary>
public sealed class TopologyPacketTests
{
    private const int Asked = 40;

    /// <summary>Modes by families.</summary>
    public static TheoryData<string, IPFamily> Rows => ServicePacketTests.ModesAndFamilies;

    [NetworkTheory]
    [MemberData(nameof(Rows))]
    public async Task Traffic_keeps_to_the_hinted_zone_while_every_ready_endpoint_has_a_hint(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service(change: s => s with { TrafficDistribution = "PreferSameZone" });
        net.State.SetZone("zone-a");
        Hint(net, new EndpointHints { ForZones = [new ForZone { Name = "zone-b" }] }, new EndpointHints { ForZones = [new ForZone { Name = "zone-a" }] });
        await net.ProgramAsync();
        Assert.Equal(["remote"], await AnswersAsync(net));
        // A zone without endpoints uses all, and so does an endpoint without a hint among others, and a node without a zone.
        net.State.SetZone("zone-c");
        await net.ProgramAsync();
        Assert.Equal(["local", "remote"], await AnswersAsync(net));
        net.State.SetZone("zone-a");
        Hint(net, null, new EndpointHints { ForZones = [new ForZone { Name = "zone-a" }] });
        await net.ProgramAsync();
        Assert.Equal(["local", "remote"], await AnswersAsync(net));
        Hint(net, new EndpointHints { ForZones = [new ForZone { Name = "zone-b" }] }, new EndpointHints { ForZones = [new ForZone { Name = "zone-a" }] });
        net.State.SetZone(null);
        await net.ProgramAsync();
        Assert.Equal(["local", "remote"], await AnswersAsync(net));
    }

    [NetworkTheory]
    [MemberData(nameof(Rows))]
    public async Task A_hint_of_the_node_wins_over_that_of_the_zone_which_holds_where_no_endpoint_names_the_node(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service(change: s => s with { TrafficDistribution = "PreferSameNode" });
        net.State.SetZone("zone-a");
        Hint(net, Both("zone-b", "node1"), Both("zone-a", "node2"));
        await net.ProgramAsync();
        Assert.Equal(["local"], await AnswersAsync(net));
        Hint(net, Both("zone-b", "node3"), Both("zone-a", "node2"));
        await net.ProgramAsync();
        Assert.Equal(["remote"], await AnswersAsync(net));
    }

    [NetworkTheory]
    [MemberData(nameof(Rows))]
    public async Task External_policy_local_uses_this_nodes_endpoints_whatever_the_hints_say(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service(external: "Local");
        net.State.SetZone("zone-a");
        Hint(net, Both("zone-b", "node2"), Both("zone-a", "node2"));
        await net.ProgramAsync();
        string node = net.Address("203.0.113.1", "fd00:203:113::1"), outside = net.Address("203.0.113.2", "fd00:203:113::2");
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal($"local sees {outside}", await net.Outside.AskTcpAsync(node, NodeNetwork.NodePort));
        }

        Assert.Equal(["remote"], await AnswersAsync(net));
    }

    private static EndpointHints Both(string zone, string node) => new() { ForZones = [new ForZone { Name = zone }], ForNodes = [new ForNode { Name = node }] };

    /// <summary>Both pods as the API has them, with hints.</summary>
    private static void Hint(NodeNetwork net, EndpointHints? local, EndpointHints? remote) => net.State.SetSlice(SliceState.From(
        new EndpointSlice
        {
            Metadata = new ObjectMeta { Namespace = "ns", Name = "web-1", Labels = new Dictionary<string, string> { ["kubernetes.io/service-name"] = "web" } },
            AddressType = net.State.Family.ToString(),
            Ports = [new EndpointPort { Name = "tcp", Protocol = "TCP", Port = 8080 }],
            Endpoints =
            [
                new ApiEndpoint { Addresses = [net.LocalPod.Address], NodeName = "node1", Zone = "zone-a", Hints = local },
                new ApiEndpoint { Addresses = [net.RemotePod.Address], NodeName = "node2", Zone = "zone-a", Hints = remote },
            ],
        },
        "node1")!);

    /// <summary>Who answered; of two that take part none stays silent but with odds of 2^-39.</summary>
    private static async Task<IEnumerable<string>> AnswersAsync(NodeNetwork net)
    {
        HashSet<string> answers = [];
        // ipvs takes turns.
        for (int i = 0; i < (net.IsIpvs ? 4 : Asked); i++)
        {
            answers.Add((await net.Client.AskTcpAsync(net.Address(NodeNetwork.VirtualIP, NodeNetwork.VirtualIPv6), 80)).Split(' ')[0]);
        }

        return answers.Order();
    }
}
