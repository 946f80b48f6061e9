namespace NodeAgent.Linux.Syscalls;

/// <summary>Limits of a <see cref="BlockingWork"/>.</summary>
public sealed record BlockingWorkOptions
{
    /// <summary>How many calls may run at once, those that hang not counted.</summary>
    public int MaximumThreads { get; init; } = 16;
    /// <summary>How many calls may hang before new ones wait.</summary>
    public int MaximumHanging { get; init; } = 1024;
    /// <summary>A call that runs longer than this is taken to hang and its place goes to the next.</summary>
    public TimeSpan HangsAfter { get; init; } = TimeSpan.FromSeconds(1);
    /// <summary>How long a thread without work stays.</summary>
    public TimeSpan IdleThreadLife { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>
/// Runs calls that may block in the kernel (mount, umount, statfs, fsync, reads from volumes) on threads of its own, so
/// that a frozen file system never takes a thread of the pool. Calls with one key run one after the other, in the order they
/// came; while one hangs, the rest of its key wait without a thread and other keys go on. What awaits a call goes on on its thread.
/// </summary>
/// <remarks>A call cannot be interrupted: cancelling ends the caller's wait, and the call itself only where it had not begun.</remarks>
public sealed class BlockingWork : IDisposable
{
    private readonly object _gate = new();
    private readonly Dictionary<string, KeyQueue> _keys = new(StringComparer.Ordinal);
    private readonly Queue<KeyQueue> _ready = new();
    private readonly LinkedList<KeyQueue> _running = new();
    private readonly BlockingWorkOptions _options;
    private readonly TimeProvider _time;
    private readonly ITimer _hangTimer;
    private int _threads;
    private int _idle;
    private int _hanging;
    private bool _disposed;

    /// <summary>Creates the set; threads start with the first call.</summary>
    public BlockingWork(BlockingWorkOptions? options = null, TimeProvider? time = null)
    {
        _options = options ?? new BlockingWorkOptions();
        _time = time ?? TimeProvider.System;
        _hangTimer = _time.CreateTimer(static state => ((BlockingWork)state!).FindHanging(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Threads that exist now, hanging ones included.</summary>
    public int ThreadCount
    {
        get { lock (_gate) { return _threads; } }
    }

    /// <summary>True while a call with this key runs or waits.</summary>
    public bool IsBusy(string key)
    {
        lock (_gate)
        {
            return _keys.ContainsKey(key);
        }
    }

    /// <summary>Runs a call after all earlier ones with the same key.</summary>
    /// <param name="key">What may hang: one volume, one mount point.</param>
    /// <param name="call">The call; its exception is the task's.</param>
    /// <param name="cancellationToken">Ends the wait; a call that has begun goes on unseen.</param>
    public Task<T> RunAsync<T>(string key, Func<T> call, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(call);
        return cancellationToken.IsCancellationRequested ? Task.FromCanceled<T>(cancellationToken)
            : cancellationToken.CanBeCanceled ? WaitAsync(Enqueue(key, call), key, Timeout.InfiniteTimeSpan, cancellationToken)
            : Enqueue(key, call).Completion.Task;
    }

    /// <summary>As the other overload, for a call without a result.</summary>
    public Task RunAsync(string key, Action call, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(call);
        return RunAsync(key, () => { call(); return true; }, cancellationToken);
    }

    /// <summary>As <see cref="RunAsync{T}"/>, with an end to the wait.</summary>
    /// <param name="key">What may hang.</param>
    /// <param name="limit">The longest wait, that for earlier calls of the key included.</param>
    /// <param name="call">The call; begun, it goes on unseen after the limit.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="KernelSilentException">The limit has passed.</exception>
    public Task<T> RunWithinAsync<T>(string key, TimeSpan limit, Func<T> call, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(call);
        return cancellationToken.IsCancellationRequested ? Task.FromCanceled<T>(cancellationToken)
            : WaitAsync(Enqueue(key, call), key, limit, cancellationToken);
    }

    /// <summary>As the other overload, for a call without a result.</summary>
    public Task RunWithinAsync(string key, TimeSpan limit, Action call, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(call);
        return RunWithinAsync(key, limit, () => { call(); return true; }, cancellationToken);
    }

    /// <summary>Ends idle threads and fails what has not begun. Calls that run are left to end by themselves.</summary>
    public void Dispose()
    {
        List<Item> dropped = [];
        lock (_gate)
        {
            _disposed = true;
            foreach (KeyQueue queue in _keys.Values)
            {
                dropped.AddRange(queue.Items);
                queue.Items.Clear();
            }

            _ready.Clear();
            Monitor.PulseAll(_gate);
        }

        _hangTimer.Dispose();
        foreach (Item item in dropped)
        {
            item.Drop();
        }
    }

    private Item<T> Enqueue<T>(string key, Func<T> call)
    {
        var item = new Item<T>(call);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (!_keys.TryGetValue(key, out KeyQueue? queue))
            {
                _keys[key] = queue = new KeyQueue(key);
                _ready.Enqueue(queue);
            }

            queue.Items.AddLast(item.Node);
            ProvideThread();
        }

        return item;
    }

    private async Task<T> WaitAsync<T>(Item<T> item, string key, TimeSpan limit, CancellationToken cancellationToken)
    {
        Task<T> ended = item.Completion.Task;
        try
        {
            return await ended.WaitAsync(limit, _time, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            Withdraw(item, key);
            throw;
        }
        catch (TimeoutException e) when (!ReferenceEquals(e, ended.Exception?.InnerException))
        {
            Withdraw(item, key);
            throw new KernelSilentException(key, limit);
        }
    }

    private void Withdraw(Item item, string key)
    {
        lock (_gate)
        {
            // A queue left empty in _ready is skipped by the thread that takes it.
            if (_keys.TryGetValue(key, out KeyQueue? queue) && item.Node.List == queue.Items)
            {
                queue.Items.Remove(item.Node);
            }
        }
    }

    private void ProvideThread()
    {
        if (_idle > 0)
        {
            Monitor.Pulse(_gate);
        }
        else if (_threads - _hanging < _options.MaximumThreads)
        {
            StartThread();
        }
        else if (_hanging < _options.MaximumHanging)
        {
            ArmHangTimer();
        }
    }

    private void StartThread()
    {
        _threads++;
        new Thread(Work, 512 * 1024) { IsBackground = true, Name = "blocking-work" }.Start();
    }

    private void ArmHangTimer()
    {
        foreach (KeyQueue oldest in _running)
        {
            if (!oldest.Hangs)
            {
                TimeSpan left = _options.HangsAfter - _time.GetElapsedTime(oldest.StartedAt);
                _hangTimer.Change(left > TimeSpan.Zero ? left : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
                return;
            }
        }
    }

    private void FindHanging()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            foreach (KeyQueue queue in _running)
            {
                if (!queue.Hangs && _hanging < _options.MaximumHanging && _time.GetElapsedTime(queue.StartedAt) >= _options.HangsAfter)
                {
                    queue.Hangs = true;
                    _hanging++;
                }
            }

            int wanted = Math.Min(_ready.Count - _idle, _options.MaximumThreads - (_threads - _hanging));
            for (int i = 0; i < wanted; i++)
            {
                StartThread();
            }

            if (_ready.Count > 0 && _hanging < _options.MaximumHanging)
            {
                ArmHangTimer();
            }
        }
    }

    private void Work()
    {
        while (Take() is var (queue, item) && queue is not null)
        {
            item!.Run();
            lock (_gate)
            {
                _running.Remove(queue.Node);
                if (queue.Hangs)
                {
                    queue.Hangs = false;
                    _hanging--;
                }

                Requeue(queue);
            }

            // Its key is free by now: whoever waited may go on right here, which wakes no other thread.
            item.Complete();
        }
    }

    private void Requeue(KeyQueue queue)
    {
        if (queue.Items.Count > 0)
        {
            _ready.Enqueue(queue);
        }
        else
        {
            _keys.Remove(queue.Key);
        }
    }

    private (KeyQueue? Queue, Item? Item) Take()
    {
        lock (_gate)
        {
            while (true)
            {
                // Too many threads once a hanging call came back.
                if (_disposed || _threads - _hanging > _options.MaximumThreads)
                {
                    _threads--;
                    return default;
                }

                while (_ready.TryDequeue(out KeyQueue? queue))
                {
                    if (queue.Items.First is not { } first)
                    {
                        _keys.Remove(queue.Key);
                        continue;
                    }

                    queue.Items.RemoveFirst();
                    queue.StartedAt = _time.GetTimestamp();
                    _running.AddLast(queue.Node);
                    return (queue, first.Value);
                }

                _idle++;
                bool pulsed = Monitor.Wait(_gate, _options.IdleThreadLife);
                _idle--;
                if (!pulsed && _ready.Count == 0)
                {
                    _threads--;
                    return default;
                }
            }
        }
    }

    private sealed class KeyQueue
    {
        public KeyQueue(string key)
        {
            Key = key;
            Node = new LinkedListNode<KeyQueue>(this);
        }

        public string Key { get; }
        public LinkedList<Item> Items { get; } = new();
        public LinkedListNode<KeyQueue> Node { get; }
        public long StartedAt { get; set; }
        public bool Hangs { get; set; }
    }

    private abstract class Item
    {
        protected Item() => Node = new LinkedListNode<Item>(this);

        public LinkedListNode<Item> Node { get; }
        public abstract void Run();
        public abstract void Complete();
        public abstract void Drop();
    }

    private sealed class Item<T>(Func<T> call) : Item
    {
        private T? _result;
        private Exception? _failure;

        public TaskCompletionSource<T> Completion { get; } = new();

        public override void Run()
        {
            try
            {
                _result = call();
            }
#pragma warning disable CA1031 // The caller gets it.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                _failure = failure;
            }
        }

        public override void Complete()
        {
            if (_failure is null)
            {
                Completion.SetResult(_result!);
                return;
            }

            Completion.SetException(_failure);
            // Whoever cancelled does not look any more.
            _ = Completion.Task.Exception;
        }

        public override void Drop() => Completion.TrySetException(new ObjectDisposedException(nameof(BlockingWork)));
    }
}
