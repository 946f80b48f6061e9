using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Allocation;

/// <summary>What of the node's settings a resize can run against.</summary>
/// <param name="CpuManagerPolicy">cpuManagerPolicy.</param>
/// <param name="MemoryManagerPolicy">memoryManagerPolicy.</param>
/// <param name="UsesSwap">Whether a container of the pod may swap.</param>
public sealed record ResizeOptions(string CpuManagerPolicy, string MemoryManagerPolicy, Func<Pod, Container, bool> UsesSwap)
{
    /// <summary>Whether what a pod has as a whole may change (gate InPlacePodLevelResourcesVerticalScaling).</summary>
    public bool PodLevel { get; init; } = true;

    /// <summary>No manager, no swap.</summary>
    public static ResizeOptions None { get; } = new("none", "None", (_, _) => false);
}

/// <summary>Resizes that this node can never carry out. Pure. Source: pkg/kubelet/allocation/handlers.go.</summary>
internal static class ResizeFeasibility
{
    /// <summary>Why not, in words and as metrics name it, or null where it depends on room alone.</summary>
    public static (string Message, string Detail)? Problem(Pod desired, Pod allocated, ResizeOptions options)
    {
        if (SwapsMemory(desired, allocated, options))
        {
            return ("In-place resize of containers with swap is not supported.", "swap_limitation");
        }

        if (!options.PodLevel && !SameResources.Of(desired.Spec.Resources, allocated.Spec.Resources))
        {
            return ("InPlacePodLevelResourcesVerticalScaling is disabled", "plr_feature_gate_off");
        }

        if (PodQos.Of(desired) != QosClass.Guaranteed)
        {
            return null;
        }

        return options.CpuManagerPolicy == "static" && Changes(desired, allocated, PodResources.Cpu)
            ? ("Resize is infeasible for Guaranteed Pods alongside CPU Manager policy \"static\"", "guaranteed_pod_cpu_manager_static_policy")
            : options.MemoryManagerPolicy == "Static" && Changes(desired, allocated, PodResources.Memory)
            ? ("Resize is infeasible for Guaranteed Pods alongside Memory Manager policy \"Static\"", "guaranteed_pod_memory_manager_static_policy")
            : null;
    }

    private static bool SwapsMemory(Pod desired, Pod allocated, ResizeOptions options) => Pairs(desired, allocated).Any(p =>
        Request(p.Desired, PodResources.Memory) != Request(p.Allocated, PodResources.Memory)
        && p.Allocated.ResizePolicy.FirstOrDefault(r => r.ResourceName == PodResources.Memory)?.RestartPolicy != "RestartContainer"
        && (options.UsesSwap(desired, p.Desired) || options.UsesSwap(allocated, p.Allocated)));

    private static bool Changes(Pod desired, Pod allocated, string resource) =>
        Pairs(desired, allocated).Any(p => Request(p.Desired, resource) != Request(p.Allocated, resource));

    private static Quantity Request(Container c, string name) => PodResources.Amount(c.Resources?.Requests, name) ?? Quantity.Zero;

    private static IEnumerable<(Container Desired, Container Allocated)> Pairs(Pod desired, Pod allocated) =>
        PodResources.AllContainers(desired).Join(PodResources.AllContainers(allocated), c => c.Name, c => c.Name, (d, a) => (d, a));
}
