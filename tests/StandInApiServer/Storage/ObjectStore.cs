using System.Text.Json.Nodes;
using NodeAgent.StandIn.Requests;

namespace NodeAgent.StandIn.Storage;

/// <summary>
/// All objects, the newest version of each, and a bounded history of changes. <see cref="Gate"/> may be held around several calls
/// that belong together.
/// </summary>
internal sealed class ObjectStore(int historyLimit, Journal? journal)
{
    private readonly Dictionary<ResourceDefinition, SortedDictionary<string, StoredObject>> _objects =
        ResourceTable.All.ToDictionary(d => d, _ => new SortedDictionary<string, StoredObject>(StringComparer.Ordinal));

    private readonly Dictionary<ResourceDefinition, HashSet<WatchSubscription>> _watches = ResourceTable.All.ToDictionary(d => d, _ => new HashSet<WatchSubscription>());
    private readonly LinkedList<StoreEvent> _history = [];
    private long _oldest;

    public Lock Gate { get; } = new();

    public long Revision { get; private set; } = 1;

    /// <summary>Called within the gate after each change.</summary>
    public Action<StoreEvent>? Changed { get; set; }

    /// <summary>Takes over what the journal holds.</summary>
    public void Load()
    {
        lock (Gate)
        {
            if (journal is not null)
            {
                IReadOnlyCollection<JsonObject> saved = journal.Load(out long revision);
                foreach (JsonObject value in saved)
                {
                    if (ResourceTable.OfKind(value.Text("apiVersion"), value.Text("kind")) is not { } definition)
                        continue;
                    StoredObject stored = new(definition, value);
                    _objects[definition][stored.Key] = stored;
                }
                Revision = Math.Max(Revision, revision);
            }
            _oldest = Revision;
        }
    }

    public StoredObject? Get(ResourceDefinition definition, string? namespaceName, string name)
    {
        lock (Gate)
            return _objects[definition].GetValueOrDefault(StoredObject.KeyOf(namespaceName, name));
    }

    public List<StoredObject> List(ResourceDefinition definition, string? namespaceName = null)
    {
        lock (Gate)
            return namespaceName is null
                ? [.. _objects[definition].Values]
                : [.. _objects[definition].Values.Where(o => o.Namespace == namespaceName)];
    }

    /// <summary>The objects as they were at a revision that the history still reaches; null when it does not.</summary>
    public List<StoredObject>? ListAt(ResourceDefinition definition, long revision)
    {
        lock (Gate)
        {
            if (revision < _oldest)
                return null;
            if (revision >= Revision)
                return List(definition);
            SortedDictionary<string, StoredObject> past = new(_objects[definition], StringComparer.Ordinal);
            for (LinkedListNode<StoreEvent>? node = _history.Last; node is not null && node.Value.Revision > revision; node = node.Previous)
            {
                StoreEvent change = node.Value;
                if (change.Definition != definition)
                    continue;
                if (change.Old is null)
                    past.Remove(change.Subject.Key);
                else
                    past[change.Old.Key] = change.Old;
            }
            return [.. past.Values];
        }
    }

    /// <summary>Stores a new version; the value belongs to the store afterwards.</summary>
    public StoredObject Put(ResourceDefinition definition, JsonObject value)
    {
        lock (Gate)
        {
            long revision = ++Revision;
            value.Ensure("metadata")["resourceVersion"] = revision.ToString();
            StoredObject stored = new(definition, value);
            SortedDictionary<string, StoredObject> all = _objects[definition];
            StoredObject? old = all.GetValueOrDefault(stored.Key);
            all[stored.Key] = stored;
            journal?.Put(stored);
            Publish(new StoreEvent(definition, revision, old, stored, null));
            return stored;
        }
    }

    public StoredObject? Remove(ResourceDefinition definition, string? namespaceName, string name)
    {
        lock (Gate)
        {
            if (!_objects[definition].Remove(StoredObject.KeyOf(namespaceName, name), out StoredObject? old))
                return null;
            long revision = ++Revision;
            JsonObject last = old.Value.Copy();
            last.Ensure("metadata")["resourceVersion"] = revision.ToString();
            StoredObject removed = new(definition, last);
            journal?.Remove(removed);
            Publish(new StoreEvent(definition, revision, old, null, removed));
            return removed;
        }
    }

    /// <summary>
    /// Subscribes to changes after <paramref name="after"/>; null: from now on, with the present objects first as initial ones.
    /// Answers null when the history does not reach back (or the revision is none of ours).
    /// </summary>
    public WatchSubscription? Subscribe(ResourceDefinition definition, ObjectFilter filter, long? after, out List<StoredObject> initial)
    {
        lock (Gate)
        {
            initial = [];
            WatchSubscription subscription = new(this, definition, filter);
            if (after is null)
                initial = [.. List(definition).Where(filter.Matches)];
            else if (after < _oldest || after > Revision)
                return null;
            else
                Replay(subscription, after.Value);
            _watches[definition].Add(subscription);
            return subscription;
        }
    }

    public void Unsubscribe(WatchSubscription subscription)
    {
        lock (Gate)
            _watches[subscription.Definition].Remove(subscription);
    }

    /// <summary>Forgets all history: watches from older versions are answered with 410. For tests of that case.</summary>
    public void Compact()
    {
        lock (Gate)
        {
            _history.Clear();
            _oldest = Revision;
        }
    }

    public ApiError Expired(long revision) =>
        ApiError.Expired($"The resourceVersion for the provided watch is too old: {revision} ({_oldest})");

    private void Replay(WatchSubscription subscription, long after)
    {
        LinkedListNode<StoreEvent>? node = _history.Last;
        while (node is not null && node.Value.Revision > after)
            node = node.Previous;
        for (node = node is null ? _history.First : node.Next; node is not null; node = node.Next)
            if (node.Value.Definition == subscription.Definition)
                subscription.Offer(node.Value);
    }

    private void Publish(StoreEvent change)
    {
        _history.AddLast(change);
        if (_history.Count > historyLimit)
        {
            _oldest = _history.First!.Value.Revision;
            _history.RemoveFirst();
        }
        foreach (WatchSubscription watch in _watches[change.Definition])
            watch.Offer(change);
        Changed?.Invoke(change);
    }
}
