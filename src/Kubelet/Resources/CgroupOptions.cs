using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Kubelet.Resources;

/// <summary>Settings of the cgroup tree, from KubeletConfiguration.</summary>
public sealed record CgroupOptions
{
    /// <summary>cgroupRoot, in cgroupfs form; "" = the root.</summary>
    public string CgroupRoot { get; init; } = "";
    /// <summary>cgroupsPerQOS; false puts pods directly below the root and makes no cgroup.</summary>
    public bool CgroupsPerQos { get; init; } = true;
    /// <summary>cpuCFSQuota.</summary>
    public bool CpuCfsQuota { get; init; } = true;
    /// <summary>cpuCFSQuotaPeriod in µs.</summary>
    public long CpuCfsQuotaPeriod { get; init; } = CgroupUnits.DefaultPeriod;
    /// <summary>podPidsLimit; -1 = none.</summary>
    public long PodPidsLimit { get; init; } = -1;
    /// <summary>enforceNodeAllocatable.</summary>
    public IReadOnlyList<string> EnforceNodeAllocatable { get; init; } = ["pods"];
    /// <summary>systemReservedCgroup.</summary>
    public string SystemReservedCgroup { get; init; } = "";
    /// <summary>kubeReservedCgroup.</summary>
    public string KubeReservedCgroup { get; init; } = "";
    /// <summary>Reservations.</summary>
    public NodeReservations Reservations { get; init; } = NodeReservations.None;
    /// <summary>failCgroupV1.</summary>
    public bool FailCgroupV1 { get; init; } = true;
    /// <summary>Page sizes the node has, in bytes.</summary>
    public IReadOnlyList<long> HugePageSizes { get; init; } = [];
}

/// <summary>Checks of the host's cgroups at start. Pure.</summary>
public static class CgroupSupport
{
    /// <summary>Why the agent must not start with this cgroup version; null where it may. The text is upstream's.</summary>
    public static string? Refusal(CgroupVersion version, bool failCgroupV1) => version == CgroupVersion.V1 && failCgroupV1
        ? "kubelet is configured to not run on a host using cgroup v1. cgroup v1 support is unsupported and will be removed in a future release; set failCgroupV1: false to run on it nevertheless"
        : null;

    /// <summary>What the node's events tell about this cgroup version; null where there is nothing to tell. The text is upstream's.</summary>
    public static string? Warning(CgroupVersion version) => version == CgroupVersion.V1
        ? "cgroup v1 detected. cgroup v1 support is deprecated and will be removed in a future release. Please migrate to cgroup v2. "
            + "More information at https://git.k8s.io/enhancements/keps/sig-node/5573-remove-cgroup-v1"
        : null;

    /// <summary>Capacity in quantities the kubepods cgroup is limited by.</summary>
    public static IReadOnlyDictionary<string, Quantity> InternalCapacity(IReadOnlyDictionary<string, Quantity> capacity, long maximumPids) =>
        new Dictionary<string, Quantity>(capacity) { ["pid"] = Quantity.FromValue(maximumPids) };
}
