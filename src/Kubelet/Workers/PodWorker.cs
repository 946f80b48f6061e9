using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Workers;

/// <summary>
/// The one writer of one pod. Others post facts; passes run one after another, the newest facts win, and a pass that syncs is
/// cancelled when the pod is to end. No task, thread or timer exists while there is nothing to do.
/// </summary>
internal sealed partial class PodWorker
{
    private static readonly TimeSpan FirstErrorDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromDays(1);
    private static readonly TimeSpan LongestErrorDelay = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly IPodSyncer _syncer;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Action<PodWorker> _finished;
    private readonly WorkerDispatch _dispatch;
    private readonly ITimer _timer;
    private readonly CancellationToken _stop;

    private Pod _pod;
    private PodWorkerState _state;
    private bool _pending;
    private bool _running;
    private bool _blocked;
    private CancellationTokenSource? _pass;
    private int _failures;

    public PodWorker(Pod pod, PodWorkerState state, IPodSyncer syncer, PodWorkerContext context, Action<PodWorker> finished)
    {
        _pod = pod;
        _state = state;
        _syncer = syncer;
        _time = context.Time;
        _logger = context.Logger;
        _stop = context.Stop;
        _dispatch = context.Dispatch;
        _finished = finished;
        _timer = _time.CreateTimer(static w => ((PodWorker)w!).Wake(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Uid = pod.Uid;
    }

    public PodUid Uid { get; }

    public Pod Pod
    {
        get
        {
            lock (_lock)
            {
                return _pod;
            }
        }
    }

    public PodWorkerState State
    {
        get
        {
            lock (_lock)
            {
                return _state;
            }
        }
    }

    /// <summary>Holds a worker back before its first pass (a static pod whose predecessor of that name still ends).</summary>
    public void Block()
    {
        lock (_lock)
        {
            _blocked = true;
        }
    }

    public void Unblock()
    {
        lock (_lock)
        {
            _blocked = false;
        }

        Wake();
    }

    /// <summary>Posts facts: the newest object, that it left its source, or that the node ends it.</summary>
    /// <param name="pod">Null where only the other facts are new.</param>
    /// <param name="removed">It left its source.</param>
    /// <param name="kill">The node ends it.</param>
    /// <param name="wake">False where the object's change alone needs no pass (our own status coming back).</param>
    public void Post(Pod? pod, bool removed, PodKill? kill, bool wake = true)
    {
        lock (_lock)
        {
            PodWorkerState before = _state;
            _pod = pod ?? _pod;
            _state = _state.Apply(pod, removed, kill);
            bool endsNow = before.Phase == PodWorkPhase.Syncing && _state.Phase != PodWorkPhase.Syncing;
            bool shorter = before.Phase == PodWorkPhase.Terminating && _state.Grace is { } now && (before.Grace is null || now < before.Grace);
            if (endsNow || shorter)
            {
                _failures = 0;
                _pass?.Cancel();
                wake = true;
            }

            _blocked &= _state.Phase == PodWorkPhase.Syncing;
        }

        if (wake)
        {
            Wake();
        }
    }

    /// <summary>Asks for a pass soon.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            _pending = true;
            if (_running || _blocked || _state.Phase == PodWorkPhase.Finished || _stop.IsCancellationRequested)
            {
                return;
            }

            _running = true;
        }

        _dispatch.Queued();
        _ = Task.Run(RunAsync, CancellationToken.None);
    }

    private async Task RunAsync()
    {
        _dispatch.Begun();
        while (true)
        {
            Pod pod;
            PodWorkerState state;
            CancellationTokenSource pass;
            lock (_lock)
            {
                if (!_pending || _blocked || _state.Phase == PodWorkPhase.Finished || _stop.IsCancellationRequested)
                {
                    _running = false;
                    return;
                }

                _pending = false;
                (pod, state) = (_pod, _state);
                pass = _pass = CancellationTokenSource.CreateLinkedTokenSource(_stop);
            }

            PodPassResult result = await PassAsync(pod, state, pass.Token);
            Finish(state, result, pass);
        }
    }

    private async Task<PodPassResult> PassAsync(Pod pod, PodWorkerState state, CancellationToken cancellationToken)
    {
        try
        {
            return state.Phase switch
            {
                PodWorkPhase.Syncing => await _syncer.SyncAsync(pod, cancellationToken),
                PodWorkPhase.Terminating => await _syncer.SyncTerminatingAsync(pod, state, cancellationToken),
                _ => await _syncer.SyncTerminatedAsync(pod, state, cancellationToken),
            };
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return new PodPassResult(PodPassOutcome.Again);
        }
        catch (Exception e)
        {
            LogPassFailed(pod.Ref, state.Phase, e.Message, e);
            return new PodPassResult(PodPassOutcome.Again, ErrorDelay());
        }
    }

    private TimeSpan ErrorDelay()
    {
        TimeSpan delay = FirstErrorDelay * Math.Pow(2, Math.Min(_failures++, 6));
        return (delay < LongestErrorDelay ? delay : LongestErrorDelay) * (1 + Random.Shared.NextDouble() / 2);
    }

    // Timers take no more than 49 days; a deadline may lie decades ahead.
    private static TimeSpan Within(TimeSpan delay) => delay < TimeSpan.Zero ? TimeSpan.Zero : delay < LongestDelay ? delay : LongestDelay;

    private void Finish(PodWorkerState passed, PodPassResult result, CancellationTokenSource pass)
    {
        bool finished;
        lock (_lock)
        {
            _pass = null;
            if (_state.Phase == passed.Phase)
            {
                _state = _state.Advance(result.Outcome);
            }

            bool moved = _state.Phase != passed.Phase;
            _pending |= moved || pass.IsCancellationRequested;
            if (result.Outcome != PodPassOutcome.Again)
            {
                _failures = 0;
            }

            _timer.Change(result.RetryAfter is { } after && !moved ? Within(after) : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            finished = _state.Phase == PodWorkPhase.Finished;
        }

        pass.Dispose();
        if (finished)
        {
            _timer.Dispose();
            _finished(this);
        }
    }

    [LoggerMessage(2100, LogLevel.Warning, "Pod {Pod}: {Phase} pass failed, will be tried again: {Error}")]
    private partial void LogPassFailed(PodRef pod, PodWorkPhase phase, string error, Exception exception);
}

/// <summary>What all workers share.</summary>
/// <param name="Time">Clock.</param>
/// <param name="Logger">Logger.</param>
/// <param name="Dispatch">Counts passes that wait for a thread.</param>
/// <param name="Stop">The agent is stopping: no new pass is begun, pods are left running.</param>
internal sealed record PodWorkerContext(TimeProvider Time, ILogger Logger, WorkerDispatch Dispatch, CancellationToken Stop);
