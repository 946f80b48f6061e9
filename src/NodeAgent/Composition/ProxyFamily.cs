using System.Net;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Events;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Netlink;
using NodeAgent.Linux.Network;
using NodeAgent.Proxy;
using NodeAgent.Proxy.Configuration;
using NodeAgent.Proxy.Conntrack;
using NodeAgent.Proxy.Health;
using NodeAgent.Proxy.Nodes;
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
    private readonly ProxyState _state;
    private readonly ProxySurroundings _around;
    private readonly ProxyBackend _backend;
    private readonly BoundedFrequencyRunner _runner;
    private readonly ServiceHealthServers _serviceHealth;
    private readonly ConntrackCleaner _conntrack;
    private string? _error;
    private bool _failureTold;
    private readonly TaskCompletionSource _programmed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ProxyFamily(ProxyState state, ProxyBackend backend, ProxyNode node, ProxySurroundings around)
    {
        (_state, _backend, _around) = (state, backend, around);
        KubeProxyConfiguration c = around.Settings.Configuration;
        var nodePorts = new NodePortAddresses(NodePortAddresses.Expand(c.NodePortAddresses, node.Addresses), state.Family);
        _runner = new BoundedFrequencyRunner(PassAsync, c.MinSyncPeriod, c.SyncPeriod, backend.AtLeastEvery, around.Time);
        IReadOnlyList<IPAddress> listen = nodePorts.Select(around.Network.AllAddresses()) is { } chosen
            ? [.. chosen.Select(IPAddress.Parse)]
            : [state.Family == IPFamily.IPv4 ? IPAddress.Any : IPAddress.IPv6Any];
        _conntrack = new ConntrackCleaner(state, () => NetlinkSocket.Open(), around.Time, around.Loggers.CreateLogger<ConntrackCleaner>());
        around.Metrics.Follow(_conntrack, state.Family);
        backend.Proxier.Passed += pass => _error = pass.Error;
        _serviceHealth = new ServiceHealthServers(listen, () => around.Health.IsHealthy, FailedToListen, around.Loggers.CreateLogger<ServiceHealthServers>());
    }

    public ProxyState State => _state;

    /// <summary>Node ports answer on 127.0.0.1: the kernel has to route it.</summary>
    public bool Localhost => _backend.Localhost;

    /// <summary>Ends with the first pass that succeeded.</summary>
    public Task Programmed => _programmed.Task;

    /// <summary>A change is to be programmed.</summary>
    public void Changed() => Changed(_runner.Run);

    private void Changed(Action run)
    {
        _around.Health.Queued(_state.Family);
        _around.Metrics.Queued(_state.Family);
        run();
    }

    /// <summary>The cluster's Service ranges are known anew.</summary>
    public void SetServiceCidrs(IReadOnlyCollection<string> cidrs)
    {
        if (_backend.SetServiceCidrs(cidrs) && _programmed.Task.IsCompleted)
        {
            Changed();
        }
    }

    /// <summary>Programs until cancelled; the caller has waited for both watches.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        _around.Health.Updated(_state.Family);
        _around.Metrics.Queued(_state.Family);
        _runner.Run();
        await Task.WhenAll(_runner.LoopAsync(cancellationToken), WatchAsync(cancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        await _serviceHealth.DisposeAsync();
        _backend.Dispose();
    }

    private async Task<bool> PassAsync(CancellationToken cancellationToken)
    {
        if (!await _backend.Proxier.SyncAsync(cancellationToken))
        {
            // What is not programmed waits, whoever asked for it: health tells when it has waited too long.
            _around.Health.Queued(_state.Family);
            TellFailure();
            return false;
        }

        _around.Health.Updated(_state.Family);
        _around.Metrics.Programmed(_state.Family, _state.TakeTriggers());
        _failureTold = false;
        _programmed.TrySetResult();
        await Task.Factory.StartNew(_conntrack.CleanIfNeeded, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await _serviceHealth.UpdateAsync(_state.HealthChecks(), cancellationToken);
        return true;
    }

    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _programmed.Task.WaitAsync(cancellationToken);
            // First this: what others change while the other mode's rules go is noticed too.
            Task watching = _backend.WatchAsync(() => Changed(_runner.RunAtOnce), cancellationToken);
            await _backend.RemoveOtherModeAsync(cancellationToken);
            await watching;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The rules stay as they are.
        }
    }

    /// <summary>One event for a row of failures.</summary>
    private void TellFailure()
    {
        if (!_failureTold)
        {
            _failureTold = true;
            _around.Events.Record(
                new ObjectReference { Kind = "Node", Name = _around.Settings.NodeName, Uid = _around.Settings.NodeName },
                EventTypes.Warning, "FailedToProgramServices", $"{_state.Family}: {_error}", "SyncProxyRules");
        }
    }

    private void FailedToListen(ServiceName service, string message) => _around.Events.Record(
        new ObjectReference { Kind = "Service", Namespace = service.Namespace, Name = service.Name, ApiVersion = "v1" },
        EventTypes.Warning, "FailedToStartServiceHealthcheck", message, "Listen");
}
