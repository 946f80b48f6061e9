using System.Collections.Immutable;
using System.Net;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Nodes;

/// <summary>Where node ports answer, for one family. Source: pkg/proxy/util/nodeport_addresses.go.</summary>
public sealed class NodePortAddresses
{
    private readonly ImmutableArray<(IPAddress Network, int Bits)> _ranges;

    /// <summary>Keeps the ranges of the family; where none is left, everything matches, as upstream.</summary>
    public NodePortAddresses(IEnumerable<string> cidrs, IPFamily family)
    {
        var ranges = ImmutableArray.CreateBuilder<(IPAddress, int)>();
        foreach (string cidr in cidrs)
        {
            if (SloppyAddress.TryParseCidr(cidr, out IPAddress network, out int bits) && NodeAddresses.FamilyOf(network) == family)
            {
                ranges.Add((network, bits));
            }
        }

        _ranges = ranges.Count == 0 ? [(family == IPFamily.IPv4 ? IPAddress.Any : IPAddress.IPv6Any, 0)] : ranges.ToImmutable();
        Family = family;
    }

    /// <summary>The family.</summary>
    public IPFamily Family { get; }

    /// <summary>All of the node's addresses.</summary>
    public bool MatchesAll => _ranges.Any(r => r.Bits == 0);

    /// <summary>Node ports are to answer on 127.0.0.1 too.</summary>
    public bool ContainsIPv4Loopback => Family == IPFamily.IPv4
        && _ranges.Any(r => Contains(r.Network, r.Bits, IPAddress.Parse("127.0.0.0")) || (r.Bits >= 8 && r.Network.GetAddressBytes()[0] == 127));

    /// <summary>Which of the host's addresses answer; null = all, whatever they are.</summary>
    public ImmutableArray<string>? Select(IEnumerable<IPAddress> host) => MatchesAll
        ? null
        : [.. host.Where(a => NodeAddresses.FamilyOf(a) == Family && _ranges.Any(r => Contains(r.Network, r.Bits, a)))
            .Select(a => new IPAddress(a.GetAddressBytes()).ToString()).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>The word "primary" stands for the node's own addresses.</summary>
    public static IReadOnlyList<string> Expand(IReadOnlyList<string> configured, NodeAddresses node)
    {
        if (configured is not ["primary"])
        {
            return configured;
        }

        List<string> cidrs = [];
        if (!IPAddress.IsLoopback(node.IPv4))
        {
            cidrs.Add($"{node.IPv4}/32");
        }

        if (!IPAddress.IsLoopback(node.IPv6))
        {
            cidrs.Add($"{node.IPv6}/128");
        }

        return cidrs;
    }

    private static bool Contains(IPAddress network, int bits, IPAddress address)
    {
        byte[] a = network.GetAddressBytes(), b = address.GetAddressBytes();
        if (a.Length != b.Length)
        {
            return false;
        }

        for (int i = 0; i < bits; i++)
        {
            if (((a[i / 8] ^ b[i / 8]) >> (7 - (i % 8)) & 1) != 0)
            {
                return false;
            }
        }

        return true;
    }
}
