namespace NodeAgent.Grpc.Http2;

/// <summary>How much we may send: the connection's window, each stream's own, and the initial size for new streams.</summary>
internal sealed class SendWindow
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, long> _streams = [];
    private long _connection = 65535;
    private long _initial = 65535;
    private TaskCompletionSource _changed = NewSignal();

    public void Open(int streamId)
    {
        lock (_lock) _streams[streamId] = _initial;
    }

    public void Close(int streamId)
    {
        lock (_lock) _streams.Remove(streamId);
    }

    /// <summary>Waits until something may be sent on the stream and takes up to <paramref name="wanted"/> of it.</summary>
    public async ValueTask<int> TakeAsync(int streamId, int wanted, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (!_streams.TryGetValue(streamId, out long own)) throw new OperationCanceledException("the stream is closed");
                long free = Math.Min(wanted, Math.Min(own, _connection));
                if (free > 0)
                {
                    _streams[streamId] = own - free;
                    _connection -= free;
                    return (int)free;
                }
                changed = _changed.Task;
            }
            await changed.WaitAsync(cancellationToken);
        }
    }

    /// <returns>False where the window would pass 2^31-1.</returns>
    public bool TryAdd(int streamId, int increment)
    {
        lock (_lock)
        {
            if (streamId == 0)
            {
                if (_connection + increment > int.MaxValue) return false;
                _connection += increment;
            }
            else if (_streams.TryGetValue(streamId, out long own))
            {
                if (own + increment > int.MaxValue) return false;
                _streams[streamId] = own + increment;
            }
            Signal();
            return true;
        }
    }

    public void SetInitial(long size)
    {
        lock (_lock)
        {
            long difference = size - _initial;
            _initial = size;
            foreach (int id in _streams.Keys.ToArray()) _streams[id] += difference;
            Signal();
        }
    }

    private void Signal()
    {
        TaskCompletionSource previous = _changed;
        _changed = NewSignal();
        previous.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
