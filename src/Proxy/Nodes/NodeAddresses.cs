using System.Net;
using System.Net.Sockets;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Nodes;

/// <summary>The node's own addresses as the proxy sees them. Source: pkg/proxy/node.go, cmd/kube-proxy/app/server.go (detectNodeIPs).</summary>
/// <param name="Primary">The family of the node's first address.</param>
/// <param name="IPv4">IPv4 address, loopback where unknown.</param>
/// <param name="IPv6">IPv6 address, loopback where unknown.</param>
public sealed record NodeAddresses(IPFamily Primary, IPAddress IPv4, IPAddress IPv6)
{
    /// <summary>The address of a family.</summary>
    public IPAddress Of(IPFamily family) => family == IPFamily.IPv4 ? IPv4 : IPv6;

    /// <summary>Internal addresses, then external ones, of the Node object; what cannot be read is left out.</summary>
    public static IReadOnlyList<IPAddress> Listed(Node? node)
    {
        List<IPAddress> found = [];
        foreach (string type in (string[])["InternalIP", "ExternalIP"])
        {
            foreach (NodeAddress address in node?.Status?.Addresses ?? [])
            {
                if (address.Type == type && SloppyAddress.TryParse(address.Address, out IPAddress ip))
                {
                    found.Add(ip);
                }
            }
        }

        return found;
    }

    /// <summary>Combines the Node object's addresses with bindAddress, which wins where it is no wildcard.</summary>
    public static NodeAddresses Detect(IReadOnlyList<IPAddress> listed, string bindAddress)
    {
        IPAddress v4 = IPAddress.Loopback, v6 = IPAddress.IPv6Loopback;
        IPFamily primary = listed.Count > 0 ? FamilyOf(listed[0]) : IPFamily.IPv4;
        if (listed.FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork) is { } first4)
        {
            v4 = first4;
        }

        if (listed.FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetworkV6) is { } first6)
        {
            v6 = first6;
        }

        if (SloppyAddress.TryParse(bindAddress, out IPAddress bind) && !bind.Equals(IPAddress.Any) && !bind.Equals(IPAddress.IPv6Any))
        {
            primary = FamilyOf(bind);
            (v4, v6) = primary == IPFamily.IPv4 ? (bind, v6) : (v4, bind);
        }

        return new NodeAddresses(primary, v4, v6);
    }

    /// <summary>The family of an address.</summary>
    public static IPFamily FamilyOf(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork ? IPFamily.IPv4 : IPFamily.IPv6;
}
