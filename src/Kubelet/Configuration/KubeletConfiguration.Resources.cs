namespace NodeAgent.Kubelet.Configuration;

// The fields about cgroups and resources.
public sealed partial record KubeletConfiguration
{
    /// <summary>kubeletCgroups: Cgroup of this process.</summary>
    public string KubeletCgroups { get; init; } = "";

    /// <summary>systemCgroups: Cgroup for system processes.</summary>
    public string SystemCgroups { get; init; } = "";

    /// <summary>cgroupRoot: Cgroup under which kubepods lies.</summary>
    public string CgroupRoot { get; init; } = "";

    /// <summary>cgroupsPerQOS: Keep the cgroup tree of QoS classes and pods.</summary>
    public bool CgroupsPerQOS { get; init; } = true;

    /// <summary>cgroupDriver: cgroupfs or systemd; the runtime's answer wins.</summary>
    public string CgroupDriver { get; init; } = "cgroupfs";

    /// <summary>singleProcessOOMKill: Kill one process rather than the container; null: true on cgroup v1, false on v2.</summary>
    public bool? SingleProcessOOMKill { get; init; }

    /// <summary>cpuCFSQuota: Enforce CPU limits.</summary>
    public bool CpuCFSQuota { get; init; } = true;

    /// <summary>cpuCFSQuotaPeriod: Period of CPU limits.</summary>
    public TimeSpan CpuCFSQuotaPeriod { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>cpuManagerPolicy: none or static.</summary>
    public string CpuManagerPolicy { get; init; } = "none";

    /// <summary>cpuManagerPolicyOptions: Options of the CPU manager.</summary>
    public IReadOnlyDictionary<string, string> CpuManagerPolicyOptions { get; init; } = NoTexts;

    /// <summary>cpuManagerReconcilePeriod: How often CPU sets are checked.</summary>
    public TimeSpan CpuManagerReconcilePeriod { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>memoryManagerPolicy: None or Static.</summary>
    public string MemoryManagerPolicy { get; init; } = "None";

    /// <summary>reservedMemory: Memory kept back on NUMA nodes.</summary>
    public IReadOnlyList<MemoryReservation> ReservedMemory { get; init; } = [];

    /// <summary>topologyManagerPolicy: none, best-effort, restricted or single-numa-node.</summary>
    public string TopologyManagerPolicy { get; init; } = "none";

    /// <summary>topologyManagerScope: container or pod.</summary>
    public string TopologyManagerScope { get; init; } = "container";

    /// <summary>topologyManagerPolicyOptions: Options of the topology manager.</summary>
    public IReadOnlyDictionary<string, string> TopologyManagerPolicyOptions { get; init; } = NoTexts;

    /// <summary>qosReserved: Memory kept for higher QoS classes, percent.</summary>
    public IReadOnlyDictionary<string, string> QosReserved { get; init; } = NoTexts;

    /// <summary>systemReserved: Resources kept for the system.</summary>
    public IReadOnlyDictionary<string, string> SystemReserved { get; init; } = NoTexts;

    /// <summary>kubeReserved: Resources kept for node components.</summary>
    public IReadOnlyDictionary<string, string> KubeReserved { get; init; } = NoTexts;

    /// <summary>reservedSystemCPUs: CPUs kept for system and node components.</summary>
    public string ReservedSystemCPUs { get; init; } = "";

    /// <summary>systemReservedCgroup: Cgroup limited to systemReserved.</summary>
    public string SystemReservedCgroup { get; init; } = "";

    /// <summary>kubeReservedCgroup: Cgroup limited to kubeReserved.</summary>
    public string KubeReservedCgroup { get; init; } = "";

    /// <summary>enforceNodeAllocatable: What is limited: pods, system-reserved, kube-reserved (also -compressible), or none.</summary>
    public IReadOnlyList<string> EnforceNodeAllocatable { get; init; } = ["pods"];

    /// <summary>memorySwap.swapBehavior: NoSwap or LimitedSwap; empty: NoSwap.</summary>
    public string SwapBehavior { get; init; } = "";

    /// <summary>memoryThrottlingFactor: Part of the memory limit at which memory.high lies (gate MemoryQoS).</summary>
    public double? MemoryThrottlingFactor { get; init; } = 0.9;

    /// <summary>memoryReservationPolicy: None or TieredReservation (gate MemoryQoS).</summary>
    public string MemoryReservationPolicy { get; init; } = "None";
}
