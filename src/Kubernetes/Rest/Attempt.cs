namespace NodeAgent.Kubernetes.Rest;

/// <summary>
/// One attempt of a request: its answer, its right to a connection, and the token that ends it, by the caller, by its time limit
/// or because the connections were dropped.
/// </summary>
internal sealed class Attempt : IDisposable
{
    private readonly CancellationTokenSource _source;
    private readonly ConnectionSet.Lease _lease;
    private readonly CancellationToken _caller;
    private readonly ITimer? _timer;
    private volatile bool _timedOut;

    internal Attempt(ConnectionSet.Lease lease, TimeSpan timeout, TimeProvider time, CancellationToken caller)
    {
        _lease = lease;
        _caller = caller;
        _source = CancellationTokenSource.CreateLinkedTokenSource(caller, lease.Aborted);
        if (timeout > TimeSpan.Zero)
            _timer = time.CreateTimer(static state => ((Attempt)state!).Expire(), this, timeout, Timeout.InfiniteTimeSpan);
    }

    internal HttpResponseMessage? Response { get; set; }

    internal CancellationToken Token => _source.Token;

    internal HttpMessageInvoker Invoker => _lease.Invoker;

    /// <summary>What a failure of this attempt means; the caller's own cancellation stays what it is.</summary>
    internal Exception Explain(Exception e, string request, ClientConfiguration configuration)
    {
        _caller.ThrowIfCancellationRequested();
        if (_timedOut)
            return new ApiUnreachableException($"{request}: no answer from {configuration.Server} within the time limit", e, timedOut: true);
        if (_lease.Aborted.IsCancellationRequested)
            return new ApiUnreachableException($"{request}: the connections to {configuration.Server} were dropped", e);
        return new ApiUnreachableException($"{request}: {ConnectionErrors.Describe(e, configuration)}", e);
    }

    public void Dispose()
    {
        _timer?.Dispose();
        Response?.Dispose();
        _lease.Dispose();
        _source.Dispose();
    }

    private void Expire()
    {
        _timedOut = true;
        try
        {
            _source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The attempt ended in the same moment.
        }
    }
}
