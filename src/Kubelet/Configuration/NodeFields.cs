using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>The fields about the node itself.</summary>
internal static class NodeFields
{
    internal static ConfigurationTable<KubeletConfiguration> AddNode(this ConfigurationTable<KubeletConfiguration> table) => table
        .Pointer("registerNode", FieldKinds.Bool, c => c.RegisterNode, (c, v) => c with { RegisterNode = v })
        .Value("registerWithTaints", KubeletFieldKinds.Taints, c => c.RegisterWithTaints, (c, v) => c with { RegisterWithTaints = v })
        .Value("providerID", FieldKinds.Text, c => c.ProviderID, (c, v) => c with { ProviderID = v })
        .Value("podCIDR", FieldKinds.Text, c => c.PodCIDR, (c, v) => c with { PodCIDR = v }, SupportState.NoEffectYet)
        .Value("maxPods", FieldKinds.Int32, c => c.MaxPods, (c, v) => c with { MaxPods = v })
        .Value("podsPerCore", FieldKinds.Int32, c => c.PodsPerCore, (c, v) => c with { PodsPerCore = v })
        .Value("nodeStatusUpdateFrequency", FieldKinds.Duration,
            c => c.NodeStatusUpdateFrequency, (c, v) => c with { NodeStatusUpdateFrequency = v })
        .Value("nodeStatusReportFrequency", FieldKinds.Duration,
            c => c.NodeStatusReportFrequency, (c, v) => c with { NodeStatusReportFrequency = v })
        .Value("nodeLeaseDurationSeconds", FieldKinds.Int32,
            c => c.NodeLeaseDurationSeconds, (c, v) => c with { NodeLeaseDurationSeconds = v })
        .Pointer("nodeStatusMaxImages", FieldKinds.Int32, c => c.NodeStatusMaxImages, (c, v) => c with { NodeStatusMaxImages = v })
        .Pointer("failSwapOn", FieldKinds.Bool, c => c.FailSwapOn, (c, v) => c with { FailSwapOn = v })
        .Pointer("failCgroupV1", FieldKinds.Bool, c => c.FailCgroupV1, (c, v) => c with { FailCgroupV1 = v })
        .Value("protectKernelDefaults", FieldKinds.Bool,
            c => c.ProtectKernelDefaults, (c, v) => c with { ProtectKernelDefaults = v }, SupportState.NoEffectYet)
        .Pointer("makeIPTablesUtilChains", FieldKinds.Bool,
            c => c.MakeIPTablesUtilChains, (c, v) => c with { MakeIPTablesUtilChains = v }, SupportState.NoEffectYet)
        .Pointer("iptablesMasqueradeBit", FieldKinds.Int32,
            c => c.IptablesMasqueradeBit, (c, v) => c with { IptablesMasqueradeBit = v }, SupportState.Ignored)
        .Pointer("iptablesDropBit", FieldKinds.Int32,
            c => c.IptablesDropBit, (c, v) => c with { IptablesDropBit = v }, SupportState.Ignored)
        .Pointer("oomScoreAdj", FieldKinds.Int32, c => c.OomScoreAdj, (c, v) => c with { OomScoreAdj = v })
        .Value("maxOpenFiles", FieldKinds.Int64, c => c.MaxOpenFiles, (c, v) => c with { MaxOpenFiles = v })
        .Value("shutdownGracePeriod", FieldKinds.Duration,
            c => c.ShutdownGracePeriod, (c, v) => c with { ShutdownGracePeriod = v }, SupportState.NoEffectYet)
        .Value("shutdownGracePeriodCriticalPods", FieldKinds.Duration,
            c => c.ShutdownGracePeriodCriticalPods, (c, v) => c with { ShutdownGracePeriodCriticalPods = v }, SupportState.NoEffectYet)
        .Value("shutdownGracePeriodByPodPriority", KubeletFieldKinds.ShutdownPeriods,
            c => c.ShutdownGracePeriodByPodPriority, (c, v) => c with { ShutdownGracePeriodByPodPriority = v }, SupportState.NoEffectYet)
        .Pointer("enableControllerAttachDetach", FieldKinds.Bool,
            c => c.EnableControllerAttachDetach, (c, v) => c with { EnableControllerAttachDetach = v }, SupportState.Partly);
}
