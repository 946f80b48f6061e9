using System.Net;
using System.Net.Sockets;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Network;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>status.addresses. Source: NodeAddress in pkg/kubelet/nodestatus/setters.go.</summary>
public static class NodeAddresses
{
    /// <summary>The addresses of this node.</summary>
    /// <param name="options">Node IPs, names, cloud.</param>
    /// <param name="existing">The addresses the Node has now; kept where an external cloud owns them.</param>
    /// <param name="network">The host's network.</param>
    /// <exception cref="InvalidOperationException">No usable address; the text says what to set.</exception>
    public static IReadOnlyList<NodeAddress> Choose(NodeOptions options, IReadOnlyList<NodeAddress> existing, IHostNetwork network)
    {
        if (options.ExternalCloud)
        {
            return existing.Count > 0 ? existing : [.. Explicit(options, network).Select(Internal), Hostname(options)];
        }

        List<IPAddress> chosen = Explicit(options, network);
        return [.. (chosen.Count > 0 ? chosen : [Discover(options, network)]).Select(Internal), Hostname(options)];
    }

    /// <summary>Why an address cannot be a node's; null where it can. The texts are upstream's.</summary>
    public static string? Refusal(IPAddress address, IHostNetwork network)
    {
        byte[] bytes = address.GetAddressBytes();
        bool v4 = address.AddressFamily == AddressFamily.InterNetwork;
        if (IPAddress.IsLoopback(address))
        {
            return "nodeIP can't be loopback address";
        }

        if (v4 ? (bytes[0] & 0xF0) == 0xE0 : address.IsIPv6Multicast)
        {
            return "nodeIP can't be a multicast address";
        }

        if (v4 ? bytes[0] == 169 && bytes[1] == 254 : address.IsIPv6LinkLocal)
        {
            return "nodeIP can't be a link-local unicast address";
        }

        if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
        {
            return "nodeIP can't be an all zeros address";
        }

        return network.AllAddresses().Any(a => a.Equals(address)) ? null : $"node IP: \"{address}\" not found in the host's network interfaces";
    }

    private static List<IPAddress> Explicit(NodeOptions options, IHostNetwork network)
    {
        List<IPAddress> addresses = [.. options.NodeIPs.Where(a => !a.Equals(IPAddress.Any) && !a.Equals(IPAddress.IPv6Any))];
        foreach (IPAddress address in addresses)
        {
            if (Refusal(address, network) is { } refusal)
            {
                throw new InvalidOperationException($"failed to validate nodeIP: {refusal}; correct --node-ip");
            }
        }

        return addresses;
    }

    private static IPAddress Discover(NodeOptions options, IHostNetwork network)
    {
        AddressFamily preferred = options.NodeIPs.Any(a => a.Equals(IPAddress.IPv6Any)) ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;
        AddressFamily other = preferred == AddressFamily.InterNetwork ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;
        if (IPAddress.TryParse(options.Hostname, out IPAddress? named))
        {
            return named;
        }

        IPAddress[] resolved = [.. network.Resolve(options.NodeName).Where(a => Refusal(a, network) is null)];
        return resolved.FirstOrDefault(a => a.AddressFamily == preferred) ?? resolved.FirstOrDefault()
            ?? network.DefaultRouteAddress(preferred) ?? network.DefaultRouteAddress(other)
            ?? throw new InvalidOperationException(
                $"can't get ip address of node {options.NodeName}: its name does not resolve to an address of this host and there is no default route; set --node-ip");
    }

    private static NodeAddress Internal(IPAddress address) => new() { Type = "InternalIP", Address = address.ToString() };

    private static NodeAddress Hostname(NodeOptions options) => new() { Type = "Hostname", Address = options.Hostname };
}
