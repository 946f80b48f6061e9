using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Eviction;

/// <summary>An amount, given exactly or as a share of what there is.</summary>
/// <param name="Exact">Null where a share is given.</param>
/// <param name="Share">0 to 1, in single precision as upstream.</param>
public sealed record EvictionAmount(Quantity? Exact, float Share)
{
    /// <summary>The amount for a capacity.</summary>
    public long Of(long capacity) => Exact?.Value() ?? (long)((double)capacity * Share);

    /// <summary>As messages write it: an exact one as it was given.</summary>
    public Quantity Quantity(long capacity) => Exact ?? Kubernetes.Objects.Quantity.FromValue(Of(capacity), QuantityFormat.BinarySI);
}

/// <summary>A threshold: met while the signal is below it.</summary>
/// <param name="Signal">One of <see cref="EvictionSignals"/>.</param>
/// <param name="Value">The amount.</param>
public sealed record EvictionThreshold(string Signal, EvictionAmount Value)
{
    /// <summary>How long it has to be met before a pod is evicted; zero: a hard one.</summary>
    public TimeSpan Grace { get; init; }

    /// <summary>Once met it stays so until the signal is above it by this; null: by nothing.</summary>
    public EvictionAmount? MinimumReclaim { get; init; }

    /// <summary>True where pods are evicted at once and get no time.</summary>
    public bool IsHard => Grace == TimeSpan.Zero;

    /// <summary>The amount for a capacity.</summary>
    public long Of(long capacity) => Value.Of(capacity);

    /// <summary>True while the signal is below.</summary>
    /// <param name="signals">As far as known; an unknown one is not below.</param>
    /// <param name="resolving">The minimum reclaim counts.</param>
    public bool IsMet(IReadOnlyDictionary<string, EvictionSignal> signals, bool resolving)
    {
        ArgumentNullException.ThrowIfNull(signals);
        return signals.TryGetValue(Signal, out EvictionSignal seen)
            && seen.Available < Of(seen.Capacity) + (resolving && MinimumReclaim is { } more ? more.Of(seen.Capacity) : 0);
    }
}
