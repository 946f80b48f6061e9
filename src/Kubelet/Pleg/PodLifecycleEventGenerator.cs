using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sync;

namespace NodeAgent.Kubelet.Pleg;

/// <summary>Periods of the generic relist.</summary>
/// <param name="WithEvents">While an event source is connected.</param>
/// <param name="WithoutEvents">Otherwise.</param>
/// <param name="Threshold">Without a completed relist for longer the PLEG is unhealthy and the node NotReady.</param>
public sealed record RelistOptions(TimeSpan WithEvents, TimeSpan WithoutEvents, TimeSpan Threshold)
{
    /// <summary>10 s with events, 1 s without, unhealthy after 3 min (upstream's relistThreshold).</summary>
    public static RelistOptions Default { get; } = new(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(3));
}

/// <summary>
/// Keeps the pod cache true: relists the pods that an event or our own call names, and all of them periodically. Only what is
/// listed counts. Source: pkg/kubelet/pleg/generic.go.
/// </summary>
public sealed partial class PodLifecycleEventGenerator(
    IPodRuntime runtime, PodStatusCache cache, RelistOptions options, TimeProvider time, ILogger<PodLifecycleEventGenerator> logger)
{
    private static readonly TimeSpan[] LookAgainAfter = [TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(800)];

    // An event of something that is not known yet is mostly of a start under way, which looks for itself when it is done.
    private static readonly TimeSpan BetweenAskedRelists = TimeSpan.FromSeconds(1);

    // A worker that acts upon its pod looks when it is done; an act that takes longer keeps nobody from seeing what an event tells of.
    private static readonly TimeSpan LeftToWorkers = TimeSpan.FromSeconds(1);

    private const int ReadsAtOnce = 8;
    private static readonly TimeSpan PodLimit = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<PodUid, PodRelist> _relists = new();
    private readonly PodActs _acts = new();
    private readonly SemaphoreSlim _fullNow = new(0);
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _lastFull = time.GetTimestamp();
    private volatile bool _eventsConnected;
    private volatile bool _atOnce;
    private string? _lastError;

    /// <summary>Raised when an observation of a pod changed, and whether its worker is to look; handlers must not block.</summary>
    public event Action<PodUid, bool>? PodChanged;

    /// <summary>Raised after each completed full relist.</summary>
    public event Action? Relisted;

    /// <summary>Completes with the first full relist.</summary>
    public Task FirstRelist => _first.Task;

    /// <summary>Null while healthy, else upstream's text.</summary>
    public string? Unhealthy
    {
        get
        {
            TimeSpan since = time.GetElapsedTime(Volatile.Read(ref _lastFull));
            return since > options.Threshold
                ? $"pleg was last seen active {Duration(since)} ago; threshold is {Duration(options.Threshold)}"
                : null;
        }
    }

    /// <summary>The event stream came up (which forces a full relist) or went down (which shortens the period).</summary>
    public void SetEventsConnected(bool connected)
    {
        _eventsConnected = connected;
        _atOnce = true;
        _fullNow.Release();
    }

    /// <summary>Asks for a full relist now.</summary>
    public void RequestFullRelist() => _fullNow.Release();

    /// <summary>Relists periodically until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            _atOnce = false;
            long began = time.GetTimestamp();
            await FullRelistAsync(cancellationToken);
            TimeSpan period = _eventsConnected && _first.Task.IsCompleted ? options.WithEvents : options.WithoutEvents;
            using var wake = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task tick = Task.Delay(period, time, wake.Token);
            Task asked = _fullNow.WaitAsync(wake.Token);
            await Task.WhenAny(tick, asked);
            await wake.CancelAsync();
            await Task.WhenAll(tick, asked).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!_atOnce && BetweenAskedRelists - time.GetElapsedTime(began) is var rest && rest > TimeSpan.Zero)
            {
                await Task.Delay(rest, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            while (_fullNow.CurrentCount > 0 && _fullNow.Wait(0, CancellationToken.None))
            {
            }
        }
    }

    /// <summary>Reads a pod's status now; concurrent callers share a read that began after they asked.</summary>
    public Task<RuntimePodStatus?> RelistPodAsync(PodRef pod, CancellationToken cancellationToken) => RelistPodAsync(pod, static _ => false, cancellationToken);

    /// <summary>The same for a pod's worker, which need not be woken for a change that leaves it nothing to do.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="settled">Whether an observation is all that the worker wanted: it is not to look again for it.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task<RuntimePodStatus?> RelistPodAsync(PodRef pod, Func<RuntimePodStatus, bool> settled, CancellationToken cancellationToken)
    {
        while (true)
        {
            PodRelist relist = _relists.GetOrAdd(pod.Uid, _ => new PodRelist());
            if (relist.Run(() => ReadAsync(pod, relist, settled)) is { } reading)
            {
                return await reading.WaitAsync(cancellationToken);
            }
        }
    }

    /// <summary>
    /// A pod's worker begins to change what the runtime has of the pod. Until the result is disposed, which is after the worker's own look, a
    /// relist reads the pod only where it shows a container in a state that is news, and an event of the pod waits for that look, at most a second.
    /// </summary>
    public IDisposable BeginAct(PodUid uid) => _acts.Begin(uid);

    /// <summary>
    /// Looks at what an event names, again after 50, 200 and 800 ms while the status does not bear the event out and no worker acts upon the
    /// pod, who will look; not at all where what is known bears it out already, which is so for most of what we do ourselves.
    /// </summary>
    public async Task HandleEventAsync(RuntimeEvent e, CancellationToken cancellationToken)
    {
        PodRef? pod = Locate(e);
        if (pod is null)
        {
            RequestFullRelist();
            return;
        }

        if (_acts.EndOf(pod.Value.Uid) is { } end)
        {
            await end.WaitAsync(LeftToWorkers, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (PodListingDiff.IsKnown(cache.Get(pod.Value.Uid), e))
        {
            return;
        }

        for (int look = 0; ; look++)
        {
            RuntimePodStatus? status;
            try
            {
                status = await RelistPodAsync(pod.Value, cancellationToken);
            }
            catch (Exception x) when (x is not OperationCanceledException)
            {
                LogPodRelistFailed(pod.Value, x.Message);
                return;
            }

            if (look == LookAgainAfter.Length || PodListingDiff.Confirms(status, e) || _acts.EndOf(pod.Value.Uid) is not null)
            {
                return;
            }

            await Task.Delay(LookAgainAfter[look], time, cancellationToken);
        }
    }

    private PodRef? Locate(RuntimeEvent e) => e.PodUid is { } uid && cache.Get(uid) is { } named ? named.Pod : cache.PodOf(e.Id);

    private bool IsLeftToWorker(RuntimePodStatus? known, RuntimePodListing? listed) =>
        _acts.EndOf(listed?.Pod.Uid ?? known!.Pod.Uid) is not null && !PodListingDiff.ShowsNews(known, listed);

    private async Task FullRelistAsync(CancellationToken cancellationToken)
    {
        try
        {
            ImmutableArray<RuntimePodListing> listed = await runtime.ListPodsAsync(cancellationToken);
            var seen = listed.ToDictionary(l => l.Pod.Uid);
            bool complete = true;
            IEnumerable<PodRef> changed = cache.Uids.Concat(seen.Keys).ToHashSet()
                .Select(uid => (Known: cache.Get(uid), Listed: seen.GetValueOrDefault(uid)))
                .Where(p => PodListingDiff.Differs(p.Known, p.Listed) && !IsLeftToWorker(p.Known, p.Listed))
                .Select(p => p.Listed?.Pod ?? p.Known!.Pod);
            // Side by side: one pod whose status is slow to come does not keep the others' from being seen.
            var bound = new ParallelOptions { MaxDegreeOfParallelism = ReadsAtOnce, CancellationToken = cancellationToken };
            await Parallel.ForEachAsync(changed, bound, async (pod, token) =>
            {
                if (!await TryRelistAsync(pod, token))
                {
                    Volatile.Write(ref complete, false);
                }
            });

            Volatile.Write(ref _lastFull, time.GetTimestamp());
            if (_lastError is not null)
            {
                _lastError = null;
                LogRelistWorksAgain();
            }

            if (complete)
            {
                _first.TrySetResult();
            }

            Relisted?.Invoke();
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            if (_lastError != e.Message)
            {
                _lastError = e.Message;
                LogRelistFailed(e.Message);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task<bool> TryRelistAsync(PodRef pod, CancellationToken cancellationToken)
    {
        try
        {
            // A runtime that does not answer for one pod holds up no other; the read goes on and is shared by the next who asks.
            await RelistPodAsync(pod, cancellationToken).WaitAsync(PodLimit, time, cancellationToken);
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The record stays as it was, so the next relist sees the difference again.
            LogPodRelistFailed(pod, e.Message);
            return false;
        }
    }

    private async Task<RuntimePodStatus?> ReadAsync(PodRef pod, PodRelist relist, Func<RuntimePodStatus, bool> settled)
    {
        RuntimePodStatus status = await runtime.GetPodStatusAsync(pod, CancellationToken.None);
        RuntimePodStatus? before = cache.Get(pod.Uid);
        bool nothing = status.Sandboxes.IsEmpty && status.Containers.IsEmpty;
        if (nothing)
        {
            cache.Remove(pod.Uid);
            if (relist.TryRetire())
            {
                _relists.TryRemove(new KeyValuePair<PodUid, PodRelist>(pod.Uid, relist));
            }
        }
        else if (!cache.Set(status))
        {
            return cache.Get(pod.Uid);
        }

        if (nothing ? before is not null : before is null || !ObservationsEqual(before, status))
        {
            PodChanged?.Invoke(pod.Uid, nothing || !settled(status));
        }

        return nothing ? null : status;
    }

    private static bool ObservationsEqual(RuntimePodStatus a, RuntimePodStatus b) =>
        a.Sandboxes.Length == b.Sandboxes.Length && a.Containers.Length == b.Containers.Length && a.IPs.SequenceEqual(b.IPs)
        && a.Sandboxes.Zip(b.Sandboxes).All(p => p.First.Id == p.Second.Id && p.First.State == p.Second.State)
        && a.Containers.Zip(b.Containers).All(p => p.First.Id == p.Second.Id && p.First.State == p.Second.State && Equals(p.First.Resources, p.Second.Resources));

    private static string Duration(TimeSpan t) => t.TotalMinutes >= 1 ? $"{(int)t.TotalMinutes}m{t.Seconds}s" : $"{t.TotalSeconds:0.###}s";

    [LoggerMessage(2200, LogLevel.Warning, "Relist of the container runtime failed, pods are left as they are: {Error}")]
    private partial void LogRelistFailed(string error);

    [LoggerMessage(2201, LogLevel.Information, "Relist of the container runtime works again")]
    private partial void LogRelistWorksAgain();

    [LoggerMessage(2202, LogLevel.Warning, "Pod {Pod}: its status could not be read from the runtime: {Error}")]
    private partial void LogPodRelistFailed(PodRef pod, string error);

    /// <summary>One pod's reads, one at a time; whoever asks during a read gets the next one.</summary>
    private sealed class PodRelist
    {
        private readonly Lock _lock = new();
        private Task<RuntimePodStatus?>? _current;
        private Task<RuntimePodStatus?>? _next;

        private bool _retired;

        // Null: this one is done with, the caller takes a new one.
        public Task<RuntimePodStatus?>? Run(Func<Task<RuntimePodStatus?>> read)
        {
            lock (_lock)
            {
                if (_retired)
                {
                    return null;
                }

                return _current is null || _current.IsCompleted ? _current = read() : _next ??= AfterAsync(_current, read);
            }
        }

        // Only where nobody waits for a read to come: two reads at once could undo each other.
        public bool TryRetire()
        {
            lock (_lock)
            {
                return _retired = _next is null;
            }
        }

        private async Task<RuntimePodStatus?> AfterAsync(Task<RuntimePodStatus?> before, Func<Task<RuntimePodStatus?>> read)
        {
            await ((Task)before).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
            lock (_lock)
            {
                (_current, _next) = (_next, null);
            }

            return await read();
        }
    }
}
