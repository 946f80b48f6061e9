namespace NodeAgent.Kubelet.Configuration;

// The fields about eviction.
public sealed partial record KubeletConfiguration
{
    /// <summary>evictionHard: Thresholds at which pods are evicted at once; null only where no file was read.</summary>
    public IReadOnlyDictionary<string, string>? EvictionHard { get; init; }

    /// <summary>evictionSoft: Thresholds at which pods are evicted after a while.</summary>
    public IReadOnlyDictionary<string, string> EvictionSoft { get; init; } = NoTexts;

    /// <summary>evictionSoftGracePeriod: That while, for each soft threshold.</summary>
    public IReadOnlyDictionary<string, string> EvictionSoftGracePeriod { get; init; } = NoTexts;

    /// <summary>evictionPressureTransitionPeriod: How long a pressure condition stays after the pressure.</summary>
    public TimeSpan EvictionPressureTransitionPeriod { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>evictionMaxPodGracePeriod: Longest grace period at soft eviction, seconds.</summary>
    public int EvictionMaxPodGracePeriod { get; init; }

    /// <summary>evictionMinimumReclaim: How much is reclaimed at least.</summary>
    public IReadOnlyDictionary<string, string> EvictionMinimumReclaim { get; init; } = NoTexts;

    /// <summary>mergeDefaultEvictionSettings: Complete evictionHard with the defaults.</summary>
    public bool MergeDefaultEvictionSettings { get; init; }

    /// <summary>kernelMemcgNotification: Let the kernel tell of memory pressure.</summary>
    public bool KernelMemcgNotification { get; init; }
}
