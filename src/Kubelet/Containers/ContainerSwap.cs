using System.Globalization;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;
using ApiContainer = NodeAgent.Kubernetes.Objects.Container;

namespace NodeAgent.Kubelet.Containers;

/// <summary>How much containers may swap.</summary>
/// <param name="Limited">memorySwap.swapBehavior is LimitedSwap; else NoSwap.</param>
/// <param name="Capacity">Bytes of swap of the node.</param>
public sealed record SwapOptions(bool Limited, long Capacity);

/// <summary>Swap limits of containers. Pure. Source: pkg/kubelet/kuberuntime/kuberuntime_container_linux.go (configureContainerSwapResources).</summary>
internal static class ContainerSwap
{
    /// <summary>True where the container gets a share of the node's swap: Burstable, not critical, memory requested and not all of its limit.</summary>
    public static bool Allowed(Pod pod, ApiContainer c, ContainerLimitsOptions options)
    {
        Quantity request = PodResources.Amount(c.Resources?.Requests, PodResources.Memory) ?? Quantity.Zero;
        Quantity limit = PodResources.Amount(c.Resources?.Limits, PodResources.Memory) ?? Quantity.Zero;
        return options is { Swap.Limited: true, CgroupV2: true } && !pod.IsCritical && PodQos.Of(pod) == QosClass.Burstable
            && !(request.IsZero && limit.IsZero) && request != limit;
    }

    public static void Configure(LinuxContainerResources resources, Pod pod, ApiContainer c, ContainerLimitsOptions options)
    {
        if (options.Swap is not { } swap)
        {
            return;
        }

        if (!options.CgroupV2)
        {
            // Memory and swap together: no more than memory alone.
            resources.MemorySwapLimitInBytes = resources.MemoryLimitInBytes;
            return;
        }

        long request = PodResources.Amount(c.Resources?.Requests, PodResources.Memory)?.Value() ?? 0;
        long share = Allowed(pod, c, options) && options.MemoryCapacity > 0 && request <= options.MemoryCapacity
            ? (long)((double)request / options.MemoryCapacity * swap.Capacity) : 0;
        resources.Unified["memory.swap.max"] = share.ToString(CultureInfo.InvariantCulture);
    }
}
