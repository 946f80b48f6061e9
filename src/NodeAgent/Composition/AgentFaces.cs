using NodeAgent.Hosting;
using NodeAgent.Kubelet.Configuration;
using NodeAgent.Linux.Cgroups;
using NodeAgent.Linux.Procfs;
using NodeAgent.Proxy.Configuration;

namespace NodeAgent.Composition;

/// <summary>Makes the halves of the agent.</summary>
/// <param name="kubernetesVersion">What the node reports as kubeletVersion.</param>
internal sealed class AgentFaces(string kubernetesVersion) : IFaceFactory
{
    public IAgentFace CreateKubelet(LoadedKubeletConfiguration configuration, FaceServices services) =>
        new KubeletFace(configuration, services, kubernetesVersion);

    public IAgentFace CreateProxy(LoadedKubeProxyConfiguration configuration, FaceServices services) =>
        new ProxyFace(configuration, services);
}

/// <summary>The kubelet half.</summary>
internal sealed class KubeletFace(LoadedKubeletConfiguration configuration, FaceServices services, string kubernetesVersion) : IAgentFace
{
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        KubeletSettings settings = KubeletSettingsReader.Read(configuration, new HostInformation(), CgroupMounts.Detect().Version, kubernetesVersion);
        if (settings.Identity is { } identity)
        {
            await NodeIdentity.BootstrapAsync(identity, services, cancellationToken);
        }

        await using var kubelet = new KubeletComposition(settings, services.Watchdog, services.Logging, services.Time);
        await kubelet.RunAsync(() => services.Started("kubelet"), cancellationToken);
        return 0;
    }
}
