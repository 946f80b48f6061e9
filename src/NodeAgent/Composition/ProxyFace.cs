using Microsoft.Extensions.Logging;
using NodeAgent.Commands;
using NodeAgent.Hosting;
using NodeAgent.Proxy.Configuration;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Kernel.Sysctls;

namespace NodeAgent.Composition;

/// <summary>The proxy half behind its command: run, --cleanup or --init-only. What stops a start is told in one line.</summary>
internal sealed partial class ProxyFace(LoadedKubeProxyConfiguration loaded, FaceServices services) : IAgentFace
{
    private readonly ILogger _logger = services.Logging.CreateLogger<ProxyFace>();

    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (loaded.Flags.Cleanup)
            {
                await ProxyComposition.CleanupAsync(cancellationToken);
                return ExitCodes.Success;
            }

            ProxySettings settings = ProxySettings.From(loaded.Configuration, loaded.Flags);
            await new ProxyComposition(settings, services.Logging, services.Time).RunAsync(
                () => services.Started("kube-proxy watches Services and EndpointSlices"), cancellationToken);
            return ExitCodes.Success;
        }
        catch (Exception e) when (e is InvalidOperationException or NotSupportedException or IptablesException or Linux.Netlink.NetlinkException or KernelSettingException
            or Kubernetes.Kubeconfig.KubeconfigException)
        {
            LogCannotGoOn(e.Message);
            return ExitCodes.Failure;
        }
    }

    [LoggerMessage(4150, LogLevel.Critical, "kube-proxy cannot go on: {Cause}")]
    private partial void LogCannotGoOn(string cause);
}
