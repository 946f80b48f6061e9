using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet;

/// <summary>
/// The one loop that turns updates of the desired state into worker signals. Everything else (observations, verdicts, changed
/// secrets) only names a pod whose worker is woken. Source: pkg/kubelet/kubelet.go (syncLoop).
/// </summary>
public sealed partial class SyncLoop(PodManager pods, PodWorkers workers, StatusManager statuses, Action beat, ILogger<SyncLoop> logger)
{
    private readonly Channel<Entry> _entries = Channel.CreateUnbounded<Entry>(new UnboundedChannelOptions { SingleReader = true });
    private int _queued;

    /// <summary>Raised when a pod left its source.</summary>
    public event Action<PodUid>? PodRemoved;

    /// <summary>Raised after each update was taken over.</summary>
    public event Action<Pod>? Handled;

    /// <summary>Takes an update; never blocks.</summary>
    public void Post(PodUpdate update) => Post(new Entry(update, null));

    /// <summary>Completes once everything posted until now has been handled.</summary>
    public Task CaughtUpAsync()
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(new Entry(null, reached));
        return reached.Task;
    }

    /// <summary>Wakes a pod's worker.</summary>
    public void Wake(PodUid uid) => workers.Wake(uid);

    /// <summary>Wakes every worker (the node's network or addresses changed).</summary>
    public void WakeAll()
    {
        foreach (PodUid uid in workers.Known)
        {
            workers.Wake(uid);
        }
    }

    /// <summary>True once the queue is empty: a look for the watchdog.</summary>
    public bool Idle => Volatile.Read(ref _queued) == 0;

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (Entry entry in _entries.Reader.ReadAllAsync(cancellationToken))
            {
                if (entry.Update is { } update)
                {
                    Handle(update);
                    Handled?.Invoke(update.Pod);
                }

                entry.Reached?.SetResult();
                Interlocked.Decrement(ref _queued);
                beat();
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    private void Post(Entry entry)
    {
        Interlocked.Increment(ref _queued);
        _entries.Writer.TryWrite(entry);
    }

    private void Handle(PodUpdate update)
    {
        if (update.Pod.IsMirror)
        {
            HandleMirror(update);
            return;
        }

        if (update.Kind == PodUpdateKind.Remove)
        {
            pods.Remove(update.Pod);
            workers.Update(update);
            LogRemoved(update.Pod.Ref);
            PodRemoved?.Invoke(update.Pod.Uid);
            return;
        }

        pods.Set(update.Pod);
        workers.Update(update);
        if (!update.Pod.IsStatic)
        {
            statuses.Reconcile(update.Pod);
        }
    }

    private void HandleMirror(PodUpdate update)
    {
        if (update.Kind == PodUpdateKind.Remove)
        {
            pods.Remove(update.Pod);
        }
        else
        {
            pods.Set(update.Pod);
        }

        // The mirror is where a static pod's status is told; its object asks nothing else of the pod.
        if (pods.Find(update.Pod.Metadata.Namespace ?? "", update.Pod.Metadata.Name ?? "") is { IsStatic: true } source
            && pods.MirrorOf(source) is { } mirror)
        {
            statuses.Reconcile(source with { Status = mirror.Status });
        }
    }

    [LoggerMessage(2001, LogLevel.Debug, "Pod {Pod} left its source")]
    private partial void LogRemoved(PodRef pod);

    /// <summary>An update, or a mark that is told when it is reached.</summary>
    private readonly record struct Entry(PodUpdate? Update, TaskCompletionSource? Reached);
}
