using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Configuration;
using NodeAgent.Linux.Systemd;
using NodeAgent.Proxy.Configuration;

namespace NodeAgent.Hosting;

/// <summary>One half of the agent, ready to run: the kubelet or the proxy.</summary>
internal interface IAgentFace
{
    /// <summary>
    /// Runs until cancelled or until it cannot go on. Cancellation asks for an orderly end: pods and rules stay as they are.
    /// </summary>
    /// <returns>The exit code: 0 after an orderly end.</returns>
    Task<int> RunAsync(CancellationToken cancellationToken);
}

/// <summary>What the process gives to a half.</summary>
/// <param name="Logging">Where its loggers come from.</param>
/// <param name="Time">The clock.</param>
/// <param name="Notifier">systemd; halves set STATUS with it.</param>
/// <param name="Watchdog">Where loops register; only the kubelet's loops decide about the unit.</param>
/// <param name="Started">To be called once, when configuration is valid and the loops run: READY=1 goes out then.</param>
internal sealed record FaceServices(
    ILoggerFactory Logging, TimeProvider Time, ServiceManagerNotifier Notifier, ProgressWatchdog Watchdog, Action<string> Started);

/// <summary>Makes the halves; implemented by the composition. Called again for every restart of a half.</summary>
internal interface IFaceFactory
{
    /// <summary>The kubelet.</summary>
    IAgentFace CreateKubelet(LoadedKubeletConfiguration configuration, FaceServices services);

    /// <summary>The proxy.</summary>
    IAgentFace CreateProxy(LoadedKubeProxyConfiguration configuration, FaceServices services);
}
