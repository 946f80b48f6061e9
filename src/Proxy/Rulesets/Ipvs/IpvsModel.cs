using System.Collections.Immutable;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Ipvs;

/// <summary>What tells a virtual server from others. Ordered so that plans come out the same each time.</summary>
/// <param name="Address">Canonical text.</param>
/// <param name="Port">Port.</param>
/// <param name="Protocol">tcp, udp or sctp.</param>
public readonly record struct VirtualServerKey(string Address, int Port, string Protocol) : IComparable<VirtualServerKey>
{
    /// <inheritdoc/>
    public int CompareTo(VirtualServerKey other)
    {
        int c = string.CompareOrdinal(Address, other.Address);
        c = c != 0 ? c : Port.CompareTo(other.Port);
        return c != 0 ? c : string.CompareOrdinal(Protocol, other.Protocol);
    }

    /// <summary>Prints as ip:port/proto.</summary>
    public override string ToString() => (Address.Contains(':', StringComparison.Ordinal) ? $"[{Address}]" : Address) + $":{Port}/{Protocol}";
}

/// <summary>How a virtual server works.</summary>
/// <param name="Scheduler">Name of the scheduler.</param>
/// <param name="Flags">See <see cref="Persistent"/> and <see cref="SourceHashPort"/>.</param>
/// <param name="Timeout">Seconds of persistence; says nothing where the flag is not set.</param>
public readonly record struct VirtualServer(string Scheduler, uint Flags, uint Timeout)
{
    /// <summary>A client stays with its real server.</summary>
    public const uint Persistent = 1;
    /// <summary>The scheduler mh takes the source port too.</summary>
    public const uint SourceHashPort = 0x10;

    /// <summary>True where the kernel works the same by both.</summary>
    public bool WorksAs(VirtualServer other) => Scheduler == other.Scheduler && Flags == other.Flags && ((Flags & Persistent) == 0 || Timeout == other.Timeout);
}

/// <summary>Where a virtual server sends to.</summary>
/// <param name="Address">Canonical text.</param>
/// <param name="Port">Port.</param>
public readonly record struct RealServer(string Address, int Port) : IComparable<RealServer>
{
    /// <inheritdoc/>
    public int CompareTo(RealServer other) => string.CompareOrdinal(Address, other.Address) is var c && c != 0 ? c : Port.CompareTo(other.Port);
}

/// <summary>What the kernel tells of a real server.</summary>
/// <param name="Server">Which.</param>
/// <param name="Weight">0 = takes no new connections.</param>
/// <param name="Connections">Connections it has, active and inactive.</param>
public readonly record struct ObservedRealServer(RealServer Server, int Weight, long Connections);

/// <summary>What the kernel tells of a virtual server.</summary>
/// <param name="Server">How it works.</param>
/// <param name="RealServers">Its real servers.</param>
public sealed record ObservedVirtualServer(VirtualServer Server, ImmutableArray<ObservedRealServer> RealServers);

/// <summary>An element of an ipset; what its kind does not have is "" or 0.</summary>
/// <param name="Address">First address.</param>
/// <param name="Protocol">tcp, udp or sctp.</param>
/// <param name="Port">Port.</param>
/// <param name="Second">Second address, or the first of a network.</param>
/// <param name="Prefix">The network's length in bits.</param>
public readonly record struct SetEntry(string Address, string Protocol, int Port, string Second = "", int Prefix = 0) : IComparable<SetEntry>
{
    /// <summary>An entry of a set of ports.</summary>
    public static SetEntry OfPort(int port) => new("", "", port);

    /// <inheritdoc/>
    public int CompareTo(SetEntry other) => string.CompareOrdinal(ToString(), other.ToString());

    /// <summary>Prints as the ipset program does.</summary>
    public override string ToString() => Address.Length == 0 ? $"{Port}" : Port == 0 ? Address
        : $"{Address},{Protocol}:{Port}{(Second.Length == 0 ? "" : "," + Second)}{(Prefix == 0 ? "" : $"/{Prefix}")}";
}

/// <summary>What the kernel has, for one family.</summary>
public sealed record IpvsObserved
{
    /// <summary>Virtual servers, whoever made them.</summary>
    public ImmutableSortedDictionary<VirtualServerKey, ObservedVirtualServer> Servers { get; init; } = ImmutableSortedDictionary<VirtualServerKey, ObservedVirtualServer>.Empty;

    /// <summary>Addresses of our link; null where it is not there.</summary>
    public ImmutableSortedSet<string>? Bound { get; init; }

    /// <summary>Addresses of all other links, without loopback and link-local ones.</summary>
    public ImmutableSortedSet<string> NodeAddresses { get; init; } = [];

    /// <summary>Our sets that are there.</summary>
    public ImmutableDictionary<string, ImmutableSortedSet<SetEntry>> Sets { get; init; } = ImmutableDictionary<string, ImmutableSortedSet<SetEntry>>.Empty;
}

/// <summary>A service address that traffic of this node itself may not use.</summary>
public readonly record struct NodeRefusal(string Address, int Port, string Protocol);

/// <summary>What the kernel should have, for one family.</summary>
public sealed record IpvsWanted
{
    /// <summary>Virtual servers and their real ones.</summary>
    public required ImmutableSortedDictionary<VirtualServerKey, (VirtualServer Server, ImmutableSortedSet<RealServer> RealServers)> Servers { get; init; }

    /// <summary>Addresses of our link.</summary>
    public required ImmutableSortedSet<string> Bound { get; init; }

    /// <summary>Entries of every set, by upstream's IPv4 name.</summary>
    public required ImmutableDictionary<string, ImmutableSortedSet<SetEntry>> Sets { get; init; }

    /// <summary>Load balancer addresses with source ranges the node is not in.</summary>
    public required ImmutableArray<NodeRefusal> NodeRefusals { get; init; }

    /// <summary>Services with a policy Local and no endpoint on this node: by inside and by outside policy.</summary>
    public (int Internal, int External) NoLocal { get; init; }

    /// <summary>The names of sets with entries.</summary>
    public ImmutableHashSet<string> Filled => [.. Sets.Where(s => s.Value.Count > 0).Select(s => s.Key)];
}

/// <summary>What everything depends on besides the services and the host's addresses.</summary>
public sealed record IpvsOptions
{
    /// <summary>The family.</summary>
    public required IPFamily Family { get; init; }
    /// <summary>ipvs.scheduler.</summary>
    public string Scheduler { get; init; } = "rr";
    /// <summary>Mark bit of traffic to be masqueraded, 1 shifted by masqueradeBit.</summary>
    public uint MasqueradeMark { get; init; } = 1 << 14;
    /// <summary>masqueradeAll.</summary>
    public bool MasqueradeAll { get; init; }
    /// <summary>Tells local pods' traffic.</summary>
    public LocalTrafficDetector LocalTraffic { get; init; } = LocalTrafficDetector.None;
    /// <summary>The node's own address of the family, "" where unknown.</summary>
    public string NodeIP { get; init; } = "";
    /// <summary>The iptables program knows --random-fully.</summary>
    public bool RandomFully { get; init; } = true;
    /// <summary>ipvs.excludeCIDRs: virtual servers in these are left alone.</summary>
    public ImmutableArray<string> ExcludeCidrs { get; init; } = [];
}
