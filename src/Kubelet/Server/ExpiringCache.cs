using System.Collections.Concurrent;

namespace NodeAgent.Kubelet.Server;

/// <summary>A bounded cache whose entries expire. When full, the expired ones go, then all.</summary>
/// <typeparam name="TKey">Key.</typeparam>
/// <typeparam name="TValue">Value.</typeparam>
/// <param name="capacity">Most entries.</param>
/// <param name="time">Clock.</param>
internal sealed class ExpiringCache<TKey, TValue>(int capacity, TimeProvider time)
    where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, (TValue Value, DateTimeOffset Expires)> _entries = new();

    public bool TryGet(TKey key, out TValue value)
    {
        bool found = _entries.TryGetValue(key, out (TValue Value, DateTimeOffset Expires) entry) && entry.Expires > time.GetUtcNow();
        value = entry.Value;
        return found;
    }

    public void Set(TKey key, TValue value, TimeSpan lifetime)
    {
        if (lifetime <= TimeSpan.Zero)
        {
            return;
        }

        DateTimeOffset now = time.GetUtcNow();
        if (_entries.Count >= capacity)
        {
            foreach (KeyValuePair<TKey, (TValue Value, DateTimeOffset Expires)> old in _entries.Where(e => e.Value.Expires <= now))
            {
                _entries.TryRemove(old);
            }

            if (_entries.Count >= capacity)
            {
                _entries.Clear();
            }
        }

        _entries[key] = (value, now + lifetime);
    }
}
