using System.Collections.Immutable;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Nftables;

/// <summary>What the whole ruleset of a family depends on besides the services.</summary>
public sealed record NftOptions
{
    /// <summary>The family.</summary>
    public required IPFamily Family { get; init; }
    /// <summary>Mark bit of traffic to be masqueraded, 1 shifted by nftables.masqueradeBit.</summary>
    public uint MasqueradeMark { get; init; } = 1 << 14;
    /// <summary>nftables.masqueradeAll.</summary>
    public bool MasqueradeAll { get; init; }
    /// <summary>Tells local pods' traffic.</summary>
    public LocalTrafficDetector LocalTraffic { get; init; } = LocalTrafficDetector.None;
    /// <summary>Addresses node ports answer on; null = all of the node's, empty = none.</summary>
    public ImmutableArray<string>? NodePortAddresses { get; init; }
    /// <summary>The node's own address of the family, "" where unknown.</summary>
    public string NodeIP { get; init; } = "";
    /// <summary>The cluster's Service ranges of the family: what is in them and belongs to no Service is dropped. Empty where unknown.</summary>
    public ImmutableArray<string> ServiceCidrs { get; init; } = [];

    /// <summary>True where rules come out the same.</summary>
    public bool SameAs(NftOptions other) => this with { NodePortAddresses = null, ServiceCidrs = [] } == other with { NodePortAddresses = null, ServiceCidrs = [] }
        && ServiceCidrs.AsSpan().SequenceEqual(other.ServiceCidrs.AsSpan())
        && (NodePortAddresses is { } a && other.NodePortAddresses is { } b ? a.AsSpan().SequenceEqual(b.AsSpan()) : NodePortAddresses is null && other.NodePortAddresses is null);
}

/// <summary>The chains that are there whatever services there are. Pure. Source: pkg/proxy/nftables/proxier.go.</summary>
public static class NftStaticRules
{
    /// <summary>Where refused packets go.</summary>
    public const string RejectChain = "reject-chain";

    /// <summary>Names of the base chains and where they hook in.</summary>
    public static IReadOnlyDictionary<string, NftBaseHook> BaseChains { get; } =
        Chains(new NftOptions { Family = IPFamily.IPv4 }).Where(c => c.Hook is not null).ToDictionary(c => c.Name, c => c.Hook!);

    private static NftStatement New => new MatchNewConnection();

    /// <summary>All of them; base chains first.</summary>
    public static IReadOnlyList<NftChain> Chains(NftOptions options) =>
    [
        Base("filter-prerouting-pre-dnat", "filter", "prerouting", -110, Checked("firewall-check")),
        Base("filter-output-pre-dnat", "filter", "output", -110, Checked("firewall-check")),
        Base("filter-input", "filter", "input", 0, Checked("nodeport-endpoints-check"), Checked("service-endpoints-check")),
        Base("filter-forward", "filter", "forward", 0, Checked("service-endpoints-check"), Checked("cluster-ips-check")),
        Base("filter-output", "filter", "output", 0, Checked("service-endpoints-check"), Checked("cluster-ips-check")),
        Base("nat-prerouting", "nat", "prerouting", -100, Called("services")),
        Base("nat-output", "nat", "output", -100, Called("services")),
        Base("nat-postrouting", "nat", "postrouting", 100, Called("masquerading")),
        new("nodeport-endpoints-check", [NodePorts(options, "no-endpoint-nodeports", local: false)]),
        new("service-endpoints-check", [new NftRule([new DispatchByDestination("no-endpoint-services", true)])]),
        new("firewall-check", [new NftRule([new DispatchByDestination("firewall-ips", true)])]),
        new("cluster-ips-check", Unallocated(options)),
        new("services", Services(options)),
        new("masquerading", Masquerading(options)),
        new(RejectChain, [new NftRule([new RejectPacket()])]) { Comment = "helper for @no-endpoint-services / @no-endpoint-nodeports" },
    ];

