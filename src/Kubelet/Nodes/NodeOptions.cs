using System.Net;
using NodeAgent.Kubelet.Eviction;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>Settings of the own Node object, from flags and KubeletConfiguration.</summary>
public sealed record NodeOptions
{
    /// <summary>The node's name.</summary>
    public required string NodeName { get; init; }
    /// <summary>The host's name (--hostname-override wins).</summary>
    public required string Hostname { get; init; }
    /// <summary>What nodeInfo.kubeletVersion says, e.g. v1.36.2.</summary>
    public required string KubeletVersion { get; init; }
    /// <summary>--root-dir; its file system gives ephemeral-storage.</summary>
    public required string RootDirectory { get; init; }
    /// <summary>registerNode.</summary>
    public bool RegisterNode { get; init; } = true;
    /// <summary>--node-ip, one or two addresses; 0.0.0.0 or :: only prefers a family.</summary>
    public IReadOnlyList<IPAddress> NodeIPs { get; init; } = [];
    /// <summary>--node-labels.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();
    /// <summary>registerWithTaints.</summary>
    public IReadOnlyList<Taint> Taints { get; init; } = [];
    /// <summary>providerID.</summary>
    public string ProviderId { get; init; } = "";
    /// <summary>True with --cloud-provider=external.</summary>
    public bool ExternalCloud { get; init; }
    /// <summary>enableControllerAttachDetach.</summary>
    public bool ControllerAttachDetach { get; init; } = true;
    /// <summary>port.</summary>
    public int Port { get; init; } = 10250;
    /// <summary>maxPods.</summary>
    public int MaxPods { get; init; } = 110;
    /// <summary>podsPerCore; 0 = no such limit.</summary>
    public int PodsPerCore { get; init; }
    /// <summary>nodeStatusMaxImages; -1 = no cap.</summary>
    public int MaxImages { get; init; } = 50;
    /// <summary>localStorageCapacityIsolation.</summary>
    public bool LocalStorageCapacity { get; init; } = true;
    /// <summary>nodeStatusUpdateFrequency.</summary>
    public TimeSpan UpdateFrequency { get; init; } = TimeSpan.FromSeconds(10);
    /// <summary>nodeStatusReportFrequency.</summary>
    public TimeSpan ReportFrequency { get; init; } = TimeSpan.FromMinutes(5);
    /// <summary>nodeLeaseDurationSeconds.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(40);
    /// <summary>systemReserved and kubeReserved; the eviction part is computed from <see cref="EvictionHard"/>.</summary>
    public NodeReservations Reservations { get; init; } = NodeReservations.None;
    /// <summary>evictionHard, e.g. memory.available → 100Mi.</summary>
    public IReadOnlyDictionary<string, string> EvictionHard { get; init; } = EvictionThresholds.Default;
    /// <summary>status.declaredFeatures: only what is implemented.</summary>
    public IReadOnlyList<string> DeclaredFeatures { get; init; } = [];
}
