namespace NodeAgent.Kubelet.Probes;

/// <summary>The time one try has, counted from its start, and whose fault it is when it is up.</summary>
internal sealed class ProbeDeadline : IAsyncDisposable
{
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly CancellationTokenSource _limit;
    private readonly CancellationTokenSource _both;

    /// <summary>Starts the clock.</summary>
    public ProbeDeadline(TimeSpan timeout, TimeProvider time, CancellationToken stop)
    {
        (_timeout, _time, _start) = (timeout, time, time.GetTimestamp());
        _limit = new CancellationTokenSource(timeout, time);
        _both = CancellationTokenSource.CreateLinkedTokenSource(_limit.Token, stop);
    }

    /// <summary>Ends when the time is up or the agent ends.</summary>
    public CancellationToken Token => _both.Token;

    /// <summary>True where the time is up.</summary>
    public bool IsUp => _limit.IsCancellationRequested;

    /// <summary>True where the time was up well before anyone here noticed: the agent had no CPU, so the container cannot be blamed.</summary>
    public bool WasNoticedLate => IsUp && _time.GetElapsedTime(_start) > _timeout + ProbeSupport.OwnLateness;

    /// <summary>A failure, or an error where a time-out is the agent's own lateness.</summary>
    public AttemptResult Judge(Exception error, string text) => error is OperationCanceledException && WasNoticedLate
        ? new(AttemptOutcome.Error, $"the agent itself was late: it noticed the end of {ProbeSupport.Seconds(_timeout)} after {_time.GetElapsedTime(_start).TotalSeconds:0.0} s")
        : new(AttemptOutcome.Failure, text);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _both.Dispose();
        _limit.Dispose();
        return ValueTask.CompletedTask;
    }
}
