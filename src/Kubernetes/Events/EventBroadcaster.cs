using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Events;

/// <summary>
/// Sends core/v1 events, one after the other, merged and limited as upstream does. At most 1000 wait; more are dropped and the
/// number is logged. A failed one is tried 12 times, ten seconds apart.
/// </summary>
public sealed partial class EventBroadcaster : IEventRecorder
{
    private const int QueueLength = 1000;
    private const int Tries = 12;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);
    private readonly Channel<Event> _queue = Channel.CreateBounded<Event>(
        new BoundedChannelOptions(QueueLength) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });
    private readonly IKubernetesClient _client;
    private readonly EventSource _source;
    private readonly EventCorrelator _correlator;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private int _dropped;

    /// <summary>A recorder for one component; nothing is sent before <see cref="RunAsync"/>.</summary>
    /// <param name="client">A client of its own, so that events do not use up others' rate limit.</param>
    /// <param name="component">source.component and reportingComponent, for example kubelet.</param>
    /// <param name="host">source.host and reportingInstance: the node's name.</param>
    /// <param name="logger">Where failures go.</param>
    /// <param name="time">The clock.</param>
    public EventBroadcaster(IKubernetesClient client, string component, string host, ILogger logger, TimeProvider? time = null)
    {
        _client = client;
        _source = new EventSource { Component = component, Host = host };
        _time = time ?? TimeProvider.System;
        _correlator = new EventCorrelator(_time);
        _logger = logger;
    }

    /// <inheritdoc/>
    public void Record(ObjectReference regarding, string type, string reason, string message, string action = "") =>
        RecordAnnotated(regarding, type, reason, message, null);

    /// <inheritdoc/>
    public void RecordAnnotated(
        ObjectReference regarding, string type, string reason, string message, IReadOnlyDictionary<string, string>? annotations)
    {
        ArgumentNullException.ThrowIfNull(regarding);
        DateTimeOffset now = _time.GetUtcNow();
        Event value = new()
        {
            Metadata = new ObjectMeta
            {
                Name = EventNames.Next(regarding.Name, now),
                Namespace = string.IsNullOrEmpty(regarding.Namespace) ? "default" : regarding.Namespace,
                Annotations = annotations!,
            },
            InvolvedObject = regarding,
            Reason = reason,
            Message = message,
            FirstTimestamp = now,
            LastTimestamp = now,
            Count = 1,
            Type = type,
            Source = _source,
            ReportingComponent = _source.Component,
            ReportingInstance = _source.Host,
        };
        if (!_queue.Writer.TryWrite(value))
            Interlocked.Increment(ref _dropped);
    }

    /// <summary>Sends until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (Event value in _queue.Reader.ReadAllAsync(cancellationToken))
            {
                if (Interlocked.Exchange(ref _dropped, 0) is > 0 and int dropped)
                    LogDropped(dropped);
                await TellAsync(value, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    /// <summary>Sends what waits, without <see cref="RunAsync"/>, until all is sent or the caller has waited enough; later events are dropped.</summary>
    public Task SendLastAsync(CancellationToken cancellationToken)
    {
        _queue.Writer.TryComplete();
        return RunAsync(cancellationToken);
    }

    private async Task TellAsync(Event value, CancellationToken cancellationToken)
    {
        try
        {
            if (_correlator.Decide(value) is { } decision)
                await SendAsync(decision, cancellationToken);
        }
#pragma warning disable CA1031 // An event that cannot be sent for an unforeseen reason is lost; the next ones and the agent are not.
        catch (Exception e) when (!(e is OperationCanceledException && cancellationToken.IsCancellationRequested))
#pragma warning restore CA1031
        {
            LogRejected(value.Metadata.Namespace ?? "", value.InvolvedObject.Name ?? "", value.Reason ?? "", e.Message);
        }
    }

    private async Task SendAsync(EventDecision decision, CancellationToken cancellationToken)
    {
        Event value = decision.Event;
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await WriteAsync(decision, cancellationToken);
                _correlator.Stored(value);
                return;
            }
            catch (ApiException e) when (!e.IsTooManyRequests)
            {
                // The server will not have it: a namespace that goes away is no news.
                if (e.IsNamespaceTerminating)
                    LogRejectedTerminating(value.Metadata.Namespace ?? "", value.Reason ?? "");
                else
                    LogRejected(value.Metadata.Namespace ?? "", value.InvolvedObject.Name ?? "", value.Reason ?? "", e.Message);
                return;
            }
            catch (KubernetesException e) when (attempt < Tries)
            {
                LogRetry(value.Metadata.Namespace ?? "", value.InvolvedObject.Name ?? "", value.Reason ?? "", e.Message);
            }
            catch (KubernetesException e)
            {
                LogRejected(value.Metadata.Namespace ?? "", value.InvolvedObject.Name ?? "", value.Reason ?? "", e.Message);
                return;
            }
            // As upstream, the first pause is of random length, so that many nodes do not come back together.
            await Task.Delay(attempt == 1 ? Pause * Random.Shared.NextDouble() : Pause, _time, cancellationToken);
        }
    }

    private async Task WriteAsync(EventDecision decision, CancellationToken cancellationToken)
    {
        Event value = decision.Event;
        if (decision.Patch is { } patch)
        {
            try
            {
                await _client.PatchForVersionAsync<Event>(value.Metadata.Namespace, value.Metadata.Name!, patch, null, cancellationToken);
                return;
            }
            catch (ApiException e) when (e.IsNotFound)
            {
                // The earlier event has expired on the server: a new one with the count so far.
            }
        }
        await _client.CreateForVersionAsync(value, cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} events were dropped: the queue was full")]
    private partial void LogDropped(int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Event {Reason} for {Namespace}/{Name} was not stored: {Error}")]
    private partial void LogRejected(string @namespace, string name, string reason, string error);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Event {Reason} was not stored: namespace {Namespace} is going away")]
    private partial void LogRejectedTerminating(string @namespace, string reason);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Event {Reason} for {Namespace}/{Name} could not be sent yet: {Error}")]
    private partial void LogRetry(string @namespace, string name, string reason, string error);
}
