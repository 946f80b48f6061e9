using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>The fields about cgroups and resources.</summary>
internal static class ResourcesFields
{
    internal static ConfigurationTable<KubeletConfiguration> AddResources(this ConfigurationTable<KubeletConfiguration> table) => table
        .Value("kubeletCgroups", FieldKinds.Text,
            c => c.KubeletCgroups, (c, v) => c with { KubeletCgroups = v }, SupportState.NoEffectYet)
        .Value("systemCgroups", FieldKinds.Text, c => c.SystemCgroups, (c, v) => c with { SystemCgroups = v }, SupportState.NoEffectYet)
        .Value("cgroupRoot", FieldKinds.Text, c => c.CgroupRoot, (c, v) => c with { CgroupRoot = v })
        .Pointer("cgroupsPerQOS", FieldKinds.Bool, c => c.CgroupsPerQOS, (c, v) => c with { CgroupsPerQOS = v })
        .Value("cgroupDriver", FieldKinds.Text, c => c.CgroupDriver, (c, v) => c with { CgroupDriver = v })
        .Pointer("singleProcessOOMKill", FieldKinds.Optional(FieldKinds.Bool),
            c => c.SingleProcessOOMKill, (c, v) => c with { SingleProcessOOMKill = v })
        .Pointer("cpuCFSQuota", FieldKinds.Bool, c => c.CpuCFSQuota, (c, v) => c with { CpuCFSQuota = v })
        .Pointer("cpuCFSQuotaPeriod", FieldKinds.Duration, c => c.CpuCFSQuotaPeriod, (c, v) => c with { CpuCFSQuotaPeriod = v })
        .Value("cpuManagerPolicy", FieldKinds.Text,
            c => c.CpuManagerPolicy, (c, v) => c with { CpuManagerPolicy = v }, SupportState.NoEffectYet)
        .Value("cpuManagerPolicyOptions", FieldKinds.TextMap,
            c => c.CpuManagerPolicyOptions, (c, v) => c with { CpuManagerPolicyOptions = v }, SupportState.NoEffectYet)
        .Value("cpuManagerReconcilePeriod", FieldKinds.Duration,
            c => c.CpuManagerReconcilePeriod, (c, v) => c with { CpuManagerReconcilePeriod = v }, SupportState.NoEffectYet)
        .Value("memoryManagerPolicy", FieldKinds.Text,
            c => c.MemoryManagerPolicy, (c, v) => c with { MemoryManagerPolicy = v }, SupportState.NoEffectYet)
        .Value("reservedMemory", KubeletFieldKinds.MemoryReservations,
            c => c.ReservedMemory, (c, v) => c with { ReservedMemory = v }, SupportState.NoEffectYet)
        .Value("topologyManagerPolicy", FieldKinds.Text,
            c => c.TopologyManagerPolicy, (c, v) => c with { TopologyManagerPolicy = v }, SupportState.NoEffectYet)
        .Value("topologyManagerScope", FieldKinds.Text,
            c => c.TopologyManagerScope, (c, v) => c with { TopologyManagerScope = v }, SupportState.NoEffectYet)
        .Value("topologyManagerPolicyOptions", FieldKinds.TextMap,
            c => c.TopologyManagerPolicyOptions, (c, v) => c with { TopologyManagerPolicyOptions = v }, SupportState.NoEffectYet)
        .Value("qosReserved", FieldKinds.TextMap, c => c.QosReserved, (c, v) => c with { QosReserved = v }, SupportState.NoEffectYet)
        .Value("systemReserved", FieldKinds.TextMap, c => c.SystemReserved, (c, v) => c with { SystemReserved = v })
        .Value("kubeReserved", FieldKinds.TextMap, c => c.KubeReserved, (c, v) => c with { KubeReserved = v })
        .Value("reservedSystemCPUs", FieldKinds.Text, c => c.ReservedSystemCPUs, (c, v) => c with { ReservedSystemCPUs = v })
        .Value("systemReservedCgroup", FieldKinds.Text,
            c => c.SystemReservedCgroup, (c, v) => c with { SystemReservedCgroup = v })
        .Value("kubeReservedCgroup", FieldKinds.Text,
            c => c.KubeReservedCgroup, (c, v) => c with { KubeReservedCgroup = v })
        .Pointer("enforceNodeAllocatable", FieldKinds.TextList,
            c => c.EnforceNodeAllocatable, (c, v) => c with { EnforceNodeAllocatable = v })
        .Value("memorySwap.swapBehavior", FieldKinds.Text,
            c => c.SwapBehavior, (c, v) => c with { SwapBehavior = v })
        .Pointer("memoryThrottlingFactor", FieldKinds.Optional(FieldKinds.Float),
            c => c.MemoryThrottlingFactor, (c, v) => c with { MemoryThrottlingFactor = v }, SupportState.NoEffectYet)
        .Value("memoryReservationPolicy", FieldKinds.Text,
            c => c.MemoryReservationPolicy, (c, v) => c with { MemoryReservationPolicy = v }, SupportState.NoEffectYet);
}
