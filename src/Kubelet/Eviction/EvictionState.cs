using System.Collections.Immutable;

namespace NodeAgent.Kubelet.Eviction;

/// <summary>What is remembered from one look at the signals to the next. Immutable. Source: synchronize in pkg/kubelet/eviction/eviction_manager.go.</summary>
public sealed record EvictionState
{
    /// <summary>Since when thresholds are met without a break.</summary>
    public ImmutableDictionary<EvictionThreshold, TimeSpan> MetSince { get; init; } = ImmutableDictionary<EvictionThreshold, TimeSpan>.Empty;

    /// <summary>Met for longer than their grace: what pods are evicted for. They stay so until their minimum reclaim is reached, too.</summary>
    public ImmutableArray<EvictionThreshold> Due { get; init; } = [];

    /// <summary>When a condition's signals were last below a threshold.</summary>
    public ImmutableDictionary<string, TimeSpan> LastSeen { get; init; } = ImmutableDictionary<string, TimeSpan>.Empty;

    /// <summary>Conditions that hold, sorted.</summary>
    public ImmutableArray<string> Conditions { get; init; } = [];

    /// <summary>What one more look makes of it. Pure.</summary>
    /// <param name="thresholds">In the order in which they are acted on.</param>
    /// <param name="signals">As seen now.</param>
    /// <param name="now">On a clock that only goes forward.</param>
    /// <param name="transitionPeriod">How long a condition stays after its signals are well.</param>
    public EvictionState Next(IReadOnlyList<EvictionThreshold> thresholds, IReadOnlyDictionary<string, EvictionSignal> signals, TimeSpan now, TimeSpan transitionPeriod)
    {
        ArgumentNullException.ThrowIfNull(thresholds);
        HashSet<EvictionThreshold> unresolved = [.. Due.Where(t => t.IsMet(signals, resolving: true))];
        EvictionThreshold[] met = [.. thresholds.Where(t => t.IsMet(signals, resolving: false) || unresolved.Contains(t))];
        ImmutableDictionary<EvictionThreshold, TimeSpan> since = met.Distinct().ToImmutableDictionary(t => t, t => MetSince.GetValueOrDefault(t, now));
        ImmutableDictionary<string, TimeSpan> seen = LastSeen.SetItems(met.Select(t => KeyValuePair.Create(EvictionSignals.ConditionOf(t.Signal), now)).Distinct());
        seen = seen.RemoveRange(seen.Where(c => c.Value != now && now - c.Value >= transitionPeriod).Select(c => c.Key));
        return new EvictionState
        {
            MetSince = since,
            Due = [.. met.Where(t => now - since[t] >= t.Grace)],
            LastSeen = seen,
            Conditions = [.. seen.Keys.Order(StringComparer.Ordinal)],
        };
    }
}
