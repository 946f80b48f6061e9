namespace NodeAgent.Kubernetes.Flow;

/// <summary>
/// A queue of keys: a key waits at most once, and one being handled is not given out again until <see cref="Done"/>; if added
/// meanwhile, it then comes again. Delayed keys share one timer; no timer runs when none is delayed.
/// </summary>
/// <typeparam name="TKey">The key.</typeparam>
public sealed class WorkQueue<TKey> : IDisposable
    where TKey : notnull
{
    private readonly Lock _gate = new();
    private readonly Queue<TKey> _ready = new();
    private readonly HashSet<TKey> _dirty = [];
    private readonly HashSet<TKey> _processing = [];
    private readonly Dictionary<TKey, DateTimeOffset> _delayed = [];
    private readonly PriorityQueue<TKey, DateTimeOffset> _due = new();
    private readonly SemaphoreSlim _available = new(0);
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private DateTimeOffset _armedFor = DateTimeOffset.MaxValue;
    private bool _closed;

    /// <summary>An empty queue on the clock <paramref name="time"/>.</summary>
    public WorkQueue(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        _time = time;
        _timer = time.CreateTimer(static queue => ((WorkQueue<TKey>)queue!).MoveDue(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Keys ready to be taken.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _ready.Count;
        }
    }

    /// <summary>Adds a key; nothing happens if it waits already.</summary>
    public void Add(TKey key)
    {
        lock (_gate)
            AddLocked(key);
    }

    /// <summary>Adds a key after a delay; of several delays of one key the earliest counts.</summary>
    public void AddAfter(TKey key, TimeSpan delay)
    {
        lock (_gate)
        {
            if (_closed)
                return;
            if (delay <= TimeSpan.Zero)
            {
                AddLocked(key);
                return;
            }
            DateTimeOffset due = _time.GetUtcNow() + delay;
            if (_delayed.TryGetValue(key, out DateTimeOffset earlier) && earlier <= due)
                return;
            _delayed[key] = due;
            _due.Enqueue(key, due);
            Arm();
        }
    }

    /// <summary>Waits for a key. The caller must call <see cref="Done"/> for it.</summary>
    /// <exception cref="OperationCanceledException">Cancelled, or the queue was disposed.</exception>
    public async ValueTask<TKey> TakeAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await _available.WaitAsync(cancellationToken);
            lock (_gate)
            {
                if (_ready.TryDequeue(out TKey? key))
                {
                    _dirty.Remove(key);
                    _processing.Add(key);
                    return key;
                }
                if (_closed)
                {
                    _available.Release();
                    throw new OperationCanceledException("the work queue is closed");
                }
            }
        }
    }

    /// <summary>The key has been handled.</summary>
    public void Done(TKey key)
    {
        lock (_gate)
        {
            _processing.Remove(key);
            if (_dirty.Contains(key) && !_closed)
                Enqueue(key);
        }
    }

    /// <summary>Ends all waits; further keys are ignored.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_closed)
                return;
            _closed = true;
            _timer.Dispose();
            _ready.Clear();
            _available.Release();
        }
    }

    private void AddLocked(TKey key)
    {
        if (_closed || !_dirty.Add(key) || _processing.Contains(key))
            return;
        Enqueue(key);
    }

    private void Enqueue(TKey key)
    {
        _ready.Enqueue(key);
        _available.Release();
    }

    private void MoveDue()
    {
        lock (_gate)
        {
            _armedFor = DateTimeOffset.MaxValue;
            DateTimeOffset now = _time.GetUtcNow();
            while (_due.TryPeek(out TKey? key, out DateTimeOffset due))
            {
                // An entry that a shorter delay has overtaken no longer matches the table.
                bool current = _delayed.TryGetValue(key, out DateTimeOffset wanted) && wanted == due;
                if (current && due > now)
                    break;
                _due.Dequeue();
                if (!current)
                    continue;
                _delayed.Remove(key);
                AddLocked(key);
            }
            if (!_closed)
                Arm();
        }
    }

    private void Arm()
    {
        if (!_due.TryPeek(out _, out DateTimeOffset due) || due >= _armedFor)
            return;
        _armedFor = due;
        TimeSpan wait = due - _time.GetUtcNow();
        // A timer may fire a fraction early: one millisecond more keeps it from firing twice.
        _timer.Change((wait > TimeSpan.Zero ? wait : TimeSpan.Zero) + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
    }
}
