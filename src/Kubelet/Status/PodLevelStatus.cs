using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Kubelet.Status;

/// <summary>
/// status.resources of pods. Pure. Source: kubelet_pods.go (convertToAPIPodLevelResourcesStatus), but that a request which the cgroup
/// keeps as coarsely as it can is told as it was allocated, and a memory request as it was given last.
/// </summary>
internal static class PodLevelStatus
{
    private const long LeastCpuRequest = 2;
    private const long LeastCpuLimit = 10;

    /// <summary>What is allocated; of a pod that runs, what its cgroup has.</summary>
    public static ResourceRequirements Resources(PodStatusInputs inputs)
    {
        Pod pod = inputs.Pod;
        ResourceRequirements own = pod.Spec.Resources ?? ResourceRequirements.Empty;
        if (inputs.Cgroup is not { } cgroup)
        {
            return own with { Requests = PodResources.Requests(pod), Limits = PodResources.Limits(pod) };
        }

        ResourceRequirements? told = inputs.Previous is { Phase: "Running", Resources: { } before } ? before : null;
        Dictionary<string, Quantity> requests = own.Requests.ToDictionary(), limits = own.Limits.ToDictionary();
        Cpu(requests, told?.Requests, Request(cgroup.CpuShares, PodResources.Amount(PodResources.Requests(pod), PodResources.Cpu)), LeastCpuRequest);
        Cpu(limits, told?.Limits, CgroupUnits.MilliOfQuota(cgroup.CpuQuota ?? -1, cgroup.CpuPeriod), LeastCpuLimit);
        Quantity? request = own.Requests.ContainsKey(PodResources.Memory)
            ? PodResources.Amount(inputs.Actuated.PodLevel?.Requests, PodResources.Memory) ?? PodResources.Amount(own.Requests, PodResources.Memory)
            : PodResources.Amount(PodResources.Requests(pod), PodResources.Memory);
        Memory(requests, request);
        Memory(limits, cgroup.Memory is > 0 and var bytes ? Quantity.FromValue(bytes, QuantityFormat.BinarySI) : PodResources.Amount(told?.Limits, PodResources.Memory));
        return own with { Requests = requests, Limits = limits };
    }

    // Weights are coarser than requests: what maps to the same weight is the same.
    private static long Request(long? shares, Quantity? allocated)
    {
        long milli = allocated?.MilliValue() ?? 0;
        return shares is not { } s || s <= 0 ? 0
            : s == CgroupUnits.SharesOfWeight(CgroupUnits.WeightOf(CgroupUnits.SharesOf(milli))) && milli > 0 ? milli
            : CgroupUnits.MilliOfShares(s);
    }

    private static void Cpu(Dictionary<string, Quantity> list, IReadOnlyDictionary<string, Quantity>? told, long milli, long least)
    {
        if (milli > 0)
        {
            if (milli > least || PodResources.Amount(list, PodResources.Cpu)?.MilliValue() > least)
            {
                list[PodResources.Cpu] = Quantity.FromMilliValue(milli);
            }
        }
        else if (PodResources.Amount(told, PodResources.Cpu) is { } before)
        {
            list[PodResources.Cpu] = before;
        }
    }

    private static void Memory(Dictionary<string, Quantity> list, Quantity? amount)
    {
        if (amount is { } value)
        {
            list[PodResources.Memory] = value;
        }
    }
}
