using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Status;

/// <summary>What the API server made of a status write.</summary>
public enum StatusWriteResult
{
    /// <summary>Written, or nothing to write.</summary>
    Written,
    /// <summary>The pod is gone, or another of its name lives: never try again.</summary>
    Gone,
}

/// <summary>What the status manager needs of the API server.</summary>
public interface IPodStatusWriter
{
    /// <summary>The pod as the API server has it now, or null where it has none of that name.</summary>
    Task<Pod?> GetAsync(string @namespace, string name, CancellationToken cancellationToken);

    /// <summary>Patches pods/status from one version to another, the UID as precondition.</summary>
    /// <param name="current">What the patch begins from.</param>
    /// <param name="status">What it is to become.</param>
    /// <param name="exactly">Only where the API server still has that very version of the pod.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>The pod as written; null where it is gone.</returns>
    /// <exception cref="StalePodException">It has another version; only where <paramref name="exactly"/> is asked for.</exception>
    Task<Pod?> PatchStatusAsync(Pod current, PodStatus status, bool exactly, CancellationToken cancellationToken);

    /// <summary>Deletes the object with grace 0 and the UID as precondition. Gone already is success.</summary>
    Task DeleteAsync(Pod pod, CancellationToken cancellationToken);
}

/// <summary>The API server has another version of the pod than the one a write began from.</summary>
public sealed class StalePodException(string message, Exception inner) : Exception(message, inner);

