namespace NodeAgent.Kubernetes.Rest;

/// <summary>Which objects of a kind, and as of when.</summary>
public sealed record ListOptions
{
    /// <summary>All objects, from etcd.</summary>
    public static ListOptions All { get; } = new();

    /// <summary>A label selector in its text form, for example app=web,tier!=db.</summary>
    public string? LabelSelector { get; init; }

    /// <summary>A field selector in its text form, for example spec.nodeName=worker-1.</summary>
    public string? FieldSelector { get; init; }

    /// <summary>"0": any state the server has in memory; null: the newest; otherwise not older than this.</summary>
    public string? ResourceVersion { get; init; }

    /// <summary>Exact or NotOlderThan; null leaves the meaning to the server.</summary>
    public string? ResourceVersionMatch { get; init; }

    /// <summary>Objects in one page; null for all at once.</summary>
    public int? Limit { get; init; }

    /// <summary>The token of the page before.</summary>
    public string? Continue { get; init; }
}

/// <summary>What to watch, and from where.</summary>
public sealed record WatchOptions
{
    /// <summary>A label selector in its text form.</summary>
    public string? LabelSelector { get; init; }

    /// <summary>A field selector in its text form.</summary>
    public string? FieldSelector { get; init; }

    /// <summary>Events after this resource version; null or empty: the server's newest state as ADDED events first.</summary>
    public string? ResourceVersion { get; init; }

    /// <summary>Ask for BOOKMARK events.</summary>
    public bool AllowBookmarks { get; init; } = true;

    /// <summary>Ask for the present objects as ADDED events, ended by a marked bookmark (streaming list).</summary>
    public bool SendInitialEvents { get; init; }

    /// <summary>The server ends the watch after this time; also the limit, with some slack, after which a silent peer is given up.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>What happened to a watched object.</summary>
public enum WatchEventType
{
    /// <summary>The object is new, or newly matches the selectors.</summary>
    Added,

    /// <summary>The object changed.</summary>
    Modified,

    /// <summary>The object is gone, or no longer matches; its last state.</summary>
    Deleted,

    /// <summary>Nothing happened up to the given resource version.</summary>
    Bookmark,
}

/// <summary>One frame of a watch. An ERROR frame is thrown as <see cref="ApiException"/> instead.</summary>
/// <param name="Type">What happened.</param>
/// <param name="Object">The object; of a bookmark, only its resource version and annotations count.</param>
public sealed record WatchEvent<T>(WatchEventType Type, T Object)
{
    /// <summary>The bookmark annotation that ends the initial events of a streaming list (KEP-3157).</summary>
    public const string InitialEventsEndAnnotation = "k8s.io/initial-events-end";
}
