using System.Security.Cryptography;
using System.Text;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Iptables;

/// <summary>Upstream's chain names: prefix and 16 characters of base32 of SHA-256. Pure. Source: pkg/proxy/iptables/proxier.go.</summary>
public static class ChainNames
{
    /// <summary>Prefixes of chains made for service ports and endpoints; a chain with one of them that nothing needs is stale.</summary>
    public static IReadOnlyList<string> Prefixes { get; } = ["KUBE-SVC-", "KUBE-SVL-", "KUBE-FW-", "KUBE-EXT-", "KUBE-SEP-"];

    /// <summary>Cluster traffic policy load balancing.</summary>
    public static string Cluster(ServicePortName port) => "KUBE-SVC-" + Hash($"{port}{port.Protocol}");
    /// <summary>Local traffic policy load balancing.</summary>
    public static string Local(ServicePortName port) => "KUBE-SVL-" + Hash($"{port}{port.Protocol}");
    /// <summary>Load balancer source ranges.</summary>
    public static string Firewall(ServicePortName port) => "KUBE-FW-" + Hash($"{port}{port.Protocol}");
    /// <summary>External destinations.</summary>
    public static string External(ServicePortName port) => "KUBE-EXT-" + Hash($"{port}{port.Protocol}");
    /// <summary>One endpoint.</summary>
    public static string Endpoint(ServicePortName port, string endpoint) => "KUBE-SEP-" + Hash($"{port}{port.Protocol}{endpoint}");

    private static string Hash(string text)
    {
        const string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(text));
        return string.Create(16, hash, static (target, bytes) =>
        {
            for (int i = 0; i < target.Length; i++)
            {
                int bit = i * 5, at = bit / 8;
                int pair = (bytes[at] << 8) | bytes[at + 1];
                target[i] = alphabet[(pair >> (11 - (bit % 8))) & 31];
            }
        });
    }
}
