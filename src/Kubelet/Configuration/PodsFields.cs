using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>The fields about what pods get.</summary>
internal static class PodsFields
{
    internal static ConfigurationTable<KubeletConfiguration> AddPods(this ConfigurationTable<KubeletConfiguration> table) => table
        .Value("clusterDomain", FieldKinds.Text, c => c.ClusterDomain, (c, v) => c with { ClusterDomain = v })
        .Value("clusterDNS", FieldKinds.TextList, c => c.ClusterDNS, (c, v) => c with { ClusterDNS = v })
        .Pointer("resolvConf", FieldKinds.Text, c => c.ResolvConf, (c, v) => c with { ResolvConf = v })
        .Value("hairpinMode", FieldKinds.Text, c => c.HairpinMode, (c, v) => c with { HairpinMode = v }, SupportState.Ignored)
        .Pointer("podPidsLimit", FieldKinds.Int64, c => c.PodPidsLimit, (c, v) => c with { PodPidsLimit = v })
        .Pointer("seccompDefault", FieldKinds.Bool, c => c.SeccompDefault, (c, v) => c with { SeccompDefault = v })
        .Value("allowedUnsafeSysctls", FieldKinds.TextList, c => c.AllowedUnsafeSysctls, (c, v) => c with { AllowedUnsafeSysctls = v })
        .Value("runOnce", FieldKinds.Bool, c => c.RunOnce, (c, v) => c with { RunOnce = v }, SupportState.Ignored)
        .Value("volumeStatsAggPeriod", FieldKinds.Duration,
            c => c.VolumeStatsAggPeriod, (c, v) => c with { VolumeStatsAggPeriod = v }, SupportState.NoEffectYet)
        .Value("volumePluginDir", FieldKinds.Text,
            c => c.VolumePluginDir, (c, v) => c with { VolumePluginDir = v }, SupportState.NoEffectYet)
        .Pointer("localStorageCapacityIsolation", FieldKinds.Bool,
            c => c.LocalStorageCapacityIsolation, (c, v) => c with { LocalStorageCapacityIsolation = v })
        .Pointer("crashLoopBackOff.maxContainerRestartPeriod", FieldKinds.Optional(FieldKinds.Duration),
            c => c.MaxContainerRestartPeriod, (c, v) => c with { MaxContainerRestartPeriod = v })
        .Pointer("userNamespaces.idsPerPod", FieldKinds.Optional(FieldKinds.Int64),
            c => c.UserNamespaceIdsPerPod, (c, v) => c with { UserNamespaceIdsPerPod = v });
}
