using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Linux.Network;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>Where the figures of the status come from.</summary>
/// <param name="Host">The host.</param>
/// <param name="Network">Its network.</param>
/// <param name="Runtime">The runtime's state.</param>
/// <param name="Images">Images.</param>
/// <param name="Health">Other parts' health.</param>
public sealed record NodeStatusSources(IHostObserver Host, IHostNetwork Network, RuntimeStateMonitor Runtime, INodeImageSource Images, INodeHealth Health)
{
    /// <summary>Pressure conditions that hold now.</summary>
    public Func<IReadOnlyList<string>> Pressures { get; init; } = () => [];
}

/// <summary>
/// Registers the Node once and keeps its status: looks every nodeStatusUpdateFrequency and at once when the
/// runtime's readiness changes; writes on a change, else every nodeStatusReportFrequency.
/// </summary>
/// <param name="client">A client of its own for heartbeats, without rate limit.</param>
/// <param name="options">Settings.</param>
/// <param name="sources">Figures.</param>
/// <param name="info">Learns of each Node seen.</param>
/// <param name="events">Events about the node.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
public sealed partial class NodeStatusReporter(
    IKubernetesClient client, NodeOptions options, NodeStatusSources sources, NodeInfo info, NodeEvents events, TimeProvider time, ILogger<NodeStatusReporter> logger)
{
    private const int Tries = 5;
    private static readonly TimeSpan ImagesPeriod = TimeSpan.FromSeconds(30);
    private readonly SemaphoreSlim _wake = new(0, 1);
    private IReadOnlyList<NodeImage>? _images;
    private long _imagesListed;
    private long? _lastReport;
    private bool _cordoned;
    private TimeSpan _reportDelay;
    private string? _loggedFailure;

    /// <summary>All tries failed, and no refusal was the reason: the other clients' connections may lead nowhere, too.</summary>
    public event Action? ConnectionsDoubtful;

    /// <summary>True once the Node exists on the API server.</summary>
    public bool Registered { get; private set; }

    /// <summary>Looks at once.</summary>
    public void Wake()
    {
        try
        {
            _wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // A look is due already.
        }
    }

    /// <summary>Registers and reports until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        sources.Runtime.Changed += Wake;
        info.Gone += Wake;
        try
        {
            while (true)
            {
                if (!Registered && options.RegisterNode)
                {
                    await RegisterAsync(cancellationToken);
                }

                await SyncAsync(cancellationToken);
                await _wake.WaitAsync(Jittered(options.UpdateFrequency), cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The end that was asked for.
        }
        finally
        {
            sources.Runtime.Changed -= Wake;
            info.Gone -= Wake;
        }
    }

    /// <summary>Creates the Node, or puts right the one that exists; waits 100 ms, doubling to 7 s, between tries.</summary>
    public async Task RegisterAsync(CancellationToken cancellationToken)
    {
        TimeSpan wait = TimeSpan.FromMilliseconds(100);
        while (!await TryRegisterAsync(cancellationToken))
        {
            await Task.Delay(wait, time, cancellationToken);
            wait = TimeSpan.FromTicks(Math.Min(wait.Ticks * 2, TimeSpan.FromSeconds(7).Ticks));
        }

        Registered = true;
        _loggedFailure = null;
    }

    /// <summary>One look, with up to five tries to write.</summary>
    public async Task SyncAsync(CancellationToken cancellationToken)
    {
        bool doubtful = false;
        for (int attempt = 0; attempt < Tries; attempt++)
        {
            try
            {
                await TrySyncAsync(useCache: attempt == 0, cancellationToken);
                _loggedFailure = null;
                return;
            }
            catch (ApiException e) when (e.IsNotFound && Registered)
            {
                // As upstream: who deletes a node takes it out of the cluster, and means it; only the next start registers it again.
                LogGoneOnce();
                return;
            }
#pragma warning disable CA1031 // A heartbeat that fails for whatever reason is no reason to end the agent; it is told and tried again.
            catch (Exception e) when (!(e is OperationCanceledException && cancellationToken.IsCancellationRequested))
#pragma warning restore CA1031
            {
                LogFailureOnce(e);
                if (attempt > 0 && HeartbeatFailures.CastDoubtOnConnections(e))
                {
                    client.DropConnections();
                    doubtful = true;
                }
            }
        }

        if (doubtful)
        {
            ConnectionsDoubtful?.Invoke();
        }
    }

    private async Task<bool> TryRegisterAsync(CancellationToken cancellationToken)
    {
        try
        {
            NodeObservation seen = await ObserveAsync([], cancellationToken);
            Node wanted = NodeRegistration.Initial(options, seen);
            info.Computed(wanted.Status);
            try
            {
                Created(await client.CreateAsync(wanted, cancellationToken));
                return true;
            }
            catch (ApiException e) when (e.IsAlreadyExists || e.IsForbidden)
            {
                Node existing = await client.GetAsync<Node>(null, options.NodeName, null, cancellationToken);
                await ReconcileAsync(existing, seen.Identity.BootId, cancellationToken);
                return true;
            }
        }
#pragma warning disable CA1031 // As for heartbeats.
        catch (Exception e) when (!(e is OperationCanceledException && cancellationToken.IsCancellationRequested))
#pragma warning restore CA1031
        {
            LogFailureOnce(e);
            return false;
        }
    }

    private void Created(Node node)
    {
        LogRegistered(options.NodeName);
        _lastReport = time.GetTimestamp();
        info.Observe(node);
    }

    private async Task ReconcileAsync(Node existing, string bootId, CancellationToken cancellationToken)
    {
        Node mended = NodeRegistration.Reconcile(existing, options);
        if (IsAnotherMachine(existing, bootId))
        {
            mended = mended with { Status = NodeStatusSetters.WithoutExtended(mended.Status) };
        }

        info.Observe(existing);
        if (NodeStatusPatch.Create(existing, mended) is { Count: > 0 } patch)
        {
            info.Observe(await client.PatchAsync<Node>(null, options.NodeName, Patch.StrategicMerge(patch), "status", cancellationToken));
        }
    }

    // Upstream asks for the device manager's checkpoint alone; without device plugins every restart would look like a new machine.
    private bool IsAnotherMachine(Node existing, string bootId)
    {
        string devices = Path.Combine(options.RootDirectory, "device-plugins");
        return existing.Status.NodeInfo?.BootID is { Length: > 0 } before && before != bootId
            && !(Directory.Exists(devices) && Directory.EnumerateFiles(devices).Any());
    }

    private async Task TrySyncAsync(bool useCache, CancellationToken cancellationToken)
    {
        NodeObservation seen = await ObserveAsync(info.Current?.Status.Addresses ?? [], cancellationToken);
        Node node = (useCache ? info.Current : null) ?? await client.GetAsync<Node>(null, options.NodeName, useCache ? "0" : null, cancellationToken);
        RecordSchedulable(node);
        Node wanted = NodeRegistration.WithAnnotations(node, options) with { Status = NodeStatusSetters.Apply(node.Status, options, seen) };
        info.Computed(wanted.Status);
        bool changed = NodeStatusChange.Between(node.Status, wanted.Status) || !SameMetadata(node, wanted);
        long now = time.GetTimestamp();
        if (!changed && _lastReport is { } last && time.GetElapsedTime(last, now) < options.ReportFrequency + _reportDelay)
        {
            return;
        }

        if (NodeStatusPatch.Create(node, wanted) is not { Count: > 0 } patch)
        {
            return;
        }

        Node answered = await client.PatchAsync<Node>(null, options.NodeName, Patch.StrategicMerge(patch), "status", cancellationToken);
        _lastReport = now;
        _reportDelay = changed ? (Random.Shared.NextDouble() - 0.5) * options.ReportFrequency : TimeSpan.Zero;
        info.Observe(answered);
        RecordChanges(node, wanted);
    }

    // A node that is schedulable when the agent starts gives no event, one that is not gives one, as upstream.
    private void RecordSchedulable(Node node)
    {
        bool cordoned = node.Spec?.Unschedulable == true;
        if (cordoned != _cordoned)
        {
            _cordoned = cordoned;
            events.StatusIsNow(cordoned ? "NodeNotSchedulable" : "NodeSchedulable");
        }
    }

    private void RecordChanges(Node before, Node after)
    {
        foreach (string what in NodeStatusSetters.Events(before.Status.Conditions, after.Status.Conditions))
        {
            events.StatusIsNow(what);
        }

        string? oldBoot = before.Status.NodeInfo?.BootID, newBoot = after.Status.NodeInfo?.BootID;
        if (!string.IsNullOrEmpty(oldBoot) && oldBoot != newBoot)
        {
            events.Record("Warning", "Rebooted", $"Node {options.NodeName} has been rebooted, boot id: {newBoot}");
        }
    }

    private async Task<NodeObservation> ObserveAsync(IReadOnlyList<NodeAddress> existing, CancellationToken cancellationToken)
    {
        RuntimeState runtime = sources.Runtime.State;
        await RefreshImagesAsync(runtime, cancellationToken);
        MachineCapacity capacity = await sources.Host.CapacityAsync(cancellationToken);
        return new NodeObservation
        {
            Now = time.GetUtcNow(),
            Addresses = NodeAddresses.Choose(options, existing, sources.Network),
            Capacity = capacity,
            Identity = sources.Host.Identity(),
            Runtime = runtime,
            Images = _images,
            Pressures = sources.Pressures(),
            ReadyErrors = ReadyErrors(runtime, sources.Health, time),
            VolumesInUse = sources.Health.VolumesInUse,
        };
    }

    /// <summary>Why the node is not ready, in upstream's order.</summary>
    internal static IReadOnlyList<string> ReadyErrors(RuntimeState runtime, INodeHealth health, TimeProvider time)
    {
        List<string> errors = [.. runtime.RuntimeErrors(time)];
        void Add(string? error)
        {
            if (error is not null)
            {
                errors.Add(error);
            }
        }

        Add(health.PlegError is { } pleg ? "PLEG is not healthy: " + pleg : null);
        Add(runtime.NetworkNotReady);
        Add(health.StorageError);
        Add(health.ShuttingDown ? "node is shutting down" : null);
        return errors;
    }

    private async Task RefreshImagesAsync(RuntimeState runtime, CancellationToken cancellationToken)
    {
        if (runtime.AnsweredAt is null || runtime.CallError is not null || (_images is not null && time.GetElapsedTime(_imagesListed) < ImagesPeriod))
        {
            return;
        }

        try
        {
            _images = await sources.Images.ListImagesAsync(cancellationToken);
            _imagesListed = time.GetTimestamp();
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            LogImages(e.Message);
        }
    }

    private static bool SameMetadata(Node a, Node b) => Same(a.Metadata.Labels, b.Metadata.Labels) && Same(a.Metadata.Annotations, b.Metadata.Annotations);

    private static bool Same(IReadOnlyDictionary<string, string> a, IReadOnlyDictionary<string, string> b) =>
        a.Count == b.Count && a.All(x => b.TryGetValue(x.Key, out string? value) && value == x.Value);

    private static TimeSpan Jittered(TimeSpan period) => period * (1 + (0.04 * Random.Shared.NextDouble()));

    private void LogGoneOnce()
    {
        if (_loggedFailure != "gone")
        {
            _loggedFailure = "gone";
            LogGone(options.NodeName);
        }
    }

    private void LogFailureOnce(Exception e)
    {
        if (_loggedFailure != e.Message)
        {
            _loggedFailure = e.Message;
            LogFailure(options.NodeName, e.Message);
        }
    }

    [LoggerMessage(3011, LogLevel.Information, "Node {Node} is registered")]
    private partial void LogRegistered(string node);

    [LoggerMessage(3012, LogLevel.Warning, "Node {Node} was deleted from the API server; restart the agent to register it again")]
    private partial void LogGone(string node);

    [LoggerMessage(3013, LogLevel.Warning, "Status of node {Node} cannot be written: {Cause}")]
    private partial void LogFailure(string node, string cause);

    [LoggerMessage(3014, LogLevel.Debug, "Images cannot be listed: {Cause}")]
    private partial void LogImages(string cause);
}
