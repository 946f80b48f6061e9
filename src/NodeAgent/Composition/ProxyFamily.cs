using System.Net;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Events;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Network;
using NodeAgent.Proxy;
using NodeAgent.Proxy.Configuration;
using NodeAgent.Proxy.Health;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Nodes;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Composition;

/// <summary>What the families of one proxy share.</summary>
internal sealed record ProxySurroundings(
    ProxySettings Settings, ProxyHealth Health, ProxyMetrics Metrics, IEventRecorder Events, HostNetwork Network, ILoggerFactory Loggers, TimeProvider Time);

/// <summary>The Node as far as rules depend on it.</summary>
internal sealed record ProxyNode(NodeAddresses Addresses, IReadOnlyList<string> PodCidrs);

/// <summary>One address family of the proxy: its state, its passes and their timing, its health check node ports.</summary>
internal sealed class ProxyFamily : IAsyncDisposable
{
    private static readonly TimeSpan AtLeastEvery = TimeSpan.FromHours(1);

    private readonly ProxyState _state;
    private readonly ProxySurroundings _around;
    private readonly IptablesProxier _proxier;
    private readonly BoundedFrequencyRunner _runner;
    private readonly ServiceHealthServers _serviceHealth;

    public ProxyFamily(ProxyState state, IptablesCommands iptables, IptablesAbilities abilities, ProxyNode node, bool dropInvalid, ProxySurroundings around)
    {
        (_state, _around) = (state, around);
        KubeProxyConfiguration c = around.Settings.Configuration;
        IPFamily family = state.Family;
        var nodePorts = new NodePortAddresses(NodePortAddresses.Expand(c.NodePortAddresses, node.Addresses), family);
        IPAddress own = node.Addresses.Of(family);
        Localhost = c.IptablesLocalhostNodePorts && nodePorts.ContainsIPv4Loopback;
        var options = new IptablesOptions
        {
            Family = family,
            MasqueradeMark = 1u << c.MasqueradeBit,
            MasqueradeAll = c.MasqueradeAll,
            LocalTraffic = LocalTrafficDetection.Choose(c, node.PodCidrs, family),
            LocalhostNodePorts = Localhost,
            NodePortAddresses = nodePorts.Select(around.Network.AllAddresses()),
            NodeIP = own.ToString(),
            RandomFully = abilities.RandomFully,
            Recent = abilities.Recent,
            DropInvalid = dropInvalid,
        };
        _proxier = new IptablesProxier(state, options, iptables, around.Settings.NodeName, around.Time, around.Loggers.CreateLogger<IptablesProxier>())
        {
            NodePortAddresses = nodePorts.MatchesAll ? null : () => nodePorts.Select(around.Network.AllAddresses()),
        };
        around.Metrics.Follow(_proxier);
        _runner = new BoundedFrequencyRunner(PassAsync, c.MinSyncPeriod, c.SyncPeriod, AtLeastEvery, around.Time);
        IReadOnlyList<IPAddress> listen = nodePorts.Select(around.Network.AllAddresses()) is { } chosen
            ? [.. chosen.Select(IPAddress.Parse)]
            : [family == IPFamily.IPv4 ? IPAddress.Any : IPAddress.IPv6Any];
        _serviceHealth = new ServiceHealthServers(listen, () => around.Health.IsHealthy, FailedToListen, around.Loggers.CreateLogger<ServiceHealthServers>());
    }

    public ProxyState State => _state;

    /// <summary>Node ports answer on 127.0.0.1: the kernel has to route it.</summary>
    public bool Localhost { get; }

    /// <summary>A change is to be programmed.</summary>
    public void Changed()
    {
        _around.Health.Queued(_state.Family);
        _around.Metrics.Queued(_state.Family);
        _runner.Run();
    }

    /// <summary>Programs until cancelled; the caller has waited for both watches.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        _around.Health.Updated(_state.Family);
        _around.Metrics.Queued(_state.Family);
        _runner.Run();
        await Task.WhenAll(_runner.LoopAsync(cancellationToken), WatchForFlushAsync(cancellationToken));
    }

    public ValueTask DisposeAsync() => _serviceHealth.DisposeAsync();

    private async Task<bool> PassAsync(CancellationToken cancellationToken)
    {
        if (!await _proxier.SyncAsync(cancellationToken))
        {
            return false;
        }

        _around.Health.Updated(_state.Family);
        await _serviceHealth.UpdateAsync(_state.HealthChecks(), cancellationToken);
        return true;
    }

    /// <summary>The only periodic work: one look at a chain each sync period.</summary>
    private async Task WatchForFlushAsync(CancellationToken cancellationToken)
    {
        using var period = new PeriodicTimer(_around.Settings.Configuration.SyncPeriod, _around.Time);
        try
        {
            while (await period.WaitForNextTickAsync(cancellationToken))
            {
                if (await _proxier.CheckCanaryAsync(cancellationToken))
                {
                    Changed();
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The rules stay as they are.
        }
    }

    private void FailedToListen(ServiceName service, string message) => _around.Events.Record(
        new ObjectReference { Kind = "Service", Namespace = service.Namespace, Name = service.Name, ApiVersion = "v1" },
        EventTypes.Warning, "FailedToStartServiceHealthcheck", message, "Listen");
}
