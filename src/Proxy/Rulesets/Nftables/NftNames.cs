using System.Security.Cryptography;
using System.Text;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Nftables;

/// <summary>Names as upstream's nftables mode has them. Pure. Source: pkg/proxy/nftables/proxier.go.</summary>
public static class NftNames
{
    /// <summary>The table, in the families ip and ip6.</summary>
    public const string Table = "kube-proxy";

    private const int Longest = 240;

    /// <summary>Load balancing over endpoints of the cluster.</summary>
    public static string Cluster(ServicePortName port) => "service-" + Base(port);
    /// <summary>Load balancing over endpoints of this node.</summary>
    public static string Local(ServicePortName port) => "local-" + Base(port);
    /// <summary>External destinations.</summary>
    public static string External(ServicePortName port) => "external-" + Base(port);
    /// <summary>Load balancer source ranges.</summary>
    public static string Firewall(ServicePortName port) => "firewall-" + Base(port);
    /// <summary>One endpoint, where there is session affinity.</summary>
    public static string Endpoint(ServicePortName port, NftEndpoint endpoint) => "endpoint-" + EndpointBase(port, endpoint);
    /// <summary>Clients of one endpoint.</summary>
    public static string Affinity(ServicePortName port, NftEndpoint endpoint) => AffinityPrefix + EndpointBase(port, endpoint);

    /// <summary>How names of affinity sets begin.</summary>
    public const string AffinityPrefix = "affinity-";

    /// <summary>True for chains made for services: what is not wanted any more is stale. Upstream's sign is the slash, so it tidies ours up too.</summary>
    public static bool IsServiceChain(string chain) => chain.Contains('/', StringComparison.Ordinal);

    private static string Base(ServicePortName port) => Hashed($"{port.Service.Namespace}/{port.Service.Name}/{port.Protocol}/{port.Port}");

    private static string EndpointBase(ServicePortName port, NftEndpoint endpoint) => Hashed(
        $"{port.Service.Namespace}/{port.Service.Name}/{port.Protocol}/{port.Port}__{endpoint.Address.Replace(':', '.')}/{endpoint.Port}");

    private static string Hashed(string name)
    {
        const string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(name));
        ulong bits = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(hash);
        string full = string.Create(9 + name.Length, (bits, name), static (target, of) =>
        {
            for (int i = 0; i < 8; i++)
            {
                target[i] = alphabet[(int)(of.bits >> (59 - (5 * i))) & 31];
            }

            target[8] = '-';
            of.name.CopyTo(target[9..]);
        });
        return full.Length > Longest ? full[..(Longest - 3)] + "..." : full;
    }
}
