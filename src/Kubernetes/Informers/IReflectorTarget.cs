using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Informers;

/// <summary>Where a reflector puts what it learns. Called from one loop.</summary>
internal interface IReflectorTarget<in T>
{
    /// <summary>A full list begins.</summary>
    IReplacement<T> BeginReplace();

    /// <summary>One change after the list.</summary>
    void Apply(WatchEventType type, T value);
}

/// <summary>A full list on its way in; nothing is visible before <see cref="Commit"/>.</summary>
internal interface IReplacement<in T>
{
    /// <summary>Nothing is in the list so far.</summary>
    bool IsEmpty { get; }

    void Put(T value);

    void Remove(T value);

    /// <summary>The list is complete: what it lacks is gone.</summary>
    void Commit();
}
