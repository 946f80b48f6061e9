using Microsoft.Extensions.Logging;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>
/// Asks the runtime for its status: every 100 ms until it is first ready (at most 2 minutes), then every 5 s.
/// Changes between well and not are logged once. Source: updateRuntimeUp in pkg/kubelet/kubelet.go.
/// </summary>
/// <param name="source">The runtime.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
public sealed partial class RuntimeStateMonitor(IRuntimeStatusSource source, TimeProvider time, ILogger<RuntimeStateMonitor> logger)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan StartPeriod = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan StartPhase = TimeSpan.FromMinutes(2);
    private readonly TaskCompletionSource _firstReady = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RuntimeState _state = RuntimeState.Initial;
    private string? _logged = "";

    /// <summary>The last known state.</summary>
    public RuntimeState State => Volatile.Read(ref _state);

    /// <summary>Ends when RuntimeReady was first true.</summary>
    public Task FirstRuntimeReady => _firstReady.Task;

    /// <summary>Called when readiness or a reason changed; must not block.</summary>
    public event Action? Changed;

    /// <summary>Asks until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        long started = time.GetTimestamp();
        while (!cancellationToken.IsCancellationRequested)
        {
            await AskOnceAsync(cancellationToken);
            bool starting = !State.IsReady(time) && !_firstReady.Task.IsCompleted && time.GetElapsedTime(started) < StartPhase;
            await Task.Delay(starting ? StartPeriod : Period, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Asks once now.</summary>
    public async Task AskOnceAsync(CancellationToken cancellationToken)
    {
        RuntimeState before = State, after;
        try
        {
            after = await source.AskAsync(cancellationToken) with { AnsweredAt = time.GetTimestamp(), CallError = null };
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            after = before with { CallError = e.Message };
        }

        Volatile.Write(ref _state, after);
        Log(after);
        if (after is { AnsweredAt: not null, CallError: null, RuntimeNotReady: null })
        {
            _firstReady.TrySetResult();
        }

        if (before.CallError is null != after.CallError is null || before.RuntimeNotReady != after.RuntimeNotReady
            || before.NetworkNotReady != after.NetworkNotReady || before.AnsweredAt is null != after.AnsweredAt is null)
        {
            Changed?.Invoke();
        }
    }

    private void Log(RuntimeState state)
    {
        string? trouble = state.CallError ?? state.RuntimeNotReady ?? state.NetworkNotReady;
        if (trouble == _logged)
        {
            return;
        }

        if (trouble is null)
        {
            LogReady(state.Name, state.Version);
        }
        else
        {
            LogNotReady(trouble);
        }

        _logged = trouble;
    }

    [LoggerMessage(3001, LogLevel.Information, "Container runtime {Name} {Version} is ready")]
    private partial void LogReady(string name, string version);

    [LoggerMessage(3002, LogLevel.Warning, "Container runtime is not ready: {Reason}")]
    private partial void LogNotReady(string reason);
}
