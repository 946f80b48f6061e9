using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>Every field of <see cref="KubeletConfiguration"/> with the way it is read, written and documented.</summary>
public static class KubeletConfigurationTable
{
    /// <summary>The table.</summary>
    public static ConfigurationTable<KubeletConfiguration> Fields { get; } =
        new ConfigurationTable<KubeletConfiguration>("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration")
            .AddServer()
            .AddNode()
            .AddApi()
            .AddImages()
            .AddPods()
            .AddResources()
            .AddEviction()
            .AddLogging(c => c.Logging, (c, v) => c with { Logging = v });
}
