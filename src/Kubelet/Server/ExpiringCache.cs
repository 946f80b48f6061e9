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
    private readonly ConcurrentDictionary<TKey, (TValue Value, long SetAt, TimeSpan Lifetime)> _entries = new();

    public bool TryGet(TKey key, out TValue value)
    {
        bool found = _entries.TryGetValue(key, out (TValue Value, long SetAt, TimeSpan Lifetime) entry) && time.GetElapsedTime(entry.SetAt) < entry.Lifetime;
        value = entry.Value;
        return found;
    }

    public void Set(TKey key, TValue value, TimeSpan lifetime)
    {
        if (lifetime <= TimeSpan.Zero)
        {
            return;
        }

        long now = time.GetTimestamp();
        if (_entries.Count >= capacity)
        {
            foreach (KeyValuePair<TKey, (TValue Value, long SetAt, TimeSpan Lifetime)> old in _entries.Where(e => time.GetElapsedTime(e.Value.SetAt, now) >= e.Value.Lifetime))
            {
                _entries.TryRemove(old);
            }

            if (_entries.Count >= capacity)
            {
                _entries.Clear();
            }
        }

        _entries[key] = (value, now, lifetime);
    }
}