/// <summary>
/// Holds the newest status of each pod and brings it to the API server: each change once, promptly, versioned, several pods side
/// by side, one write at a time for a pod; failures are tried again with back-off. Source: pkg/kubelet/status/status_manager.go.
/// </summary>
public sealed partial class StatusManager(
    IPodStatusWriter writer, PodManager pods, Func<PodUid, bool> couldHaveRunningContainers, TimeProvider time, ILogger<StatusManager> logger, CancellationToken stop)
{
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<PodUid, Entry> _entries = new();
    private readonly SemaphoreSlim _writes = new(16);

    /// <summary>The newest status of a pod: computed here, else what its object says (a static pod's is its mirror).</summary>
    public PodStatus StatusOf(Pod pod) => _entries.TryGetValue(pod.Uid, out Entry? e) && e.Status is { } status ? status
        : pod.IsStatic && pods.MirrorOf(pod) is { } mirror ? mirror.Status : pod.Status;

    /// <summary>The newest computed status, or null.</summary>
    public PodStatus? Get(PodUid uid) => _entries.GetValueOrDefault(uid)?.Status;

    /// <summary>Sets a pod's status; a change is sent soon.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="status">Its status.</param>
    /// <param name="final">No container can run any more: a terminal phase that was held back goes out, even where nothing else changed.</param>
    /// <param name="anew">
    /// For a static pod: the same status after another one. What its mirror says of the time before (readiness, above all) may come to be
    /// known after the status was computed.
    /// </param>
    public void Set(Pod pod, PodStatus status, bool final = false, Func<PodStatus, PodStatus>? anew = null)
    {
        Entry entry = _entries.GetOrAdd(pod.Uid, _ => new Entry(this));
        entry.Set(pod, PodStatusMerge.Normalize(status), final, anew);
    }

    /// <summary>Nothing of the pod runs and what the node held for it is given back: its API object is deleted once its last status is written.</summary>
    public void Finish(Pod pod) => _entries.GetOrAdd(pod.Uid, _ => new Entry(this)).Finish(pod);

    /// <summary>Completes once the API server has the newest status of the pod, or wants none of it any more.</summary>
    public Task WrittenAsync(PodUid uid) => _entries.GetValueOrDefault(uid)?.Written() ?? Task.CompletedTask;

    /// <summary>The API server shows another status than the one written last (somebody else wrote, or our write was lost): look again.</summary>
    public void Reconcile(Pod fromApi)
    {
        if (_entries.TryGetValue(fromApi.Uid, out Entry? entry))
        {
            entry.SeenInApi(fromApi);
        }
    }

    /// <summary>Forgets a pod that left its source.</summary>
    public void Forget(PodUid uid)
    {
        if (_entries.TryRemove(uid, out Entry? entry))
        {
            entry.End();
        }
    }

    /// <summary>UIDs with a status held.</summary>
    public ICollection<PodUid> Known => _entries.Keys;

    [LoggerMessage(2300, LogLevel.Warning, "Pod {Pod}: its status could not be written to the API server, will be tried again: {Error}")]
    private partial void LogWriteFailed(PodRef pod, string error);

    /// <summary>One pod's status on its way to the API server.</summary>
    private sealed class Entry
    {
        private readonly StatusManager _owner;
        private readonly Lock _lock = new();
        private readonly ITimer _retry;
        private Pod? _pod;
        private Pod? _answer;
        private TaskCompletionSource? _reached;
        private long _version;
        private long _written;
        private bool _final;
        private bool _finish;
        private bool _metMirror;
        private Func<PodStatus, PodStatus>? _anew;
        private bool _deleted;
        private bool _running;
        private bool _ended;
        private int _failures;

        public Entry(StatusManager owner)
        {
            _owner = owner;
            _retry = owner.Clock.CreateTimer(static e => ((Entry)e!).Kick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        public PodStatus? Status { get; private set; }

        public void Set(Pod pod, PodStatus status, bool final, Func<PodStatus, PodStatus>? anew)
        {
            lock (_lock)
            {
                (_pod, _anew) = (Newest(pod), anew);
                bool first = final && !_final;
                _final |= final;
                status = (MeetMirrorLocked() ?? Status) is { } held ? AfterLocked(held, status) : status;
                if (!first && Status is not null && PodStatusMerge.Same(Status, status))
                {
                    return;
                }

                Status = status;
                _version++;
            }

            Kick();
        }

        public void Finish(Pod pod)
        {
            lock (_lock)
            {
                _pod = Newest(pod);
                _finish = true;
            }

            Kick();
        }

        public Task Written()
        {
            lock (_lock)
            {
                return _ended || _written >= _version ? Task.CompletedTask
                    : (_reached ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }
        }

        public void SeenInApi(Pod pod)
        {
            lock (_lock)
            {
                _pod = pod;
                if (ReferenceEquals(PodVersion.Newer(pod, _answer), pod))
                {
                    _answer = null;
                }

                // A write that is under way may have found no mirror pod yet.
                bool underWay = _running && !pod.IsStatic;
                if (Status is null || underWay || (!pod.IsStatic && _written < _version) || PodStatusMerge.Agrees(pod.Status, Status))
                {
                    if (!(_finish && !_deleted))
                    {
                        return;
                    }
                }
                else
                {
                    _version++;
                }
            }

            Kick();
        }

        public void End()
        {
            lock (_lock)
            {
                _ended = true;
                ReachedLocked();
            }

            _retry.Dispose();
        }

        private void ReachedLocked()
        {
            if (_ended || _written >= _version)
            {
                _reached?.TrySetResult();
                _reached = null;
            }
        }

        // A worker's pod is the one its pass began with; the deletion may have come since.
        private Pod Newest(Pod pod) => _owner.Newest(pod);

        private void Kick()
        {
            lock (_lock)
            {
                if (_running || _ended || !HasWorkLocked())
                {
                    return;
                }

                _running = true;
            }

            _ = Task.Run(RunAsync, CancellationToken.None);
        }

        private bool HasWorkLocked() => _written < _version || (_finish && !_deleted && _pod is { IsStatic: false, Metadata.DeletionTimestamp: not null });

        // A static pod's file may be known before its mirror, which says how all this has been and since when. Given once.
        private PodStatus? MeetMirrorLocked()
        {
            if (_metMirror || _pod is not { IsStatic: true } pod || _owner.MirrorOf(pod) is not { } mirror)
            {
                return null;
            }

            _metMirror = true;
            return mirror.Status;
        }

        private PodStatus AfterLocked(PodStatus before, PodStatus status) =>
            PodStatusMerge.KeepTimes(before, _anew is null ? status : PodStatusMerge.Normalize(_anew(before)));

        private async Task RunAsync()
        {
            while (true)
            {
                Pod pod;
                Pod? answer;
                PodStatus? status;
                long version;
                bool finish;
                lock (_lock)
                {
                    if (_ended || !HasWorkLocked() || _owner.Stopped.IsCancellationRequested)
                    {
                        _running = false;
                        return;
                    }

                    if (MeetMirrorLocked() is { } before && Status is { } computed)
                    {
                        Status = AfterLocked(before, computed);
                    }

                    (pod, answer, status, version, finish) = (_pod!, _answer, Status, _version, _finish);
                }

                try
                {
                    (bool gone, answer) = await _owner.WriteAsync(pod, answer, status, finish, _owner.Stopped);
                    lock (_lock)
                    {
                        _answer = answer;
                        _written = gone ? long.MaxValue : Math.Max(_written, version);
                        _deleted |= gone;
                        _failures = 0;
                        ReachedLocked();
                    }
                }
                catch (OperationCanceledException) when (_owner.Stopped.IsCancellationRequested)
                {
                    return;
                }
                catch (Exception e)
                {
                    lock (_lock)
                    {
                        if (_failures == 0)
                        {
                            _owner.LogWriteFailed(pod.Ref, e.Message);
                        }

                        _running = false;
                        TimeSpan delay = TimeSpan.FromMilliseconds(200) * Math.Pow(2, Math.Min(_failures++, 8));
                        if (!_ended)
                        {
                            _retry.Change(delay < LongestDelay ? delay : LongestDelay, Timeout.InfiniteTimeSpan);
                        }
                    }

                    return;
                }
            }
        }
    }

    private Pod Newest(Pod pod) => pods.Get(pod.Uid) ?? pod;

    private Pod? MirrorOf(Pod pod) => pods.MirrorOf(pod);

    private TimeProvider Clock => time;

    private CancellationToken Stopped => stop;

    /// <summary>Writes one version: whether the pod is gone from the API server, and its object as that write left it where there was one.</summary>
    private async Task<(bool Gone, Pod? Answer)> WriteAsync(Pod pod, Pod? answer, PodStatus? status, bool finish, CancellationToken cancellationToken)
    {
        Pod? target = pod.IsStatic ? pods.MirrorOf(pod) : pod;
        if (target is null)
        {
            return (false, null);
        }

        if (!pod.IsStatic && pods.Get(pod.Uid) is null)
        {
            // It left the API server: nobody is there to read its status any more.
            return (true, null);
        }

        await _writes.WaitAsync(cancellationToken);
        try
        {
            Pod known = PodVersion.Newer(pods.Get(pod.Uid) is { IsStatic: false } newest ? newest : target, answer);
            Pod? current = status is null ? known : await SendAsync(known, status, pod.Uid, cancellationToken);
            if (current is null)
            {
                // A static pod outlives its mirror: the next one gets the status.
                return (!pod.IsStatic, null);
            }

            if (finish && !pod.IsStatic && current.Metadata.DeletionTimestamp is not null)
            {
                if (current.Status.Phase is not ("Failed" or "Succeeded"))
                {
                    throw new InvalidOperationException("its last status has not arrived there yet");
                }

                await writer.DeleteAsync(current, cancellationToken);
                return (true, null);
            }

            return (false, current);
        }
        finally
        {
            _writes.Release();
        }
    }

    /// <summary>
    /// Sends what differs from the newest version known here, which the API server takes only where it has no newer one; else it is
    /// read. Returns the pod as it stands there now; null where it is gone.
    /// </summary>
    private async Task<Pod?> SendAsync(Pod known, PodStatus status, PodUid uid, CancellationToken cancellationToken)
    {
        PodStatus merged = PodStatusMerge.Merge(known, status, couldHaveRunningContainers(uid));
        if (PodStatusMerge.Same(known.Status, merged))
        {
            return known;
        }

        if (known.Metadata.ResourceVersion is { Length: > 0 })
        {
            try
            {
                return await writer.PatchStatusAsync(known, merged, exactly: true, cancellationToken);
            }
            catch (StalePodException)
            {
                // Somebody wrote it since: what counts is what is there.
            }
        }

        Pod? current = await writer.GetAsync(known.Metadata.Namespace ?? "", known.Metadata.Name ?? "", cancellationToken);
        if (current is null || current.Uid != known.Uid)
        {
            return null;
        }

        merged = PodStatusMerge.Merge(current, status, couldHaveRunningContainers(uid));
        return PodStatusMerge.Same(current.Status, merged) ? current : await writer.PatchStatusAsync(current, merged, exactly: false, cancellationToken);
    }
}
