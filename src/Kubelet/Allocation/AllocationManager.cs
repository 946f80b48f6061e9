using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Allocation;

/// <summary>What the allocation manager works with.</summary>
/// <param name="Allocated">What was allocated.</param>
/// <param name="Actuated">What was carried out.</param>
/// <param name="Conditions">Where decisions are told.</param>
/// <param name="Pods">The newest objects.</param>
/// <param name="Events">Events.</param>
/// <param name="Admit">Whether the node has room for a pod beside the others: reason and message where not.</param>
/// <param name="Options">What of the node's settings resizes can run against.</param>
public sealed record AllocationParts(
    PodResourceState Allocated, PodResourceState Actuated, ResizeConditions Conditions, PodManager Pods, IPodEventRecorder Events,
    Func<Pod, CancellationToken, Task<(string Reason, string Message)?>> Admit, ResizeOptions Options)
{
    /// <summary>Null: nothing is counted.</summary>
    public ResizeMetrics? Metrics { get; init; }
}

/// <summary>What may have made room for a resize that waits, as metrics name it.</summary>
public static class ResizeTriggers
{
    /// <summary>A resize was carried out.</summary>
    public const string PodResized = "pod_resized";
    /// <summary>The pod's object changed.</summary>
    public const string PodUpdated = "pod_updated";
    /// <summary>Pods came.</summary>
    public const string PodsAdded = "pods_added";
    /// <summary>Pods went.</summary>
    public const string PodsRemoved = "pods_removed";
    /// <summary>A pod ended.</summary>
    public const string PodTerminated = "pod_terminated";
    /// <summary>Time went by.</summary>
    public const string Periodic = "periodic_retry";
}

