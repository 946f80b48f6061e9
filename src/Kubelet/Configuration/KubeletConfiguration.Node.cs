using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Configuration;

// The fields about the node itself.
public sealed partial record KubeletConfiguration
{
    /// <summary>registerNode: Whether the node registers itself.</summary>
    public bool RegisterNode { get; init; } = true;

    /// <summary>registerWithTaints: Taints of a new node.</summary>
    public IReadOnlyList<Taint> RegisterWithTaints { get; init; } = [];

    /// <summary>providerID: The machine's name at its cloud.</summary>
    public string ProviderID { get; init; } = "";

    /// <summary>podCIDR: Pod range in standalone mode.</summary>
    public string PodCIDR { get; init; } = "";

    /// <summary>maxPods: Pods that may run at once.</summary>
    public int MaxPods { get; init; } = 110;

    /// <summary>podsPerCore: Pods for each core; 0: no such limit.</summary>
    public int PodsPerCore { get; init; }

    /// <summary>nodeStatusUpdateFrequency: How often the node status is computed.</summary>
    public TimeSpan NodeStatusUpdateFrequency { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>nodeStatusReportFrequency: How often an unchanged node status is sent; equals nodeStatusUpdateFrequency when only that is set.</summary>
    public TimeSpan NodeStatusReportFrequency { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>nodeLeaseDurationSeconds: Length of the node lease; renewed every quarter.</summary>
    public int NodeLeaseDurationSeconds { get; init; } = 40;

    /// <summary>nodeStatusMaxImages: Images listed in the node status; -1: all.</summary>
    public int NodeStatusMaxImages { get; init; } = 50;

    /// <summary>failSwapOn: Refuse to start while swap is on.</summary>
    public bool FailSwapOn { get; init; } = true;

    /// <summary>failCgroupV1: Refuse to start on cgroup v1.</summary>
    public bool FailCgroupV1 { get; init; } = true;

    /// <summary>protectKernelDefaults: Refuse to start rather than change kernel parameters.</summary>
    public bool ProtectKernelDefaults { get; init; }

    /// <summary>makeIPTablesUtilChains: Keep the KUBE-IPTABLES-HINT and KUBE-FIREWALL chains.</summary>
    public bool MakeIPTablesUtilChains { get; init; } = true;

    /// <summary>iptablesMasqueradeBit: Not used since 1.28; validated.</summary>
    public int IptablesMasqueradeBit { get; init; } = 14;

    /// <summary>iptablesDropBit: Not used since 1.28; validated.</summary>
    public int IptablesDropBit { get; init; } = 15;

    /// <summary>oomScoreAdj: OOM score of this process.</summary>
    public int OomScoreAdj { get; init; } = -999;

    /// <summary>maxOpenFiles: Open files limit of this process.</summary>
    public long MaxOpenFiles { get; init; } = 1000000;

    /// <summary>shutdownGracePeriod: Time for pods at node shutdown; zero: off.</summary>
    public TimeSpan ShutdownGracePeriod { get; init; }

    /// <summary>shutdownGracePeriodCriticalPods: The part of shutdownGracePeriod kept for critical pods.</summary>
    public TimeSpan ShutdownGracePeriodCriticalPods { get; init; }

    /// <summary>shutdownGracePeriodByPodPriority: Time at node shutdown by pod priority.</summary>
    public IReadOnlyList<ShutdownGracePeriodByPodPriority> ShutdownGracePeriodByPodPriority { get; init; } = [];

    /// <summary>enableControllerAttachDetach: Leave attaching volumes to the controller.</summary>
    public bool EnableControllerAttachDetach { get; init; } = true;
}
