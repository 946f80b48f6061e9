using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Proxy.Configuration;

/// <summary>Every field of <see cref="KubeProxyConfiguration"/> with the way it is read, written and documented.</summary>
public static class KubeProxyConfigurationTable
{
    /// <summary>The table.</summary>
    public static ConfigurationTable<KubeProxyConfiguration> Fields { get; } =
        new ConfigurationTable<KubeProxyConfiguration>("kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration")
            .AddMain()
            .AddModes()
            .AddLogging(c => c.Logging, (c, v) => c with { Logging = v });
}
