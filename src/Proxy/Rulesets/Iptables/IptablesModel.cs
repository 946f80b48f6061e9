using System.Collections.Immutable;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Iptables;

/// <summary>The chains all services share.</summary>
public enum TopChain
{
    /// <summary>filter KUBE-SERVICES.</summary>
    FilterServices,
    /// <summary>filter KUBE-EXTERNAL-SERVICES.</summary>
    FilterExternalServices,
    /// <summary>filter KUBE-NODEPORTS.</summary>
    FilterNodePorts,
    /// <summary>filter KUBE-PROXY-FIREWALL.</summary>
    FilterProxyFirewall,
    /// <summary>nat KUBE-SERVICES.</summary>
    NatServices,
    /// <summary>nat KUBE-NODEPORTS.</summary>
    NatNodePorts,
}

/// <summary>A rule that a service port adds to a shared chain.</summary>
/// <param name="Chain">The chain.</param>
/// <param name="Rule">The rule behind "-A CHAIN ".</param>
public readonly record struct TopRule(TopChain Chain, string Rule);

/// <summary>A chain of the nat table that belongs to one service port.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Rules">Its rules behind "-A CHAIN ", in order.</param>
public sealed record CompiledChain(string Name, ImmutableArray<string> Rules)
{
    /// <summary>True where name and rules are the same.</summary>
    public bool SameAs(CompiledChain other) => Name == other.Name && Rules.AsSpan().SequenceEqual(other.Rules.AsSpan());
}

/// <summary>All rules of one service port.</summary>
/// <param name="Top">In shared chains.</param>
/// <param name="Chains">Own chains.</param>
public sealed record CompiledServicePort(ImmutableArray<TopRule> Top, ImmutableArray<CompiledChain> Chains)
{
    /// <summary>No rule at all.</summary>
    public static CompiledServicePort Empty { get; } = new([], []);

    /// <summary>Inside traffic is dropped because internalTrafficPolicy: Local finds no endpoint here.</summary>
    public bool InternalDropped { get; init; }

    /// <summary>Outside traffic is dropped because externalTrafficPolicy: Local finds no endpoint here.</summary>
    public bool ExternalDropped { get; init; }
}

/// <summary>What the whole ruleset of a family depends on besides the services.</summary>
public sealed record IptablesOptions
{
    /// <summary>The family.</summary>
    public required IPFamily Family { get; init; }
    /// <summary>Mark bit of traffic to be masqueraded, 1 shifted by masqueradeBit.</summary>
    public uint MasqueradeMark { get; init; } = 1 << 14;
    /// <summary>masqueradeAll.</summary>
    public bool MasqueradeAll { get; init; }
    /// <summary>Tells local pods' traffic.</summary>
    public LocalTrafficDetector LocalTraffic { get; init; } = LocalTrafficDetector.None;
    /// <summary>localhostNodePorts takes effect (IPv4 alone).</summary>
    public bool LocalhostNodePorts { get; init; }
    /// <summary>Addresses node ports answer on; null = all of the node's, empty = none.</summary>
    public ImmutableArray<string>? NodePortAddresses { get; init; }
    /// <summary>The node's own address of the family, "" where unknown.</summary>
    public string NodeIP { get; init; } = "";
    /// <summary>The iptables program knows --random-fully.</summary>
    public bool RandomFully { get; init; } = true;
    /// <summary>The kernel has the match "recent"; without it there is no session affinity.</summary>
    public bool Recent { get; init; } = true;
    /// <summary>Drop packets conntrack calls invalid (unless nf_conntrack_tcp_be_liberal is set).</summary>
    public bool DropInvalid { get; init; } = true;
    /// <summary>
    /// Services without affinity name their endpoints in the chain that balances over them, without a chain for each; needs the match "bpf",
    /// by which one rule finds all traffic that comes back to its sender.
    /// </summary>
    public bool DirectEndpoints { get; init; }
    /// <summary>Packets that are dropped as invalid, and those for node ports on loopback, are counted; needs the match "nfacct" and its counters.</summary>
    public bool CountPackets { get; init; }
    /// <summary>Comments on rules for endpoints; off where there are more than 1,000 endpoints.</summary>
    public bool EndpointComments { get; init; } = true;

    /// <summary>The mark as rules are written, e.g. 0x00004000.</summary>
    public string Mark => $"0x{MasqueradeMark:x8}";
}
