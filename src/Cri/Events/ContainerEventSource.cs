using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using NodeAgent.Cri.Connection;
using NodeAgent.Cri.Containerd.V1;
using NodeAgent.Cri.V1;
using NodeAgent.Grpc;

namespace NodeAgent.Cri.Events;

/// <summary>
/// Events from the CRI stream where the runtime serves it, else from containerd's own events service on the same socket, else none.
/// Reconnects with a back-off of 1 to 30 s.
/// </summary>
/// <param name="connection">The runtime's connection.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told which stream is used.</param>
public sealed partial class ContainerEventSource(CriConnection connection, TimeProvider time, ILogger<ContainerEventSource> logger) : IContainerEventSource
{
    /// <summary>containerd's Events/Subscribe.</summary>
    public static Method<SubscribeRequest, Envelope> Subscribe { get; } =
        new("containerd.services.events.v1.Events", "Subscribe", SubscribeRequest.Parser, Envelope.Parser);

    private static readonly TimeSpan ShortestWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private enum Origin
    {
        Cri,
        Containerd,
        None,
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<CriEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var notices = Channel.CreateBounded<CriEvent>(new BoundedChannelOptions(1024) { SingleReader = true });
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task pump = PumpAsync(notices.Writer, ended.Token);
        try
        {
            await foreach (CriEvent notice in notices.Reader.ReadAllAsync(cancellationToken)) yield return notice;
        }
        finally
        {
            await ended.CancelAsync();
            await pump.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task PumpAsync(ChannelWriter<CriEvent> notices, CancellationToken cancellationToken)
    {
        try
        {
            Origin origin = Origin.Cri;
            TimeSpan wait = ShortestWait;
            while (origin != Origin.None)
            {
                long start = time.GetTimestamp();
                (bool served, string reason) = await FollowAsync(origin, notices, cancellationToken);
                if (!served)
                {
                    origin = origin == Origin.Cri ? Origin.Containerd : Origin.None;
                    continue;
                }
                await notices.WriteAsync(Notice(CriEventKind.Disconnected, reason), cancellationToken);
                wait = time.GetElapsedTime(start) > LongestWait ? ShortestWait : wait;
                await Task.Delay(wait, time, cancellationToken);
                wait = TimeSpan.FromTicks(Math.Min(LongestWait.Ticks, wait.Ticks * 2));
                origin = Origin.Cri;
            }
            LogNone(logger, connection.Endpoint);
            await notices.WriteAsync(Notice(CriEventKind.Unsupported, "neither CRI GetContainerEvents nor containerd's events service is served"), cancellationToken);
            notices.Complete();
        }
        catch (Exception e)
        {
            notices.Complete(e);
            throw;
        }
    }

    /// <returns>False where the runtime does not serve this stream.</returns>
    private Task<(bool Served, string Reason)> FollowAsync(Origin origin, ChannelWriter<CriEvent> notices, CancellationToken cancellationToken) => origin switch
    {
        Origin.Cri => FollowAsync(RuntimeServiceMethods.GetContainerEvents, new GetEventsRequest(), EventMapping.From, notices, cancellationToken),
        _ => FollowAsync(Subscribe, Filter(), EventMapping.From, notices, cancellationToken),
    };

    private async Task<(bool Served, string Reason)> FollowAsync<TRequest, TEvent>(
        Method<TRequest, TEvent> method, TRequest request, Func<TEvent, CriEvent?> map, ChannelWriter<CriEvent> notices, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>
        where TEvent : class, IMessage<TEvent>
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        IAsyncEnumerator<TEvent> events = connection.Stream(method, "get_container_events", request, ended.Token).GetAsyncEnumerator(ended.Token);
        Task<bool>? next = null;
        int seen = 0;
        bool told = false;
        long start = time.GetTimestamp();
        try
        {
            next = events.MoveNextAsync().AsTask();
            // Servers send headers with the first event only. A call answered after ours went out on the same connection shows that the
            // subscription arrived; a refusal has mostly come back by then.
            await new RuntimeServiceClient(connection).VersionAsync(new VersionRequest { Version = CriConnection.KubeletApiVersion }, ended.Token);
            bool refused = next.IsCompleted && !(next.IsCompletedSuccessfully && next.Result);
            if (!refused)
            {
                LogConnected(logger, connection.Endpoint, method.ServiceName);
                await notices.WriteAsync(Notice(CriEventKind.Connected, null), cancellationToken);
                told = true;
            }
            while (await next)
            {
                seen++;
                if (map(events.Current) is { } notice) await notices.WriteAsync(notice, cancellationToken);
                next = events.MoveNextAsync().AsTask();
            }
            return (seen > 0 || time.GetElapsedTime(start) > ShortestWait, "the runtime ended the stream");
        }
        catch (CriException e) when (e.Kind == CriErrorKind.Unimplemented)
        {
            // The refusal may have been overtaken by the answer to Version.
            if (told) await notices.WriteAsync(Notice(CriEventKind.Disconnected, e.Message), cancellationToken);
            return (false, e.Message);
        }
        catch (Exception e) when (e is CriException or InvalidProtocolBufferException)
        {
            return (true, e.Message);
        }
        finally
        {
            await ended.CancelAsync();
            if (next is not null) await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await events.DisposeAsync();
        }
    }

    private static SubscribeRequest Filter()
    {
        var request = new SubscribeRequest();
        foreach (string topic in (string[])["/tasks/start", "/tasks/exit", "/tasks/delete", "/tasks/oom"])
            request.Filters.Add($"topic==\"{topic}\",namespace=={EventMapping.KubernetesNamespace}");
        return request;
    }

    private CriEvent Notice(CriEventKind kind, string? reason) => new(kind, "", time.GetUtcNow(), Reason: reason);

    [LoggerMessage(3201, LogLevel.Debug, "Container events of {Endpoint} come from {Service}")]
    private static partial void LogConnected(ILogger logger, CriEndpoint endpoint, string service);

    [LoggerMessage(3202, LogLevel.Warning, "Container runtime at {Endpoint} has no event stream; changes are found by relisting alone")]
    private static partial void LogNone(ILogger logger, CriEndpoint endpoint);
}
