namespace NodeAgent.Kubernetes.Events;

/// <summary>A table that forgets what was used least recently. Not safe from several threads.</summary>
internal sealed class LruCache<TValue>(int capacity)
{
    private readonly Dictionary<string, LinkedListNode<KeyValuePair<string, TValue>>> _nodes = [];
    private readonly LinkedList<KeyValuePair<string, TValue>> _order = new();

    internal bool TryGet(string key, out TValue value)
    {
        if (!_nodes.TryGetValue(key, out LinkedListNode<KeyValuePair<string, TValue>>? node))
        {
            value = default!;
            return false;
        }
        _order.Remove(node);
        _order.AddFirst(node);
        value = node.Value.Value;
        return true;
    }

    internal void Set(string key, TValue value)
    {
        if (_nodes.Remove(key, out LinkedListNode<KeyValuePair<string, TValue>>? old))
            _order.Remove(old);
        _nodes[key] = _order.AddFirst(KeyValuePair.Create(key, value));
        if (_nodes.Count <= capacity)
            return;
        _nodes.Remove(_order.Last!.Value.Key);
        _order.RemoveLast();
    }
}
