using System.Net.Sockets;
using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Proxy.Configuration;

/// <summary>Defaults that depend on other fields (upstream: pkg/proxy/apis/config/v1alpha1/defaults.go and platformApplyDefaults).</summary>
public static class KubeProxyDefaults
{
    /// <summary>Ports of health and metrics where the address has none.</summary>
    public const int HealthzPort = 10256, MetricsPort = 10249;

    /// <summary>Completes the addresses of health and metrics by the family of bindAddress.</summary>
    public static KubeProxyConfiguration CompleteAddresses(KubeProxyConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        bool isIPv4 = SloppyAddress.TryParse(configuration.BindAddress, out var address) && address.AddressFamily == AddressFamily.InterNetwork;
        return configuration with
        {
            HealthzBindAddress = configuration.HealthzBindAddress.Length == 0
                ? $"{(isIPv4 ? "0.0.0.0" : "[::]")}:{HealthzPort}"
                : AppendPort(configuration.HealthzBindAddress, HealthzPort),
            MetricsBindAddress = configuration.MetricsBindAddress.Length == 0
                ? $"{(isIPv4 ? "127.0.0.1" : "[::1]")}:{MetricsPort}"
                : AppendPort(configuration.MetricsBindAddress, MetricsPort),
        };
    }

    /// <summary>Linux's choice for what is still empty: mode, local traffic, NodePort addresses.</summary>
    public static KubeProxyConfiguration ApplyPlatform(KubeProxyConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        bool onlyPrimary = configuration is { Mode: "nftables", NodePortAddresses.Count: 0 };
        return configuration with
        {
            Mode = configuration.Mode.Length == 0 ? "iptables" : configuration.Mode,
            DetectLocalMode = configuration.DetectLocalMode.Length == 0 ? "ClusterCIDR" : configuration.DetectLocalMode,
            NodePortAddresses = onlyPrimary ? [KubeProxyConfiguration.PrimaryNodePortAddresses] : configuration.NodePortAddresses,
        };
    }

    /// <summary>A bare address with a port; anything else as it is.</summary>
    public static string AppendPort(string address, int port)
    {
        if (!SloppyAddress.TryParse(address, out var ip))
            return address;
        return ip.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]:{port}" : $"{address}:{port}";
    }
}
