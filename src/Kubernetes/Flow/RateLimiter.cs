namespace NodeAgent.Kubernetes.Flow;

/// <summary>A token bucket: <c>burst</c> at once, then <c>perSecond</c>; waiters are served in order. Without tokens there is no timer.</summary>
public sealed class RateLimiter
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly double _perSecond;
    private readonly double _burst;
    private double _tokens;
    private long _last;

    /// <summary>A full bucket.</summary>
    /// <param name="perSecond">Tokens that come back in a second; 0 or less means: no limit.</param>
    /// <param name="burst">Tokens the bucket holds, at least one.</param>
    /// <param name="time">The clock.</param>
    public RateLimiter(double perSecond, int burst, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        _time = time;
        _perSecond = perSecond;
        _burst = Math.Max(1, burst);
        _tokens = _burst;
        _last = time.GetTimestamp();
    }

    /// <summary>Takes a token if there is one.</summary>
    public bool TryAccept()
    {
        if (_perSecond <= 0)
            return true;
        lock (_gate)
        {
            Refill();
            if (_tokens < 1)
                return false;
            _tokens--;
            return true;
        }
    }

    /// <summary>Takes a token, waiting for it if need be.</summary>
    public async ValueTask AcceptAsync(CancellationToken cancellationToken)
    {
        TimeSpan wait = Reserve();
        if (wait <= TimeSpan.Zero)
            return;
        try
        {
            await Task.Delay(wait, _time, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            lock (_gate)
                _tokens = Math.Min(_burst, _tokens + 1);
            throw;
        }
    }

    private TimeSpan Reserve()
    {
        if (_perSecond <= 0)
            return TimeSpan.Zero;
        lock (_gate)
        {
            Refill();
            _tokens--;
            return _tokens >= 0 ? TimeSpan.Zero : TimeSpan.FromSeconds(-_tokens / _perSecond);
        }
    }

    private void Refill()
    {
        long now = _time.GetTimestamp();
        _tokens = Math.Min(_burst, _tokens + (_time.GetElapsedTime(_last, now).TotalSeconds * _perSecond));
        _last = now;
    }
}
