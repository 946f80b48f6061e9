namespace NodeAgent.Kubelet.Probes;

/// <summary>One timer for everything that waits. What is due together fires together.</summary>
/// <typeparam name="T">What waits; one due time each.</typeparam>
internal sealed class ProbeTimerQueue<T> : IDisposable
    where T : class
{
    /// <summary>Repeated due times are moved up to the next multiple of this, so that a thousand probes wake the process ten times a second at most.</summary>
    public static readonly TimeSpan Grid = TimeSpan.FromMilliseconds(100);

    private readonly TimeProvider _time;
    private readonly Action<T> _fire;
    private readonly ITimer _timer;
    private readonly Lock _gate = new();
    private readonly PriorityQueue<T, long> _queue = new();
    private readonly Dictionary<T, long> _due = [];
    private long _armed = long.MaxValue;
    private bool _disposed;

    /// <summary>Creates an empty queue.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="fire">Called on a pool thread; must not block.</param>
    public ProbeTimerQueue(TimeProvider time, Action<T> fire)
    {
        (_time, _fire) = (time, fire);
        _timer = time.CreateTimer(static state => ((ProbeTimerQueue<T>)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>How many wait.</summary>
    public int Count
    {
        get { lock (_gate) { return _due.Count; } }
    }

    /// <summary>The time stamp that lies a while ahead of another.</summary>
    public long After(long timestamp, TimeSpan wait) => timestamp + (long)(wait.TotalSeconds * _time.TimestampFrequency);

    /// <summary>Moves a time stamp up to the grid.</summary>
    public long OnGrid(long timestamp)
    {
        long grid = Math.Max((long)(Grid.TotalSeconds * _time.TimestampFrequency), 1);
        return (timestamp + grid - 1) / grid * grid;
    }

    /// <summary>Sets when an item fires; an earlier setting is forgotten.</summary>
    public void Set(T item, long due)
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _due[item] = due;
            _queue.Enqueue(item, due);
            Arm();
        }
    }

    /// <summary>The item does not fire.</summary>
    public void Clear(T item)
    {
        lock (_gate)
        {
            if (_due.Remove(item) && _due.Count == 0)
            {
                _queue.Clear();
                _armed = long.MaxValue;
                _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>True where the item waits.</summary>
    public bool Has(T item)
    {
        lock (_gate)
        {
            return _due.ContainsKey(item);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _due.Clear();
            _queue.Clear();
        }

        _timer.Dispose();
    }

    private void OnTimer()
    {
        List<T> ready = [];
        lock (_gate)
        {
            _armed = long.MaxValue;
            long now = _time.GetTimestamp();
            while (_queue.TryPeek(out T? item, out long due) && due <= now)
            {
                _queue.Dequeue();
                if (_due.TryGetValue(item, out long valid) && valid == due)
                {
                    _due.Remove(item);
                    ready.Add(item);
                }
            }

            Arm();
        }

        ready.ForEach(_fire);
    }

    private void Arm()
    {
        // Settings that were replaced or cleared would wake us for nothing.
        while (_queue.TryPeek(out T? item, out long due) && !(_due.TryGetValue(item, out long valid) && valid == due))
        {
            _queue.Dequeue();
        }

        if (_disposed || !_queue.TryPeek(out _, out long first) || first >= _armed)
        {
            return;
        }

        _armed = first;
        double seconds = Math.Max(first - _time.GetTimestamp(), 0) / (double)_time.TimestampFrequency;
        // A timer of whole milliseconds that fires early would fire twice.
        _timer.Change(TimeSpan.FromMilliseconds(Math.Ceiling(Math.Min(seconds, 86_400) * 1000)), Timeout.InfiniteTimeSpan);
    }
}
