using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Events;

/// <summary>
/// Sends events.k8s.io/v1 events, as kube-proxy does. Repetitions of an event (same object, reason, action, type) within six minutes
/// become its series: the first repetition is sent at once, further ones are only counted and sent with the next after 30 minutes.
/// </summary>
public sealed partial class EventsV1Recorder : IEventRecorder
{
    private const int QueueLength = 1000;
    private const int CacheSize = 1024;
    private const int Tries = 12;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SeriesEnds = TimeSpan.FromMinutes(6);
    private static readonly TimeSpan Refresh = TimeSpan.FromMinutes(30);
    private readonly Channel<EventsV1Event> _queue = Channel.CreateBounded<EventsV1Event>(
        new BoundedChannelOptions(QueueLength) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });
    private readonly LruCache<Sent> _sent = new(CacheSize);
    private readonly IKubernetesClient _client;
    private readonly string _controller;
    private readonly string _instance;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>A recorder for one controller; nothing is sent before <see cref="RunAsync"/>.</summary>
    /// <param name="client">The client.</param>
    /// <param name="reportingController">For example kube-proxy.</param>
    /// <param name="reportingInstance">For example kube-proxy-NODE (upstream: controller and host name).</param>
    /// <param name="logger">Where failures go.</param>
    /// <param name="time">The clock.</param>
    public EventsV1Recorder(
        IKubernetesClient client, string reportingController, string reportingInstance, ILogger logger, TimeProvider? time = null)
    {
        _client = client;
        _controller = reportingController;
        _instance = reportingInstance;
        _logger = logger;
        _time = time ?? TimeProvider.System;
    }

    /// <inheritdoc/>
    public void Record(ObjectReference regarding, string type, string reason, string message, string action = "")
    {
        ArgumentNullException.ThrowIfNull(regarding);
        DateTimeOffset now = _time.GetUtcNow();
        EventsV1Event value = new()
        {
            Metadata = new ObjectMeta
            {
                Name = EventNames.Next(regarding.Name, now),
                Namespace = string.IsNullOrEmpty(regarding.Namespace) ? "default" : regarding.Namespace,
            },
            EventTime = now,
            ReportingController = _controller,
            ReportingInstance = _instance,
            Action = action,
            Reason = reason,
            Regarding = regarding,
            Note = message.Length <= 1024 ? message : message[..1021] + "...",
            Type = type,
        };
        if (!_queue.Writer.TryWrite(value))
            LogDropped(reason);
    }

    /// <summary>Sends until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (EventsV1Event value in _queue.Reader.ReadAllAsync(cancellationToken))
                await HandleAsync(value, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    private async Task HandleAsync(EventsV1Event value, CancellationToken cancellationToken)
    {
        ObjectReference about = value.Regarding!;
        string key = string.Join('\u0001', value.Type, value.Action, value.Reason, about.Kind, about.Namespace, about.Name, about.Uid);
        DateTimeOffset now = _time.GetUtcNow();
        if (!_sent.TryGet(key, out Sent sent) || now - sent.Last > SeriesEnds)
        {
            _sent.Set(key, new Sent(value.Metadata.Name!, 1, now, now));
            await SendAsync(value, null, cancellationToken);
            return;
        }
        int count = sent.Count + 1;
        bool due = count == 2 || now - sent.Told >= Refresh;
        _sent.Set(key, sent with { Count = count, Last = now, Told = due ? now : sent.Told });
        if (!due)
            return;
        EventsV1Event repeated = value with
        {
            Metadata = value.Metadata with { Name = sent.Name },
            Series = new EventsV1EventSeries { Count = count, LastObservedTime = now },
        };
        JsonObject patch = new() { ["series"] = KubernetesJson.SerializeToNode(repeated)["series"]!.DeepClone() };
        await SendAsync(repeated, Patch.StrategicMerge(patch), cancellationToken);
    }

    private async Task SendAsync(EventsV1Event value, Patch? patch, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                if (patch is null)
                    await _client.CreateAsync(value, cancellationToken);
                else
                    await _client.PatchAsync<EventsV1Event>(value.Metadata.Namespace, value.Metadata.Name!, patch, null, cancellationToken);
                return;
            }
            catch (ApiException e) when (e.IsNotFound && patch is not null)
            {
                patch = null;
                continue;
            }
            catch (KubernetesException e) when (attempt >= Tries || e is ApiException { IsTooManyRequests: false })
            {
                LogRejected(value.Reason ?? "", value.Regarding?.Name ?? "", e.Message);
                return;
            }
            catch (KubernetesException)
            {
                // Sent again after the pause.
            }
            await Task.Delay(attempt == 1 ? Pause * Random.Shared.NextDouble() : Pause, _time, cancellationToken);
        }
    }

    private sealed record Sent(string Name, int Count, DateTimeOffset Last, DateTimeOffset Told);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Event {Reason} was dropped: the queue is full")]
    private partial void LogDropped(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Event {Reason} for {Name} was not stored: {Error}")]
    private partial void LogRejected(string reason, string name, string error);
}
