namespace NodeAgent.Grpc.Client;

/// <summary>Joins the caller's token and the deadline, and tells afterwards which of them ended the call.</summary>
internal sealed class CallLifetime : IDisposable
{
    private readonly CancellationToken _caller;
    private readonly TimeSpan? _timeout;
    private readonly CancellationTokenSource? _deadline;
    private readonly CancellationTokenSource? _joined;

    public CallLifetime(TimeSpan? timeout, TimeProvider time, CancellationToken caller)
    {
        _caller = caller;
        _timeout = timeout;
        if (timeout is not { } span)
        {
            Token = caller;
            return;
        }
        _deadline = new CancellationTokenSource(span > TimeSpan.Zero ? span : TimeSpan.Zero, time);
        _joined = caller.CanBeCanceled ? CancellationTokenSource.CreateLinkedTokenSource(_deadline.Token, caller) : null;
        Token = (_joined ?? _deadline).Token;
    }

    public CancellationToken Token { get; }

    public Exception Translate(Exception error, string path)
    {
        if (_caller.IsCancellationRequested) return new OperationCanceledException($"{path} was cancelled by its caller", error, _caller);
        if (_deadline is { IsCancellationRequested: true })
            return new RpcException(new Status(StatusCode.DeadlineExceeded, $"context deadline exceeded: no end of {path} after {_timeout!.Value.TotalSeconds:0.###} s"), error);
        return TransportErrors.ToRpcException(error);
    }

    public void Dispose()
    {
        _joined?.Dispose();
        _deadline?.Dispose();
    }
}
