using Microsoft.Extensions.Logging;
using NodeAgent.Cri.Connection;
using NodeAgent.Cri.Events;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Composition;

/// <summary>Feeds the PLEG from the runtime's event stream; where the runtime has none, the PLEG relists more often.</summary>
internal static class RuntimeEvents
{
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromMinutes(5);

    public static async Task RunAsync(
        CriConnection connection, PodLifecycleEventGenerator pleg, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var source = new ContainerEventSource(connection, time, loggers.CreateLogger<ContainerEventSource>());
        while (!cancellationToken.IsCancellationRequested)
        {
            await foreach (CriEvent e in source.WatchAsync(cancellationToken))
            {
                Handle(e, pleg, cancellationToken);
            }

            // No stream is served; a runtime that is upgraded under us may have one later.
            pleg.SetEventsConnected(false);
            await Task.Delay(AskAgainAfter, time, cancellationToken);
        }
    }

    private static void Handle(CriEvent e, PodLifecycleEventGenerator pleg, CancellationToken cancellationToken)
    {
        RuntimeEventKind? kind = e.Kind switch
        {
            CriEventKind.Created => RuntimeEventKind.Created,
            CriEventKind.Started => RuntimeEventKind.Started,
            CriEventKind.Stopped => RuntimeEventKind.Stopped,
            CriEventKind.Deleted => RuntimeEventKind.Deleted,
            CriEventKind.OutOfMemory => RuntimeEventKind.Other,
            _ => null,
        };
        if (kind is { } what)
        {
            _ = pleg.HandleEventAsync(new RuntimeEvent(what, e.Id, e.PodUid is { Length: > 0 } uid ? new PodUid(uid) : null), cancellationToken);
        }
        else
        {
            pleg.SetEventsConnected(e.Kind == CriEventKind.Connected);
        }
    }
}
