using System.Threading.Channels;

namespace NodeAgent.FakeCriRuntime;

/// <summary>Gives each subscriber all events from its subscription on.</summary>
internal sealed class EventHub<T>
{
    private readonly Lock _lock = new();
    private readonly List<Channel<T>> _subscribers = [];

    public int Subscribers
    {
        get
        {
            lock (_lock) return _subscribers.Count;
        }
    }

    public void Publish(T value)
    {
        lock (_lock)
            foreach (Channel<T> subscriber in _subscribers) subscriber.Writer.TryWrite(value);
    }

    public async Task FollowAsync(Func<T, Task> send, CancellationToken cancellationToken)
    {
        Channel<T> own = Channel.CreateUnbounded<T>();
        lock (_lock) _subscribers.Add(own);
        try
        {
            await foreach (T value in own.Reader.ReadAllAsync(cancellationToken)) await send(value);
        }
        finally
        {
            lock (_lock) _subscribers.Remove(own);
        }
    }
}
