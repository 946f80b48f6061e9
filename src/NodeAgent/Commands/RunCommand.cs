using Microsoft.Extensions.Logging;
using NodeAgent.Hosting;
using NodeAgent.Kubelet.Configuration;
using NodeAgent.Kubernetes.Configuration.Flags;
using NodeAgent.Proxy.Configuration;

namespace NodeAgent.Commands;

/// <summary>
/// node-agent run: both halves in one process, each with its own configuration, identity and clients. Flags before "--" are the kubelet's,
/// those after it kube-proxy's; without "--" the proxy half stays off.
/// </summary>
internal static partial class RunCommand
{
    internal static async Task<int> RunAsync(IReadOnlyList<string> arguments, CommandContext context)
    {
        int separator = arguments.Select((a, i) => a == "--" ? i : int.MaxValue).DefaultIfEmpty(int.MaxValue).Min();
        ParsedFlags kubeletFlags = KubeletFlagTable.Flags.Parse([.. arguments.Take(Math.Min(separator, arguments.Count))]);
        if (VersionFlag.PrintIfAsked(KubeletFlagTable.Flags, kubeletFlags, "Kubelet and kube-proxy in one process; kube-proxy's flags follow after --.",
            context.Output) is { } code)
            return code;
        bool wantsProxy = separator < arguments.Count;
        LoadedKubeletConfiguration kubelet = KubeletConfigurationLoader.Load(kubeletFlags, KubeletCommand.HostHasCgroupV1());
        LoadedKubeProxyConfiguration LoadProxy() => KubeProxyConfigurationLoader.Load(KubeProxyFlagTable.Flags.Parse([.. arguments.Skip(separator + 1)]));
        LoadedKubeProxyConfiguration? proxy = wantsProxy ? LoadProxy() : null;
        if (!kubelet.IsUsable || proxy is { IsUsable: false })
            return Refuse(kubelet, proxy, context.Error);
        using AgentProcess process = new(kubelet.Configuration.Logging, context.Time);
        return await process.RunAsync("run", [.. kubelet.Problems, .. proxy?.Problems ?? []], stop => RunHalvesAsync(kubelet, proxy is null ? null : LoadProxy, process.Services, context, stop));
    }

    private static int Refuse(LoadedKubeletConfiguration kubelet, LoadedKubeProxyConfiguration? proxy, TextWriter error)
    {
        if (!kubelet.IsUsable)
            KubeletCommand.Refuse("kubelet half", kubelet.Problems, kubelet.Flags.StrictConfig, error);
        if (proxy is { IsUsable: false })
            KubeletCommand.Refuse("kube-proxy half", proxy.Problems, proxy.Flags.StrictConfig, error);
        return ExitCodes.Failure;
    }

    private static async Task<int> RunHalvesAsync(
        LoadedKubeletConfiguration kubelet, Func<LoadedKubeProxyConfiguration>? proxy, FaceServices services, CommandContext context, CancellationToken stop)
    {
        ILogger<FaceSupervisor> logger = services.Logging.CreateLogger<FaceSupervisor>();
        List<Task> halves = [Supervise("kubelet", () => context.Faces.CreateKubelet(kubelet, services), stop)];
        if (proxy is null)
            LogProxyOff(logger, "no flags for it were given after --");
        else
        {
            // Only the kubelet half decides when the unit is ready.
            FaceServices quiet = services with { Started = _ => { } };
            OtherProxy other = new();
            halves.Add(new ProxyHalf(
                other.Find, ended => Supervise("kube-proxy", () => context.Faces.CreateProxy(Usable(proxy()), quiet), ended),
                services.Time, services.Logging.CreateLogger<ProxyHalf>()).RunAsync(stop));
        }
        await Task.WhenAll(halves);
        return ExitCodes.Success;

        Task Supervise(string name, Func<IAgentFace> create, CancellationToken ended) =>
            new FaceSupervisor(name, create, services.Time, logger).RunAsync(ended);
    }

    // Read anew for each start of the half: its file may be what changed.
    private static LoadedKubeProxyConfiguration Usable(LoadedKubeProxyConfiguration loaded) => loaded.IsUsable
        ? loaded
        : throw new InvalidOperationException("kube-proxy half: " + string.Join("; ", loaded.Problems.Where(p => p.IsFatal(loaded.Flags.StrictConfig))));

    [LoggerMessage(1023, LogLevel.Warning, "The kube-proxy half stays off: {Reason}")]
    private static partial void LogProxyOff(ILogger logger, string reason);
}
