using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Informers;

/// <summary>Objects by name and by index values. Safe from every thread; one lock, held shortly.</summary>
/// <typeparam name="TItem">What is held.</typeparam>
internal sealed class Indexer<TItem>(IReadOnlyDictionary<string, Func<TItem, IEnumerable<string>>> functions) : ILister<TItem>
    where TItem : class
{
    private readonly Lock _gate = new();
    private readonly Dictionary<NamespacedName, Held<TItem>> _items = [];
    private readonly Dictionary<string, Dictionary<string, HashSet<NamespacedName>>> _indexes =
        functions.Keys.ToDictionary(name => name, _ => new Dictionary<string, HashSet<NamespacedName>>());

    public int Count
    {
        get
        {
            lock (_gate)
                return _items.Count;
        }
    }

    public TItem? Get(NamespacedName name)
    {
        lock (_gate)
            return _items.TryGetValue(name, out Held<TItem> held) ? held.Item : null;
    }

    public IReadOnlyList<TItem> List()
    {
        lock (_gate)
        {
            TItem[] all = new TItem[_items.Count];
            int at = 0;
            foreach (Held<TItem> held in _items.Values)
                all[at++] = held.Item;
            return all;
        }
    }

    public IReadOnlyList<TItem> ByIndex(string index, string value)
    {
        lock (_gate)
        {
            if (!_indexes.TryGetValue(index, out Dictionary<string, HashSet<NamespacedName>>? values))
                throw new KeyNotFoundException($"no index \"{index}\" was declared at this informer");
            if (!values.TryGetValue(value, out HashSet<NamespacedName>? names))
                return [];
            return [.. names.Select(name => _items[name].Item)];
        }
    }

    internal bool TryGet(NamespacedName name, out Held<TItem> held)
    {
        lock (_gate)
            return _items.TryGetValue(name, out held);
    }

    internal NamespacedName[] Names()
    {
        lock (_gate)
            return [.. _items.Keys];
    }

    internal void Put(NamespacedName name, Held<TItem> held)
    {
        lock (_gate)
        {
            if (_items.TryGetValue(name, out Held<TItem> previous))
                Unindex(name, previous.Item);
            _items[name] = held;
            foreach ((string index, Func<TItem, IEnumerable<string>> function) in functions)
            {
                foreach (string value in function(held.Item))
                {
                    Dictionary<string, HashSet<NamespacedName>> values = _indexes[index];
                    if (!values.TryGetValue(value, out HashSet<NamespacedName>? names))
                        values[value] = names = [];
                    names.Add(name);
                }
            }
        }
    }

    internal void Remove(NamespacedName name)
    {
        lock (_gate)
        {
            if (_items.Remove(name, out Held<TItem> previous))
                Unindex(name, previous.Item);
        }
    }

    private void Unindex(NamespacedName name, TItem item)
    {
        foreach ((string index, Func<TItem, IEnumerable<string>> function) in functions)
        {
            Dictionary<string, HashSet<NamespacedName>> values = _indexes[index];
            foreach (string value in function(item))
            {
                if (values.TryGetValue(value, out HashSet<NamespacedName>? names) && names.Remove(name) && names.Count == 0)
                    values.Remove(value);
            }
        }
    }
}

/// <summary>An item with what tells it from its other states.</summary>
internal readonly record struct Held<TItem>(TItem Item, string Uid, string ResourceVersion)
    where TItem : class;
