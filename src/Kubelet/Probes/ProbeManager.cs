using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Probes;

/// <summary>What the probe manager works with.</summary>
/// <param name="Targets">What is known of containers.</param>
/// <param name="Exec">Runs commands.</param>
/// <param name="Events">For Unhealthy and ProbeWarning.</param>
/// <param name="Metrics">Counters.</param>
/// <param name="Work">Threads for resolving host names.</param>
public sealed record ProbeManagerParts(IProbeTargets Targets, IExecProber Exec, IPodEventRecorder Events, ProbeMetrics Metrics, BlockingWork Work);

/// <summary>
/// Probes the containers of pods. All probes wait on one timer; a try is an asynchronous call, so a thousand probes need no
/// thread of their own. Source: pkg/kubelet/prober.
/// </summary>
public sealed partial class ProbeManager : IProbeManager, IDisposable
{
    private const int MaximumTries = 3;
    private static readonly TimeSpan RestartGrace = TimeSpan.FromSeconds(10);

    private readonly ProbeManagerParts _parts;
    private readonly TimeProvider _time;
    private readonly ILogger<ProbeManager> _logger;
    private readonly DateTimeOffset _startedAt;
    private readonly ProbeTimerQueue<ProbeWorker> _timers;
    private readonly ConcurrentDictionary<PodUid, ProbeWorker[]> _pods = new();
    private readonly ConcurrentDictionary<(ContainerId, ProbeType), ProbeResult> _verdicts = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly HttpProber _http;
    private readonly TcpProber _tcp;
    private readonly GrpcProber _grpc;
    private readonly ExecProber _exec;

