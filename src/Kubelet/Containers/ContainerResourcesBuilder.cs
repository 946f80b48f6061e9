using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;
using ApiContainer = NodeAgent.Kubernetes.Objects.Container;

namespace NodeAgent.Kubelet.Containers;

/// <summary>What of the node a container's limits depend on.</summary>
/// <param name="MemoryCapacity">Bytes.</param>
/// <param name="CpuQuota">cpuCFSQuota.</param>
/// <param name="CpuPeriod">cpuCFSQuotaPeriod in µs.</param>
/// <param name="CgroupV2">The host has cgroup v2.</param>
/// <param name="SingleProcessOomKill">singleProcessOOMKill.</param>
/// <param name="HugePageSizes">Bytes of each page size of the node.</param>
public sealed record ContainerLimitsOptions(
    long MemoryCapacity, bool CpuQuota, long CpuPeriod, bool CgroupV2, bool SingleProcessOomKill, IReadOnlyList<long> HugePageSizes)
{
    /// <summary>How containers may swap; null where the kernel does not account for swap.</summary>
    public SwapOptions? Swap { get; init; }

    /// <summary>True where the container gets a share of the node's swap.</summary>
    public bool MaySwap(Pod pod, ApiContainer container) => ContainerSwap.Allowed(pod, container, this);
}

/// <summary>Requests and limits as the runtime gets them. Pure. Source: kuberuntime_container_linux.go, pkg/kubelet/qos/policy.go.</summary>
internal static class ContainerResourcesBuilder
{
    public static LinuxContainerResources Build(Pod pod, ApiContainer c, ContainerLimitsOptions options)
    {
        ResourceRequirements given = PodResources.OfContainer(pod.Spec.Resources, c.Resources);
        LinuxContainerResources resources = Limits(given.Requests, given.Limits, options);
        resources.OomScoreAdj = OomScore(pod, c, options.MemoryCapacity);
        foreach (long size in options.HugePageSizes)
        {
            Quantity? limit = HugePages.Of(given.Limits, size) ?? HugePages.Of(pod.Spec.Resources?.Limits, size);
            resources.HugepageLimits.Add(new HugepageLimit { PageSize = CgroupLimits.HugePageSizeName(size), Limit = (ulong)(limit?.Value() ?? 0) });
        }

        ContainerSwap.Configure(resources, pod, c, options);
        return resources;
    }

    /// <summary>Totals of the pod without its overhead, for the sandbox.</summary>
    public static LinuxContainerResources ForPod(Pod pod, ContainerLimitsOptions options) =>
        Limits(PodResources.Requests(pod, includeOverhead: false), PodResources.Limits(pod, includeOverhead: false), options);

    private static LinuxContainerResources Limits(IReadOnlyDictionary<string, Quantity> requests, IReadOnlyDictionary<string, Quantity> limits, ContainerLimitsOptions options)
    {
        long cpuLimit = Milli(limits, "cpu");
        var resources = new LinuxContainerResources
        {
            CpuShares = Shares(requests.ContainsKey("cpu") || cpuLimit == 0 ? Milli(requests, "cpu") : cpuLimit),
            MemoryLimitInBytes = Bytes(limits, "memory"),
        };
        if (options.CpuQuota)
        {
            resources.CpuPeriod = options.CpuPeriod;
            resources.CpuQuota = Quota(cpuLimit, options.CpuPeriod);
        }

        if (options.CgroupV2 && !options.SingleProcessOomKill)
        {
            resources.Unified["memory.oom.group"] = "1";
        }

        return resources;
    }

    /// <summary>Plain quantities, for overhead.</summary>
    public static LinuxContainerResources FromQuantities(IReadOnlyDictionary<string, Quantity> q) => new()
    {
        CpuShares = Shares(Milli(q, "cpu")),
        CpuPeriod = 100_000,
        CpuQuota = Quota(Milli(q, "cpu"), 100_000),
        MemoryLimitInBytes = Bytes(q, "memory"),
    };

    public static long Shares(long milli) => milli == 0 ? 2 : Math.Clamp(milli * 1024 / 1000, 2, 262_144);

    public static long Quota(long milli, long period) => milli == 0 ? 0 : Math.Max(1000, milli * period / 1000);

    /// <summary>Killed first when memory runs out: 1000 for BestEffort, −997 for Guaranteed, in between by request.</summary>
    public static long OomScore(Pod pod, ApiContainer c, long memoryCapacity)
    {
        if (pod.IsCritical && (pod.IsStatic || pod.Spec.Priority >= 2_000_001_000))
        {
            return -997;
        }

        switch (PodQos.Of(pod))
        {
            case QosClass.Guaranteed:
                return -997;
            case QosClass.BestEffort:
                return 1000;
        }

        long share = PodShare(pod);
        long Score(ApiContainer x)
        {
            long request = Bytes(x.Resources?.Requests, "memory") + share;
            long score = memoryCapacity <= 0 ? 999 : 1000 - (1000 * request / memoryCapacity);
            return score < 3 ? 3 : score == 1000 ? 999 : score;
        }

        bool sidecar = c.RestartPolicy == "Always" && pod.Spec.InitContainers.Any(i => i.Name == c.Name);
        return sidecar ? Math.Min(Score(c), pod.Spec.Containers.Min(Score)) : Score(c);
    }

    /// <summary>A container's part of the memory the pod requests as a whole and no container has, the same for each.</summary>
    private static long PodShare(Pod pod) => Bytes(pod.Spec.Resources?.Requests, "memory") is > 0 and var whole
        ? (whole - Bytes(PodResources.OfContainersRequests(pod), "memory")) / (pod.Spec.Containers.Count + pod.Spec.InitContainers.Count) : 0;

    private static long Milli(IReadOnlyDictionary<string, Quantity>? q, string name) => q is not null && q.TryGetValue(name, out Quantity v) ? v.MilliValue() : 0;

    private static long Bytes(IReadOnlyDictionary<string, Quantity>? q, string name) => q is not null && q.TryGetValue(name, out Quantity v) ? v.Value() : 0;
}
