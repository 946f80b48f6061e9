using NodeAgent.Proxy.Configuration;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.LocalTraffic;

/// <summary>Chooses the detectors as detectLocalMode says. Pure. Source: cmd/kube-proxy/app/server_linux.go (getLocalDetectors).</summary>
public static class LocalTrafficDetection
{
    /// <summary>The detector of a family.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <param name="podCidrs">spec.podCIDRs of the Node.</param>
    /// <param name="family">The family.</param>
    public static LocalTrafficDetector Choose(KubeProxyConfiguration configuration, IReadOnlyList<string> podCidrs, IPFamily family) =>
        configuration.DetectLocalMode switch
        {
            "NodeCIDR" => LocalTrafficDetector.ForFamily(podCidrs, family),
            "BridgeInterface" => LocalTrafficDetector.ByBridge(configuration.DetectLocalBridgeInterface),
            "InterfaceNamePrefix" => LocalTrafficDetector.ByInterfacePrefix(configuration.DetectLocalInterfaceNamePrefix),
            _ => LocalTrafficDetector.ForFamily(configuration.ClusterCIDRs, family),
        };

    /// <summary>The error where the ranges are of the other family than the node's, or null.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <param name="podCidrs">spec.podCIDRs of the Node.</param>
    /// <param name="primary">The node's family.</param>
    /// <param name="dualStack">Both families are served.</param>
    public static string? Refusal(KubeProxyConfiguration configuration, IReadOnlyList<string> podCidrs, IPFamily primary, bool dualStack)
    {
        if (configuration.DetectLocalMode is "ClusterCIDR" or "" && !dualStack && IsOther(configuration.ClusterCIDRs, primary))
        {
            return $"clusterCIDR {configuration.ClusterCIDR} is not of the node's family {primary}; give one of it";
        }

        return configuration.DetectLocalMode == "NodeCIDR" && IsOther(podCidrs, primary)
            ? $"spec.podCIDRs {string.Join(",", podCidrs)} of the Node is not of the node's family {primary}; check the cluster's range allocation or bindAddress"
            : null;
    }

    private static bool IsOther(IReadOnlyList<string> cidrs, IPFamily family) =>
        cidrs.Count > 0 && !LocalTrafficDetector.ForFamily(cidrs, family).IsImplemented;
}
