namespace NodeAgent.Kubernetes.Informers;

/// <summary>Waits that double from the first to the longest, each up to doubled again at random; after two calm minutes from the first anew.</summary>
internal sealed class RetryDelay(TimeSpan initial, TimeSpan maximum, TimeProvider time)
{
    private static readonly TimeSpan Calm = TimeSpan.FromMinutes(2);
    private TimeSpan? _current;
    private long? _last;

    internal TimeSpan Next()
    {
        long now = time.GetTimestamp();
        bool anew = _current is null || (_last is { } last && time.GetElapsedTime(last, now) > Calm);
        TimeSpan current = anew ? initial : _current!.Value;
        _last = now;
        _current = current * 2 < maximum ? current * 2 : maximum;
        return current * (1 + Random.Shared.NextDouble());
    }
}
