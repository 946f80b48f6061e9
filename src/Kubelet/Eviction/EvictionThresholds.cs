using System.Globalization;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Eviction;

/// <summary>What the configuration says of eviction.</summary>
public sealed record EvictionSettings
{
    /// <summary>evictionHard.</summary>
    public IReadOnlyDictionary<string, string> Hard { get; init; } = EvictionThresholds.Default;
    /// <summary>evictionSoft.</summary>
    public IReadOnlyDictionary<string, string> Soft { get; init; } = new Dictionary<string, string>();
    /// <summary>evictionSoftGracePeriod.</summary>
    public IReadOnlyDictionary<string, TimeSpan> SoftGrace { get; init; } = new Dictionary<string, TimeSpan>();
    /// <summary>evictionMinimumReclaim.</summary>
    public IReadOnlyDictionary<string, string> MinimumReclaim { get; init; } = new Dictionary<string, string>();
    /// <summary>evictionMaxPodGracePeriod.</summary>
    public TimeSpan LongestPodGrace { get; init; }
    /// <summary>evictionPressureTransitionPeriod.</summary>
    public TimeSpan TransitionPeriod { get; init; } = TimeSpan.FromMinutes(5);
    /// <summary>enforceNodeAllocatable has pods: the pods' common limit is watched as the node's memory is.</summary>
    public bool PodsAreLimited { get; init; } = true;
    /// <summary>localStorageCapacityIsolation: limits of pods' local storage are enforced.</summary>
    public bool LocalStorageLimits { get; init; } = true;
}

/// <summary>Reads thresholds. Pure. Source: pkg/kubelet/eviction/helpers.go.</summary>
public static class EvictionThresholds
{
    /// <summary>Linux defaults.</summary>
    public static readonly IReadOnlyDictionary<string, string> Default = new Dictionary<string, string>
    {
        ["memory.available"] = "100Mi",
        ["nodefs.available"] = "10%",
        ["nodefs.inodesFree"] = "5%",
        ["imagefs.available"] = "15%",
        ["imagefs.inodesFree"] = "5%",
    };

    /// <summary>All thresholds of a configuration, memory first; those of containerfs come from <see cref="WithContainerFs"/>.</summary>
    /// <exception cref="FormatException">A value is neither quantity nor percentage; names field and signal.</exception>
    public static IReadOnlyList<EvictionThreshold> Parse(EvictionSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        Dictionary<string, EvictionAmount> reclaim = settings.MinimumReclaim.ToDictionary(r => r.Key, r => Amount(r.Value, $"evictionMinimumReclaim[{r.Key}]"));
        List<EvictionThreshold> all =
        [
            .. Parse(settings.Hard),
            .. Parse(settings.Soft, "evictionSoft").Select(t => t with { Grace = settings.SoftGrace.GetValueOrDefault(t.Signal) }),
        ];
        all = [.. all.Select(t => t with { MinimumReclaim = reclaim.GetValueOrDefault(t.Signal) })];
        if (settings.PodsAreLimited)
        {
            all.AddRange(all.Where(t => t.Signal == EvictionSignals.Memory && t.IsHard).Select(t => t with { Signal = EvictionSignals.AllocatableMemory }).ToList());
        }

        return [.. all.OrderBy(t => EvictionSignals.ResourceOf(t.Signal) == "memory" ? 0 : 1)];
    }

    /// <summary>Reads one map; 0% and 100% mean none.</summary>
    /// <exception cref="FormatException">A value is neither quantity nor percentage; names field and signal.</exception>
    public static IReadOnlyList<EvictionThreshold> Parse(IReadOnlyDictionary<string, string> thresholds, string field = "evictionHard") =>
    [
        .. thresholds.Where(t => t.Value is not ("0%" or "100%")).OrderBy(t => t.Key, StringComparer.Ordinal)
            .Select(t => new EvictionThreshold(t.Key, Amount(t.Value, $"{field}[{t.Key}]"))),
    ];

    /// <summary>Containers' own layers have the thresholds of the file system they share; given ones do not count, as upstream.</summary>
    public static IReadOnlyList<EvictionThreshold> WithContainerFs(IEnumerable<EvictionThreshold> thresholds, DiskLayout layout)
    {
        EvictionThreshold[] others = [.. thresholds.Where(t => t.Signal is not (EvictionSignals.ContainerFs or EvictionSignals.ContainerFsInodes))];
        (string space, string inodes) = layout == DiskLayout.ImagesApart
            ? (EvictionSignals.ImageFs, EvictionSignals.ImageFsInodes) : (EvictionSignals.NodeFs, EvictionSignals.NodeFsInodes);
        return
        [
            .. others,
            .. others.Where(t => t.Signal == space).Select(t => t with { Signal = EvictionSignals.ContainerFs }),
            .. others.Where(t => t.Signal == inodes).Select(t => t with { Signal = EvictionSignals.ContainerFsInodes }),
        ];
    }

    /// <summary>What the thresholds keep free, by resource; taken from allocatable.</summary>
    public static IReadOnlyDictionary<string, Quantity> Reservation(IReadOnlyList<EvictionThreshold> thresholds, IReadOnlyDictionary<string, Quantity> capacity)
    {
        Dictionary<string, Quantity> reserved = [];
        foreach (EvictionThreshold threshold in thresholds)
        {
            string? resource = threshold.Signal switch
            {
                EvictionSignals.Memory => PodResources.Memory,
                EvictionSignals.NodeFs => PodResources.EphemeralStorage,
                _ => null,
            };
            if (resource is not null && capacity.TryGetValue(resource, out Quantity total))
            {
                reserved[resource] = Quantity.FromValue(threshold.Of(total.Value()), QuantityFormat.BinarySI);
            }
        }

        return reserved;
    }

    private static EvictionAmount Amount(string text, string field)
    {
        if (text.EndsWith('%') && float.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.Float, CultureInfo.InvariantCulture, out float percent) && percent is >= 0 and <= 100)
        {
            return new EvictionAmount(null, percent / 100f);
        }

        return Quantity.TryParse(text, out Quantity amount) && amount.Sign >= 0 ? new EvictionAmount(amount, 0)
            : throw new FormatException($"{field}: \"{text}\" is neither a quantity nor a percentage between 0% and 100%");
    }
}
