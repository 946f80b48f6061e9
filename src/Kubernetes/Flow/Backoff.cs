namespace NodeAgent.Kubernetes.Flow;

/// <summary>
/// Exponential back-off for each key, as client-go's flowcontrol.Backoff: the first wait is the initial one, each further doubles
/// up to the maximum, and a key left alone for more than twice the maximum starts anew.
/// </summary>
/// <typeparam name="TKey">The key.</typeparam>
public sealed class Backoff<TKey>(TimeSpan initial, TimeSpan maximum, TimeProvider time)
    where TKey : notnull
{
    private readonly record struct Entry(TimeSpan Wait, DateTimeOffset LastUpdate, TimeSpan Maximum);

    private readonly Lock _gate = new();
    private readonly Dictionary<TKey, Entry> _entries = [];

    /// <summary>The present wait of a key; zero for an unknown one.</summary>
    public TimeSpan Get(TKey key)
    {
        lock (_gate)
            return _entries.TryGetValue(key, out Entry entry) ? entry.Wait : TimeSpan.Zero;
    }

    /// <summary>Moves the key to its next wait after a failure at <paramref name="eventTime"/>. Limits of one key may differ from the common ones.</summary>
    public TimeSpan Next(TKey key, DateTimeOffset eventTime, TimeSpan? initialOfKey = null, TimeSpan? maximumOfKey = null)
    {
        TimeSpan first = initialOfKey ?? initial, most = maximumOfKey ?? maximum;
        lock (_gate)
        {
            bool fresh = !_entries.TryGetValue(key, out Entry entry) || Expired(entry, eventTime);
            TimeSpan wait = fresh ? first : TimeSpan.FromTicks(Math.Min(entry.Wait.Ticks * 2, most.Ticks));
            _entries[key] = new Entry(wait, time.GetUtcNow(), most);
            return wait;
        }
    }

    /// <summary>Moves the key to its next wait, counted from the clock's now.</summary>
    public TimeSpan Next(TKey key) => Next(key, time.GetUtcNow());

    /// <summary>True when less than the key's wait has passed since <paramref name="eventTime"/> (the last failure), for example a container's end.</summary>
    public bool IsInBackoffSince(TKey key, DateTimeOffset eventTime)
    {
        DateTimeOffset now = time.GetUtcNow();
        lock (_gate)
            return _entries.TryGetValue(key, out Entry entry) && !Expired(entry, eventTime) && now - eventTime < entry.Wait;
    }

    /// <summary>True when less than the key's wait has passed since the last <see cref="Next(TKey)"/>, counted at <paramref name="eventTime"/>.</summary>
    public bool IsInBackoffSinceUpdate(TKey key, DateTimeOffset eventTime)
    {
        lock (_gate)
            return _entries.TryGetValue(key, out Entry entry) && !Expired(entry, eventTime) && eventTime - entry.LastUpdate < entry.Wait;
    }

    /// <summary>Forgets a key.</summary>
    public void Reset(TKey key)
    {
        lock (_gate)
            _entries.Remove(key);
    }

    /// <summary>Forgets keys that would start anew anyway. Call now and then.</summary>
    public void CollectGarbage()
    {
        DateTimeOffset now = time.GetUtcNow();
        lock (_gate)
        {
            foreach ((TKey key, Entry entry) in _entries)
            {
                if (Expired(entry, now))
                    _entries.Remove(key);
            }
        }
    }

    private static bool Expired(Entry entry, DateTimeOffset now) => now - entry.LastUpdate > entry.Maximum * 2;
}
