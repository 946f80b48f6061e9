using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>The fields about eviction.</summary>
internal static class EvictionFields
{
    internal static ConfigurationTable<KubeletConfiguration> AddEviction(this ConfigurationTable<KubeletConfiguration> table) => table
        .Pointer("evictionHard", FieldKinds.OptionalTextMap,
            c => c.EvictionHard, (c, v) => c with { EvictionHard = v })
        .Value("evictionSoft", FieldKinds.TextMap, c => c.EvictionSoft, (c, v) => c with { EvictionSoft = v })
        .Value("evictionSoftGracePeriod", FieldKinds.TextMap,
            c => c.EvictionSoftGracePeriod, (c, v) => c with { EvictionSoftGracePeriod = v })
        .Value("evictionPressureTransitionPeriod", FieldKinds.Duration,
            c => c.EvictionPressureTransitionPeriod, (c, v) => c with { EvictionPressureTransitionPeriod = v })
        .Value("evictionMaxPodGracePeriod", FieldKinds.Int32,
            c => c.EvictionMaxPodGracePeriod, (c, v) => c with { EvictionMaxPodGracePeriod = v })
        .Value("evictionMinimumReclaim", FieldKinds.TextMap,
            c => c.EvictionMinimumReclaim, (c, v) => c with { EvictionMinimumReclaim = v })
        .Pointer("mergeDefaultEvictionSettings", FieldKinds.Bool,
            c => c.MergeDefaultEvictionSettings, (c, v) => c with { MergeDefaultEvictionSettings = v })
        .Value("kernelMemcgNotification", FieldKinds.Bool,
            c => c.KernelMemcgNotification, (c, v) => c with { KernelMemcgNotification = v }, SupportState.NoEffectYet);
}
