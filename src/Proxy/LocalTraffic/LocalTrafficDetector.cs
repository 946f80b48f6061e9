using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.LocalTraffic;

/// <summary>By what traffic of local pods is known.</summary>
public enum LocalTrafficKind
{
    /// <summary>Cannot be told.</summary>
    None,
    /// <summary>Source range.</summary>
    Cidr,
    /// <summary>Name of the interface it comes by.</summary>
    Interface,
    /// <summary>Beginning of that name.</summary>
    InterfacePrefix,
}

/// <summary>How traffic of this node's pods is told from other traffic. Source: pkg/proxy/util/localdetector.go.</summary>
/// <param name="Kind">By what.</param>
/// <param name="Value">The range, name or beginning.</param>
public sealed record LocalTrafficDetector(LocalTrafficKind Kind, string Value)
{
    /// <summary>Cannot tell.</summary>
    public static LocalTrafficDetector None { get; } = new(LocalTrafficKind.None, "");

    /// <summary>False where local traffic cannot be told.</summary>
    public bool IsImplemented => Kind != LocalTrafficKind.None;

    /// <summary>Matches traffic of local pods, for iptables; "" where that cannot be told.</summary>
    public string IfLocal => Kind switch
    {
        LocalTrafficKind.Cidr => $"-s {Value}",
        LocalTrafficKind.Interface => $"-i {Value}",
        LocalTrafficKind.InterfacePrefix => $"-i {Value}+",
        _ => "",
    };

    /// <summary>Matches all other traffic, for iptables.</summary>
    public string IfNotLocal => IsImplemented ? $"! {IfLocal}" : "";

    /// <summary>By source range (clusterCIDR, or the node's podCIDR).</summary>
    public static LocalTrafficDetector ByCidr(string cidr) => new(LocalTrafficKind.Cidr, cidr);

    /// <summary>By bridge.</summary>
    public static LocalTrafficDetector ByBridge(string name) => new(LocalTrafficKind.Interface, name);

    /// <summary>By prefix of the interface's name.</summary>
    public static LocalTrafficDetector ByInterfacePrefix(string prefix) => new(LocalTrafficKind.InterfacePrefix, prefix);

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
