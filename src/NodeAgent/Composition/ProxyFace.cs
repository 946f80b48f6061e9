using Microsoft.Extensions.Logging;
using NodeAgent.Commands;
using NodeAgent.Hosting;
using NodeAgent.Linux.Inotify;
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
            return await RunUntilChangedAsync(new ProxyComposition(settings, services.Logging, services.Time), cancellationToken);
        }
        catch (Exception e) when (e is InvalidOperationException or NotSupportedException or IptablesException or Linux.Netlink.NetlinkException or KernelSettingException
            or Kubernetes.Kubeconfig.KubeconfigException)
        {
            LogCannotGoOn(e.Message);
            return ExitCodes.Failure;
        }
    }

    private async Task<int> RunUntilChangedAsync(ProxyComposition proxy, CancellationToken cancellationToken)
    {
        using InotifyWatcher inotify = new();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<string> changed = new ConfigurationFileWatch(loaded.Flags.ConfigFile, inotify.Watch, _logger).ChangeAsync(stop.Token);
        Task running = proxy.RunAsync(() => services.Started("kube-proxy watches Services and EndpointSlices"), stop.Token);
        Task first = await Task.WhenAny(changed, running);
        await stop.CancelAsync();
        await running;
        await ((Task)changed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (first == changed && !cancellationToken.IsCancellationRequested)
        {
            LogCannotGoOn(await changed);
            return ExitCodes.Failure;
        }

        return ExitCodes.Success;
    }

    [LoggerMessage(4150, LogLevel.Critical, "kube-proxy cannot go on: {Cause}")]
    private partial void LogCannotGoOn(string cause);
}
