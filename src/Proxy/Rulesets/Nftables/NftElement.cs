using System.Buffers.Binary;

namespace NodeAgent.Proxy.Rulesets.Nftables;

/// <summary>The sets and maps that all services share; in the order in which elements are written.</summary>
public enum NftContainer
{
    /// <summary>cluster-ips.</summary>
    ClusterIPs,
    /// <summary>nodeport-ips.</summary>
    NodePortIPs,
    /// <summary>hairpin-connections.</summary>
    Hairpins,
    /// <summary>service-endpoints: ours, endpoints by address, protocol, port and slot.</summary>
    ServiceEndpoints,
    /// <summary>nodeport-endpoints: ours, endpoints by protocol, node port and slot.</summary>
    NodePortEndpoints,
    /// <summary>service-ips.</summary>
    ServiceIPs,
    /// <summary>service-nodeports.</summary>
    ServiceNodePorts,
    /// <summary>no-endpoint-services.</summary>
    NoEndpointServices,
    /// <summary>no-endpoint-nodeports.</summary>
    NoEndpointNodePorts,
    /// <summary>firewall-ips.</summary>
    FirewallIPs,
}

/// <summary>A key as the kernel keeps it: each part padded to four bytes.</summary>
/// <param name="Bytes">The bytes; not to be changed.</param>
public readonly record struct NftKey(byte[] Bytes)
{
    /// <summary>An address.</summary>
    public static NftKey Address(string address) => new(System.Net.IPAddress.Parse(address).GetAddressBytes());

    /// <summary>Address, protocol, port.</summary>
    public static NftKey Destination(string address, string protocol, int port) => new([.. Address(address).Bytes, .. NodePort(protocol, port).Bytes]);

    /// <summary>Protocol, port.</summary>
    public static NftKey NodePort(string protocol, int port)
    {
        byte[] bytes = new byte[8];
        bytes[0] = ProtocolNumber(protocol);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(4), (ushort)port);
        return new NftKey(bytes);
    }

    /// <summary>An endpoint that talks to itself.</summary>
    public static NftKey Hairpin(NftEndpoint endpoint, string protocol) =>
        new([.. endpoint.ToData().AsSpan(0, endpoint.AddressLength), .. endpoint.ToData().AsSpan(0, endpoint.AddressLength), .. NodePort(protocol, endpoint.Port).Bytes]);

    /// <summary>This key with a slot behind it, in the host's byte order.</summary>
    public NftKey Slot(int slot)
    {
        byte[] bytes = new byte[Bytes.Length + 4];
        Bytes.CopyTo(bytes, 0);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Bytes.Length), slot);
        return new NftKey(bytes);
    }

    /// <summary>IP protocol number.</summary>
    public static byte ProtocolNumber(string protocol) => protocol switch { "tcp" => 6, "udp" => 17, "sctp" => 132, _ => throw new ArgumentException($"protocol {protocol} is unknown", nameof(protocol)) };

    /// <inheritdoc/>
    public bool Equals(NftKey other) => Bytes.AsSpan().SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(Bytes);
        return hash.ToHashCode();
    }
}

/// <summary>What a map says: an endpoint, or what to do. Nothing for an element of a set.</summary>
public readonly record struct NftValue
{
    private NftValue(NftEndpoint? endpoint, string? chain, bool drop) => (Endpoint, Chain, IsDrop) = (endpoint, chain, drop);

    /// <summary>An element of a set.</summary>
    public static NftValue None { get; }

    /// <summary>Drop.</summary>
    public static NftValue Drop { get; } = new(null, null, true);

    /// <summary>Go to a chain.</summary>
    public static NftValue Goto(string chain) => new(null, chain, false);

    /// <summary>An endpoint.</summary>
    public static NftValue To(NftEndpoint endpoint) => new(endpoint, null, false);

    /// <summary>The endpoint of a map of endpoints.</summary>
    public NftEndpoint? Endpoint { get; }

    /// <summary>The chain to go to.</summary>
    public string? Chain { get; }

    /// <summary>Drop.</summary>
    public bool IsDrop { get; }

    /// <summary>It is a verdict.</summary>
    public bool IsVerdict => IsDrop || Chain is not null;
}

/// <summary>An element of a shared set or map.</summary>
/// <param name="Container">Which.</param>
/// <param name="Key">Key.</param>
/// <param name="Value">What a map says.</param>
/// <param name="Comment">Shown behind it; does not count in comparisons.</param>
public readonly record struct NftElement(NftContainer Container, NftKey Key, NftValue Value, string? Comment = null);