/// <summary>
/// What of a pod's resources is allocated, and whether a change of them is: at once, later, or never. All else sees pods with their
/// allocated resources. Source: pkg/kubelet/allocation/allocation_manager.go.
/// </summary>
/// <param name="parts">Parts.</param>
/// <param name="ready">Whether all sources have delivered: nothing is decided before.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
public sealed partial class AllocationManager(AllocationParts parts, Func<bool> ready, TimeProvider time, ILogger<AllocationManager> logger)
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Retry = TimeSpan.FromMinutes(3);

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _deciding = new(1);
    private readonly SemaphoreSlim _asked = new(0);
    private readonly HashSet<PodUid> _pending = [];
    private readonly Dictionary<PodUid, long?> _infeasible = [], _counted = [];
    private volatile string _trigger = ResizeTriggers.Periodic;
    private bool _retained;

    /// <summary>A pod's state changed by a decision that was not its own worker's: its worker should look.</summary>
    public event Action<PodUid>? Decided;

    /// <summary>The conditions of resizes.</summary>
    public ResizeConditions Conditions => parts.Conditions;

    /// <summary>The pod with its allocated resources; the same object where nothing else is on record.</summary>
    public Pod Allocated(Pod pod)
    {
        ArgumentNullException.ThrowIfNull(pod);
        return parts.Allocated.Get(pod.Uid)?.ApplyTo(pod) ?? pod;
    }

    /// <summary>The pod was admitted with these resources. What is on record already stays.</summary>
    /// <returns>Ends when they are in the file, or when that failed and the log says so.</returns>
    public Task AdmittedAsync(Pod pod)
    {
        ArgumentNullException.ThrowIfNull(pod);
        parts.Conditions.Backfill(pod);
        return parts.Allocated.Get(pod.Uid) is null ? parts.Allocated.AddAsync(pod.Uid, PodResourceRecord.Of(pod)) : Task.CompletedTask;
    }

    /// <summary>Decides about the pod's newest resources where they differ from the allocated ones and that is still open.</summary>
    /// <param name="pod">As it came from its source.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>False where nothing can be decided yet, as a source has not delivered.</returns>
    public async Task<bool> ConsiderAsync(Pod pod, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pod);
        if (ReferenceEquals(Allocated(pod), pod))
        {
            parts.Conditions.ClearPending(pod.Uid);
            lock (_lock)
            {
                _pending.Remove(pod.Uid);
            }

            return true;
        }

        lock (_lock)
        {
            if (_counted.GetValueOrDefault(pod.Uid) != pod.Metadata.Generation)
            {
                _counted[pod.Uid] = pod.Metadata.Generation;
                parts.Metrics?.Requested(Allocated(pod), pod);
            }

            bool known = _infeasible.TryGetValue(pod.Uid, out long? generation) && generation == pod.Metadata.Generation;
            if (known || (!_pending.Add(pod.Uid) && parts.Conditions.PendingOf(pod.Uid)?.ObservedGeneration == pod.Metadata.Generation))
            {
                return true;
            }
        }

        return await DecideAsync(pod.Uid, ResizeTriggers.PodUpdated, cancellationToken);
    }

    /// <summary>Room may have become free: all pending resizes are looked at again soon.</summary>
    /// <param name="trigger">One of <see cref="ResizeTriggers"/>.</param>
    public void RetryPending(string trigger)
    {
        lock (_lock)
        {
            if (_pending.Count == 0)
            {
                return;
            }
        }

        _trigger = trigger;
        _asked.Release();
    }

    /// <summary>The pod is gone.</summary>
    public void Remove(PodUid uid)
    {
        parts.Allocated.Remove(uid);
        parts.Conditions.Remove(uid);
        lock (_lock)
        {
            _pending.Remove(uid);
            _infeasible.Remove(uid);
            _counted.Remove(uid);
        }

        RetryPending(ResizeTriggers.PodsRemoved);
    }

    /// <summary>Looks at pending resizes when asked and every 3 minutes, until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                _trigger = ResizeTriggers.Periodic;
                await WaitAsync(ready() ? Retry : FirstRetry, cancellationToken);
                // Those who ask from here on get a look of their own.
                while (await _asked.WaitAsync(0, cancellationToken))
                {
                }

                await DecideAsync(own: null, _trigger, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    private async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        using var wake = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<bool> asked = _asked.WaitAsync(Timeout.InfiniteTimeSpan, wake.Token);
        await Task.WhenAny(asked, Task.Delay(atMost, time, wake.Token));
        await wake.CancelAsync();
        await ((Task)asked).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
    }

    private async Task<bool> DecideAsync(PodUid? own, string trigger, CancellationToken cancellationToken)
    {
        if (!ready())
        {
            return false;
        }

        await _deciding.WaitAsync(cancellationToken);
        try
        {
            ForgetOrphans();
            foreach (PendingResize resize in PendingResizeOrder.Sort(Pending()))
            {
                PodUid uid = resize.Desired.Uid;
                bool changed = await DecideAsync(resize, trigger, cancellationToken);
                if (changed && uid != own)
                {
                    Decided?.Invoke(uid);
                }
            }

            return true;
        }
        finally
        {
            _deciding.Release();
        }
    }

    // What an earlier life of the agent left of pods that are gone.
    private void ForgetOrphans()
    {
        if (!_retained)
        {
            _retained = true;
            parts.Allocated.Retain(uid => parts.Pods.Get(uid) is not null);
            parts.Actuated.Retain(uid => parts.Pods.Get(uid) is not null);
        }
    }

    private List<PendingResize> Pending()
    {
        List<PendingResize> pending = [];
        lock (_lock)
        {
            _pending.RemoveWhere(uid => parts.Pods.Get(uid) is null);
            foreach (PodUid uid in _pending)
            {
                Pod pod = parts.Pods.Get(uid)!;
                pending.Add(new PendingResize(pod, Allocated(pod), parts.Conditions.PendingOf(uid)?.LastTransitionTime));
            }
        }

        return pending;
    }

    /// <summary>One decision; true where it changed anything.</summary>
    private async Task<bool> DecideAsync(PendingResize resize, string trigger, CancellationToken cancellationToken)
    {
        (Pod pod, PodUid uid, ResizeConditions conditions) = (resize.Desired, resize.Desired.Uid, parts.Conditions);
        if (ReferenceEquals(resize.Allocated, pod))
        {
            Settled(uid);
            conditions.ClearPending(uid);
            return true;
        }

        (string Message, string Detail)? never = ResizeFeasibility.Problem(pod, resize.Allocated, parts.Options);
        (string Reason, string Message)? rejected = never is { } problem ? (ResizeConditions.Infeasible, problem.Message) : await parts.Admit(pod, cancellationToken);
        if (rejected is not { } why)
        {
            // In the file before anything is carried out: after a crash it must be known what was promised.
            await parts.Allocated.SetAsync(uid, PodResourceRecord.Of(pod));
            Settled(uid);
            if (conditions.PendingOf(uid)?.Reason == ResizeConditions.Deferred)
            {
                parts.Metrics?.Accepted(trigger);
            }

            conditions.ClearPending(uid);
            conditions.ClearInProgress(uid);
            conditions.SetInProgress(uid, null, null, pod.Metadata.Generation);
            parts.Events.Record(pod, null, "Normal", "ResizeStarted", ResizeMessages.Started(pod));
            return true;
        }

        string reason = why.Reason == ResizeConditions.Infeasible ? ResizeConditions.Infeasible : ResizeConditions.Deferred;
        bool news = conditions.SetPending(uid, reason, why.Message, pod.Metadata.Generation);
        if (reason == ResizeConditions.Infeasible)
        {
            Settled(uid, pod.Metadata.Generation, infeasible: true);
            if (never is { } detailed)
            {
                parts.Metrics?.Infeasible(detailed.Detail);
            }
        }

        if (news)
        {
            LogPending(pod.Ref, reason, why.Message);
            parts.Events.Record(pod, null, "Warning", "Resize" + reason, ResizeMessages.Waiting(pod, reason, why.Message));
        }

        return news;
    }

    private void Settled(PodUid uid, long? generation = null, bool infeasible = false)
    {
        lock (_lock)
        {
            _pending.Remove(uid);
            _infeasible.Remove(uid);
            if (infeasible)
            {
                _infeasible[uid] = generation;
            }
        }
    }

    [LoggerMessage(2910, LogLevel.Information, "Pod {Pod}: its resize is {Reason}: {Message}")]
    private partial void LogPending(PodRef pod, string reason, string message);
}
