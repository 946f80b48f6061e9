using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Proxy.Configuration;

namespace NodeAgent.Composition;

/// <summary>Everything the proxy half is made from, read from flags and configuration, checked.</summary>
internal sealed record ProxySettings
{
    public required KubeProxyConfiguration Configuration { get; init; }

    /// <summary>The node's name in the API.</summary>
    public required string NodeName { get; init; }
    public required Func<TimeProvider, ClientConfiguration> ApiServer { get; init; }

    /// <summary>--init-only: make the kernel's settings, then end.</summary>
    public bool InitOnly { get; init; }

    /// <summary>Reads a loaded configuration.</summary>
    /// <exception cref="NotSupportedException">The mode is not supported.</exception>
    /// <exception cref="InvalidOperationException">There is no node name.</exception>
    public static ProxySettings From(KubeProxyConfiguration configuration, KubeProxyFlags flags) => new()
    {
        Configuration = configuration.Mode is "" or "iptables" or "ipvs" or "nftables"
            ? configuration
            : throw new NotSupportedException($"mode: \"{configuration.Mode}\" is not supported; use nftables, iptables or ipvs"),
        NodeName = Name(configuration.HostnameOverride, File.ReadAllText("/proc/sys/kernel/hostname")),
        ApiServer = time => Connect(configuration.ClientConnectionKubeconfig, flags.Master, time),
        InitOnly = flags.InitOnly,
    };

    /// <summary>hostnameOverride, or the host's full name; trimmed, in lower case.</summary>
    internal static string Name(string hostnameOverride, string hostname)
    {
        string name = (hostnameOverride.Length > 0 ? hostnameOverride : hostname).Trim().ToLowerInvariant();
        return name.Length > 0 ? name : throw new InvalidOperationException("hostnameOverride is blank and the host has no name; set --hostname-override");
    }

    private static ClientConfiguration Connect(string kubeconfig, string master, TimeProvider time)
    {
        if (kubeconfig.Length > 0)
        {
            return KubeconfigLoader.Load(kubeconfig, server: master.Length > 0 ? master : null, time: time);
        }

        if (master.Length == 0)
        {
            return InClusterConfiguration.Load(time);
        }

        return Uri.TryCreate(master.Contains("://", StringComparison.Ordinal) ? master : "https://" + master, UriKind.Absolute, out Uri? server)
            ? new ClientConfiguration { Server = server, Source = "--master" }
            : throw new InvalidOperationException($"--master \"{master}\" is no address; use a form like https://10.0.0.1:6443");
    }
}
