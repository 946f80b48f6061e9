using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.LocalTraffic;

/// <summary>How traffic of this node's pods is told from other traffic: iptables matches. Source: pkg/proxy/util/localdetector.go.</summary>
/// <param name="IfLocal">Matches traffic of local pods; "" where that cannot be told.</param>
/// <param name="IfNotLocal">Matches all other traffic.</param>
public sealed record LocalTrafficDetector(string IfLocal, string IfNotLocal)
{
    /// <summary>Cannot tell.</summary>
    public static LocalTrafficDetector None { get; } = new("", "");

    /// <summary>False where local traffic cannot be told.</summary>
    public bool IsImplemented => IfLocal.Length > 0;

    /// <summary>By source range (clusterCIDR, or the node's podCIDR).</summary>
    public static LocalTrafficDetector ByCidr(string cidr) => new($"-s {cidr}", $"! -s {cidr}");

    /// <summary>By bridge.</summary>
    public static LocalTrafficDetector ByBridge(string name) => new($"-i {name}", $"! -i {name}");

    /// <summary>By prefix of the interface's name.</summary>
    public static LocalTrafficDetector ByInterfacePrefix(string prefix) => new($"-i {prefix}+", $"! -i {prefix}+");

    /// <summary>The detector of a family for a list of ranges of both families; <see cref="None"/> where none is of the family.</summary>
    public static LocalTrafficDetector ForFamily(IEnumerable<string> cidrs, IPFamily family)
    {
        foreach (string cidr in cidrs)
        {
            if (SloppyAddress.TryParseCidr(cidr.Trim(), out System.Net.IPAddress address, out int bits) && Nodes.NodeAddresses.FamilyOf(address) == family)
            {
                return ByCidr($"{address}/{bits}");
            }
        }

        return None;
    }
}