    /// <summary>The elements of nodeport-ips; null where node ports answer on all addresses and the set is not used.</summary>
    public static IReadOnlyList<NftElement>? NodePortIPs(NftOptions options) => options.NodePortAddresses is not { } addresses ? null
        : [.. addresses.Where(a => !System.Net.IPAddress.IsLoopback(System.Net.IPAddress.Parse(a))).Select(a => new NftElement(NftContainer.NodePortIPs, NftKey.Address(a), NftValue.None))];

    /// <summary>Matches traffic of local pods, or all other.</summary>
    public static NftStatement? LocalTraffic(LocalTrafficDetector detector, bool negated) => detector.Kind switch
    {
        LocalTrafficKind.Cidr => new MatchAddress(Source: true, detector.Value, negated),
        LocalTrafficKind.Interface => new MatchInterface(detector.Value, Prefix: false, negated),
        LocalTrafficKind.InterfacePrefix => new MatchInterface(detector.Value, Prefix: true, negated),
        _ => null,
    };

    /// <summary>Matches ranges; one alone without a set, as the nft program does.</summary>
    public static NftStatement Addresses(bool source, ImmutableArray<string> cidrs, bool negated) =>
        cidrs is [var one] ? new MatchAddress(source, one, negated) : new MatchAddresses(source, cidrs, negated);

    private static NftChain Base(string name, string type, string hook, int priority, params NftRule[] rules) =>
        new(name, [.. rules]) { Hook = new NftBaseHook(type, hook, priority) };

    private static NftRule Checked(string chain) => new([New, new GotoChain(chain, Return: true)]);

    private static NftRule Called(string chain) => new([new GotoChain(chain, Return: true)]);

    private static ImmutableArray<NftRule> Services(NftOptions options)
    {
        var rules = ImmutableArray.CreateBuilder<NftRule>();
        var clusterIP = new MatchAddressInSet(Source: false, "cluster-ips");
        if (options.MasqueradeAll)
        {
            rules.Add(new NftRule([clusterIP, new SetMark(options.MasqueradeMark)], "masquerade all clusterIP traffic"));
        }
        else if (LocalTraffic(options.LocalTraffic, negated: true) is { } notLocal)
        {
            rules.Add(new NftRule([clusterIP, notLocal, new SetMark(options.MasqueradeMark)], "masquerade clusterIP traffic from outside cluster"));
        }

        rules.Add(new NftRule([new DispatchByDestination("service-ips", true)]));
        rules.Add(NodePorts(options, "service-nodeports", local: true));
        return rules.ToImmutable();
    }

    private static NftRule NodePorts(NftOptions options, string map, bool local)
    {
        var dispatch = new DispatchByDestination(map, false);
        if (options.NodePortAddresses is not null)
        {
            return new NftRule([new MatchAddressInSet(Source: false, "nodeport-ips"), dispatch]);
        }

        var notLoopback = new MatchAddress(Source: false, options.Family == IPFamily.IPv4 ? "127.0.0.0/8" : "::1", Negated: true);
        return new NftRule(local ? [new MatchLocalAddress(Source: false), notLoopback, dispatch] : [notLoopback, dispatch]);
    }

    private static ImmutableArray<NftRule> Masquerading(NftOptions options) =>
    [
        new([new MatchMark(options.MasqueradeMark), new FlipMark(options.MasqueradeMark), new MasqueradeSource()]),
        new([new MatchHairpin("hairpin-connections"), new MasqueradeSource()]),
    ];

    private static ImmutableArray<NftRule> Unallocated(NftOptions options)
    {
        var reject = new NftRule([new MatchAddressInSet(Source: false, "cluster-ips"), new RejectPacket()], "Reject traffic to invalid ports of ClusterIPs");
        return options.ServiceCidrs.IsEmpty ? [reject]
            : [reject, new NftRule([Addresses(source: false, options.ServiceCidrs, negated: false), new DropPacket()], "Drop traffic to unallocated ClusterIPs")];
    }
}
