namespace NodeAgent.StandIn.Storage;

/// <summary>A change as one watch sees it: type is ADDED, MODIFIED or DELETED.</summary>
internal readonly record struct WatchFrame(string Type, StoredObject Object);

/// <summary>The waiting changes of one watch. A reader that falls too far behind is cut off, as upstream does.</summary>
internal sealed class WatchSubscription(ObjectStore store, ResourceDefinition definition, ObjectFilter filter) : IDisposable
{
    private const int Limit = 20_000;
    private readonly Queue<WatchFrame> _frames = new();
    private TaskCompletionSource? _waiter;

    public ResourceDefinition Definition => definition;

    /// <summary>The revision that the initial objects show.</summary>
    public long Start { get; } = store.Revision;

    public bool CutOff { get; private set; }

    /// <summary>Called by the store within its gate.</summary>
    public void Offer(StoreEvent change)
    {
        bool before = change.Old is not null && filter.Matches(change.Old);
        bool now = change.New is not null && filter.Matches(change.New);
        if (!before && !now)
            return;
        if (_frames.Count >= Limit)
            CutOff = true;
        else if (now)
            _frames.Enqueue(new WatchFrame(before ? "MODIFIED" : "ADDED", change.New!));
        else
            _frames.Enqueue(new WatchFrame("DELETED", change.Last ?? WithRevision(change.Old!, change.Revision)));
        _waiter?.TrySetResult();
        _waiter = null;
    }

    /// <summary>Takes what waits; when that is nothing, answers a task that ends with the next change, and the store's revision.</summary>
    public Task? Take(List<WatchFrame> frames, out long revision)
    {
        lock (store.Gate)
        {
            revision = store.Revision;
            if (_frames.Count == 0 && !CutOff)
            {
                _waiter ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                return _waiter.Task;
            }
            while (_frames.TryDequeue(out WatchFrame frame))
                frames.Add(frame);
            return null;
        }
    }

    public void Dispose() => store.Unsubscribe(this);

    // Of an object that stopped matching, the last matching state is told, as of now.
    private static StoredObject WithRevision(StoredObject old, long revision)
    {
        System.Text.Json.Nodes.JsonObject value = old.Value.Copy();
        value.Ensure("metadata")["resourceVersion"] = revision.ToString();
        return new StoredObject(old.Definition, value);
    }
}
