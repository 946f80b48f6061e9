namespace NodeAgent.Kubelet.Images;

/// <summary>A token bucket that refuses instead of waiting.</summary>
/// <param name="perSecond">registryPullQPS; zero = no limit.</param>
/// <param name="burst">registryBurst.</param>
/// <param name="time">Clock.</param>
internal sealed class PullRateLimit(double perSecond, int burst, TimeProvider time)
{
    private readonly Lock _lock = new();
    private double _tokens = burst;
    private long _at = time.GetTimestamp();

    public bool TryTake()
    {
        if (perSecond <= 0)
        {
            return true;
        }

        lock (_lock)
        {
            long now = time.GetTimestamp();
            _tokens = Math.Min(burst, _tokens + (time.GetElapsedTime(_at, now).TotalSeconds * perSecond));
            _at = now;
            if (_tokens < 1)
            {
                return false;
            }

            _tokens--;
            return true;
        }
    }
}
