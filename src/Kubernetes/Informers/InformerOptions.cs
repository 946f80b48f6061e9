using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Informers;

/// <summary>Which objects an informer follows.</summary>
public sealed record InformerOptions
{
    /// <summary>Everything of the kind.</summary>
    public static InformerOptions All { get; } = new();

    /// <summary>One namespace; null for all.</summary>
    public string? Namespace { get; init; }

    /// <summary>A label selector in its text form.</summary>
    public string? LabelSelector { get; init; }

    /// <summary>A field selector in its text form, for example spec.nodeName=worker-1.</summary>
    public string? FieldSelector { get; init; }

    /// <summary>
    /// A cluster in order always has objects of the kind: a list without any that is older than what was seen before, as of a server
    /// whose storage was lost, is not believed but asked for again.
    /// </summary>
    public bool NeverEmpty { get; init; }

    /// <summary>Objects in one page of a list.</summary>
    public int PageSize { get; init; } = 500;

    /// <summary>Try a streaming list (KEP-3157) first; servers without it are noticed and listed by pages.</summary>
    public bool StreamingList { get; init; } = true;

    /// <summary>Failures and recoveries are logged for debugging only: for one of hundreds of informers that fail and recover together.</summary>
    public bool Quiet { get; init; }

    /// <summary>First wait after a failure; doubles with each.</summary>
    public TimeSpan InitialBackoff { get; init; } = TimeSpan.FromMilliseconds(800);

    /// <summary>Longest wait between tries.</summary>
    public TimeSpan MaximumBackoff { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Shortest life of a watch; each lasts between this and twice this, at random.</summary>
    public TimeSpan MinimumWatchTime { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>How an informer turns API objects into what it keeps, and finds them again.</summary>
/// <typeparam name="T">The API kind.</typeparam>
/// <typeparam name="TItem">What is kept: <typeparamref name="T"/> itself or a compact projection.</typeparam>
public sealed record InformerProjection<T, TItem>
    where T : class, IKubernetesResource<T>
    where TItem : class
{
    /// <summary>Makes what is kept; null leaves the object out. Must be pure and may not throw.</summary>
    public required Func<T, TItem?> Transform { get; init; }

    /// <summary>Index functions by name; each gives the values under which an item is found.</summary>
    public IReadOnlyDictionary<string, Func<TItem, IEnumerable<string>>> Indexes { get; init; } =
        new Dictionary<string, Func<TItem, IEnumerable<string>>>();
}
