namespace NodeAgent.Grpc.Client;

/// <summary>A connect that failed, with an endpoint in its sentence.</summary>
internal sealed class ConnectFailedException(string message, Exception inner) : IOException(message, inner);

/// <summary>Lets one connect through at a time of failure, then refuses with the same failure until the wait is over.</summary>
internal sealed class ConnectBackoff(TimeProvider time, TimeSpan initial, TimeSpan most)
{
    private readonly Lock _lock = new();
    private TimeSpan _wait;
    private long _since;
    private ConnectFailedException? _last;

    public void ThrowIfWaiting()
    {
        lock (_lock)
        {
            if (_last is not null && time.GetElapsedTime(_since) < _wait)
                throw new ConnectFailedException(_last.Message, _last.InnerException ?? _last);
        }
    }

    public void Succeeded()
    {
        lock (_lock) _last = null;
    }

    public void Failed(ConnectFailedException failure)
    {
        lock (_lock)
        {
            _wait = _last is null ? initial : TimeSpan.FromTicks(Math.Min(most.Ticks, _wait.Ticks * 2));
            _last = failure;
            _since = time.GetTimestamp();
        }
    }
}
