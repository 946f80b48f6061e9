using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Informers;

/// <summary>
/// Learns of every change of the watched objects, one call at a time, in order, on the informer's own loop: keep it short, post
/// to a queue. What it throws is logged and the next change delivered.
/// </summary>
/// <typeparam name="TItem">What the informer keeps: the API object or a projection of it.</typeparam>
public interface IInformerHandler<in TItem>
{
    /// <summary>An object appeared. <paramref name="initial"/> is true for those already there when the handler came.</summary>
    void Added(TItem item, bool initial);

    /// <summary>An object changed.</summary>
    void Updated(TItem previous, TItem current);

    /// <summary>An object is gone; its last known state.</summary>
    void Deleted(TItem last);
}

/// <summary>A handler's place at an informer.</summary>
public interface IInformerRegistration : IDisposable
{
    /// <summary>Ends when the handler has been given every object of the first full list.</summary>
    Task HasSynced { get; }
}

/// <summary>Read access to what an informer holds. Safe from every thread; snapshots never change.</summary>
/// <typeparam name="TItem">What the informer keeps.</typeparam>
public interface ILister<TItem>
    where TItem : class
{
    /// <summary>The number of objects held.</summary>
    int Count { get; }

    /// <summary>The object of that name, or null.</summary>
    TItem? Get(NamespacedName name);

    /// <summary>All objects, in no order.</summary>
    IReadOnlyList<TItem> List();

    /// <summary>The objects for which the named index function gave <paramref name="value"/>.</summary>
    /// <exception cref="KeyNotFoundException">No index of that name was declared.</exception>
    IReadOnlyList<TItem> ByIndex(string index, string value);
}

/// <summary>Keeps a copy of the objects of one kind and tells handlers about changes.</summary>
/// <typeparam name="TItem">What is kept.</typeparam>
public interface IInformer<TItem>
    where TItem : class
{
    /// <summary>What is held now.</summary>
    ILister<TItem> Lister { get; }

    /// <summary>Ends when the first full list is held.</summary>
    Task HasSynced { get; }

    /// <summary>Adds a handler; it is first told of everything held already.</summary>
    IInformerRegistration AddHandler(IInformerHandler<TItem> handler);

    /// <summary>Lists and watches until cancelled. Call once.</summary>
    Task RunAsync(CancellationToken cancellationToken);
}