    /// <summary>Creates the manager; it probes from the first pod on.</summary>
    public ProbeManager(ProbeManagerParts parts, TimeProvider time, ILogger<ProbeManager> logger)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(time);
        (_parts, _time, _logger, _startedAt) = (parts, time, logger, time.GetUtcNow());
        _timers = new ProbeTimerQueue<ProbeWorker>(time, worker => Look(worker, isDue: true));
        var connector = new ProbeConnector(parts.Work);
        (_http, _tcp, _grpc, _exec) = (new HttpProber(connector, time), new TcpProber(connector, time), new GrpcProber(connector, time), new ExecProber(parts.Exec, time));
    }

    /// <inheritdoc/>
    public event Action<ProbeUpdate>? Changed;

    /// <inheritdoc/>
    public void AddPod(Pod pod)
    {
        ArgumentNullException.ThrowIfNull(pod);
        ProbeWorker[] workers = [.. ProbeWorker.Of(pod)];
        if (workers.Length > 0 && _pods.TryAdd(pod.Uid, workers))
        {
            Array.ForEach(workers, w => Look(w, isDue: false));
        }
    }

    /// <inheritdoc/>
    public void RemovePod(PodUid uid)
    {
        if (!_pods.TryRemove(uid, out ProbeWorker[]? workers))
        {
            return;
        }

        foreach (ProbeWorker worker in workers)
        {
            lock (worker.Gate)
            {
                Stop(worker);
                if (worker.State.Container is { } container)
                {
                    _verdicts.TryRemove((container, worker.Type), out _);
                }
            }

            _parts.Metrics.Forget(worker.Pod.Ref, worker.Container.Name, worker.Type);
        }
    }

    /// <inheritdoc/>
    public void StopLivenessAndStartup(PodUid uid)
    {
        foreach (ProbeWorker worker in _pods.GetValueOrDefault(uid) ?? [])
        {
            if (worker.Type is ProbeType.Liveness or ProbeType.Startup)
            {
                lock (worker.Gate)
                {
                    Stop(worker);
                    Remember(worker, worker.State with { Verdict = ProbeResult.Success });
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Observe(PodUid uid)
    {
        foreach (ProbeWorker worker in _pods.GetValueOrDefault(uid) ?? [])
        {
            Look(worker, isDue: false);
        }
    }

    /// <inheritdoc/>
    public ProbeResult? Get(ContainerId container, ProbeType type) => _verdicts.TryGetValue((container, type), out ProbeResult result) ? result : null;

    /// <inheritdoc/>
    public bool HasProbe(PodUid uid, string containerName, ProbeType type)
        => _pods.TryGetValue(uid, out ProbeWorker[]? workers) && Array.Exists(workers, w => w.Type == type && w.Container.Name == containerName);

    /// <summary>Ends all probes.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _timers.Dispose();
        _http.Dispose();
        _exec.Dispose();
        _stop.Dispose();
    }

    private void Stop(ProbeWorker worker)
    {
        worker.IsStopped = true;
        _timers.Clear(worker);
    }

    // Decides what the worker does next. isDue: its time has come; else something was observed.
    private void Look(ProbeWorker worker, bool isDue)
    {
        lock (worker.Gate)
        {
            if (worker.IsStopped)
            {
                return;
            }

            if (worker.IsProbing)
            {
                worker.LookAgain = true;
                return;
            }

            bool isNew = worker.State.Container is not { } known || Sight(worker).Container != known;
            ProbeStep step = ProbeDecision.Next(worker.Type, worker.Times, worker.State, Sight(worker), _time.GetUtcNow());
            Remember(worker, step.State);
            if (step.Wait is not { } wait)
            {
                _timers.Clear(worker);
            }
            else if (wait > TimeSpan.Zero)
            {
                _timers.Set(worker, _timers.After(_time.GetTimestamp(), wait));
            }
            else if (isDue || isNew || !_timers.Has(worker))
            {
                Begin(worker);
            }
        }
    }

    private void Begin(ProbeWorker worker)
    {
        if (!worker.WasSpread)
        {
            // After a restart of the agent all probes of all pods would fall on one moment.
            worker.WasSpread = true;
            if (worker.State.Verdict is null && _time.GetUtcNow() - _startedAt < worker.Times.Period)
            {
                _timers.Set(worker, _timers.After(_time.GetTimestamp(), worker.Times.Period * Random.Shared.NextDouble()));
                return;
            }
        }

        worker.IsProbing = true;
        worker.LastDue = _time.GetTimestamp();
        _timers.Clear(worker);
        _ = Task.Run(() => ProbeAsync(worker, worker.State.Container!.Value), CancellationToken.None);
    }

    private async Task ProbeAsync(ProbeWorker worker, ContainerId container)
    {
        AttemptResult result = default;
        long began = _time.GetTimestamp();
        try
        {
            for (int i = 0; i < MaximumTries; i++)
            {
                result = await TryAsync(worker, container);
                if (result.Outcome != AttemptOutcome.Error)
                {
                    break;
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            return;
        }
#pragma warning disable CA1031 // A fault of the prober is no verdict on the container; the next try is due as ever.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogFault(worker.Pod.Ref, worker.Container.Name, worker.Type, e);
            result = new(AttemptOutcome.Error, e.Message);
        }

        Finish(worker, container, result, _time.GetElapsedTime(began));
    }

    private async Task<AttemptResult> TryAsync(ProbeWorker worker, ContainerId container)
    {
        string ip = _parts.Targets.PodIP(worker.Pod.Uid) ?? "";
        var attempt = new ProbeAttempt(worker.Probe, worker.Container, container, ip, worker.Times.Timeout);
        return worker.Probe switch
        {
            { Exec: not null } => await _exec.ProbeAsync(attempt, _stop.Token),
            { HttpGet: not null } => await _http.ProbeAsync(attempt, _stop.Token),
            { TcpSocket: not null } => await _tcp.ProbeAsync(attempt, _stop.Token),
            { Grpc: not null } => await _grpc.ProbeAsync(attempt, _stop.Token),
            _ => new(AttemptOutcome.Error, $"missing probe handler for {worker.Pod.Ref}:{worker.Container.Name}"),
        };
    }

    private void Finish(ProbeWorker worker, ContainerId container, AttemptResult result, TimeSpan took)
    {
        bool again;
        lock (worker.Gate)
        {
            worker.IsProbing = false;
            if (worker.IsStopped)
            {
                return;
            }

            again = worker.LookAgain;
            worker.LookAgain = false;
            // A container that ended or was replaced meanwhile is not judged by this.
            ProbeSight sight = Sight(worker);
            if (sight.Container == container && sight.Phase == ProbeTargetPhase.Running)
            {
                Judge(worker, result, took);
            }

            long next = _timers.OnGrid(_timers.After(worker.LastDue, worker.Times.Period));
            _timers.Set(worker, Math.Max(next, _time.GetTimestamp()));
            again |= worker.State.OnHold;
        }

        if (again)
        {
            Look(worker, isDue: false);
        }

        if (worker.Type == ProbeType.Startup && worker.State.Verdict == ProbeResult.Success)
        {
            Observe(worker.Pod.Uid);
        }
    }

    private void Judge(ProbeWorker worker, AttemptResult result, TimeSpan took)
    {
        switch (result.Outcome)
        {
            case AttemptOutcome.Error:
                Record(worker, "Unhealthy", $"{worker.Type} probe errored and resulted in unknown state: {result.Text}");
                return;
            case AttemptOutcome.Warning:
                Record(worker, "ProbeWarning", $"{worker.Type} probe warning: {result.Text}");
                break;
            case AttemptOutcome.Failure:
                Record(worker, "Unhealthy", $"{worker.Type} probe failed: {result.Text}");
                break;
            default:
                break;
        }

        bool success = result.Outcome != AttemptOutcome.Failure;
        _parts.Metrics.Observed(worker.Pod.Ref, worker.Container.Name, worker.Type, success, took);
        Remember(worker, ProbeDecision.After(worker.Type, worker.Times, worker.State, success ? ProbeResult.Success : ProbeResult.Failure));
    }

    private void Record(ProbeWorker worker, string reason, string text)
        => _parts.Events.Record(worker.Pod, worker.Container.Name, "Warning", reason, text);

    // Verdicts are published under the worker's lock, so that they come in order.
    private void Remember(ProbeWorker worker, ProbeState state)
    {
        ProbeState old = worker.State;
        worker.State = state;
        if (old.Container is { } gone && gone != state.Container)
        {
            _verdicts.TryRemove((gone, worker.Type), out _);
        }

        if (state is { Container: { } container, Verdict: { } verdict } && (old.Container != container || old.Verdict != verdict))
        {
            _verdicts[(container, worker.Type)] = verdict;
            Changed?.Invoke(new ProbeUpdate(worker.Pod.Ref, container, worker.Type, verdict));
        }
    }

    private ProbeSight Sight(ProbeWorker worker)
    {
        if (_parts.Targets.Find(worker.Pod.Uid, worker.Container.Name) is not { } status)
        {
            return default;
        }

        bool survived = status.State == RuntimeContainerState.Running && status.StartedAt != default && status.StartedAt < _startedAt - RestartGrace;
        return new ProbeSight(
            status.Id,
            status.State switch
            {
                RuntimeContainerState.Running => ProbeTargetPhase.Running,
                RuntimeContainerState.Exited => ProbeTargetPhase.Ended,
                _ => ProbeTargetPhase.Pending,
            },
            status.StartedAt, IsStarted(worker, status.Id, survived), survived);
    }

    private bool IsStarted(ProbeWorker worker, ContainerId id, bool survived)
    {
        if (worker.Container.StartupProbe is null || Get(id, ProbeType.Startup) == ProbeResult.Success)
        {
            return true;
        }

        return survived && _parts.Targets.LastStatus(worker.Pod.Uid) is { } last
            && last.ContainerStatuses.Concat(last.InitContainerStatuses).Any(c => c.ContainerID == id.ToString() && c.Started == true);
    }

    [LoggerMessage(2800, LogLevel.Error, "Pod {Pod}, container {Container}: the {Type} probe could not be carried out")]
    private partial void LogFault(PodRef pod, string container, ProbeType type, Exception fault);
}
