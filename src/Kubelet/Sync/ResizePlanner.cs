using System.Collections.Immutable;
using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sync;

/// <summary>CPU and memory of a container. 0 = not given.</summary>
/// <param name="CpuRequest">Thousandths of a CPU.</param>
/// <param name="CpuLimit">Thousandths of a CPU.</param>
/// <param name="MemoryRequest">Bytes.</param>
/// <param name="MemoryLimit">Bytes.</param>
public readonly record struct ResourceAmounts(long CpuRequest, long CpuLimit, long MemoryRequest, long MemoryLimit)
{
    /// <summary>What a container's resources say.</summary>
    public static ResourceAmounts Of(ResourceRequirements? r) => new(
        PodResources.Amount(r?.Requests, PodResources.Cpu)?.MilliValue() ?? 0, PodResources.Amount(r?.Limits, PodResources.Cpu)?.MilliValue() ?? 0,
        PodResources.Amount(r?.Requests, PodResources.Memory)?.Value() ?? 0, PodResources.Amount(r?.Limits, PodResources.Memory)?.Value() ?? 0);

    /// <summary>The same as resources; what is 0 is left out.</summary>
    public ResourceRequirements ToRequirements() => new() { Requests = Map(CpuRequest, MemoryRequest), Limits = Map(CpuLimit, MemoryLimit) };

    private static Dictionary<string, Quantity> Map(long cpu, long memory)
    {
        var map = new Dictionary<string, Quantity>();
        if (cpu != 0)
        {
            map[PodResources.Cpu] = Quantity.FromMilliValue(cpu);
        }

        if (memory != 0)
        {
            map[PodResources.Memory] = Quantity.FromValue(memory, QuantityFormat.BinarySI);
        }

        return map;
    }
}

/// <summary>Give a running container other resources.</summary>
/// <param name="Container">Its spec with the allocated resources.</param>
/// <param name="Id">The instance.</param>
/// <param name="Desired">What it shall have.</param>
/// <param name="Current">What it was given last.</param>
public sealed record ContainerResize(Container Container, ContainerId Id, ResourceAmounts Desired, ResourceAmounts Current);

/// <summary>
/// Decides which running containers get other resources and which restart for it. One for each plan. Source:
/// pkg/kubelet/kuberuntime/kuberuntime_manager.go (computePodResizeAction).
/// </summary>
/// <param name="podLevel">spec.resources.</param>
/// <param name="actuated">What was given last.</param>
internal sealed class ResizePlanner(ResourceRequirements? podLevel, ActuatedResources actuated)
{
    private readonly LinkedList<ContainerResize> _memory = [], _cpu = [];

    /// <summary>A container restarts for a resize: the pod's cgroup follows too.</summary>
    public bool ResizePod { get; private set; }

    /// <summary>What the pod has as a whole changes.</summary>
    public bool ResizePodLevel => ResourceAmounts.Of(podLevel) != ResourceAmounts.Of(actuated.PodLevel);

    public ImmutableArray<ContainerResize> Memory => [.. _memory];

    public ImmutableArray<ContainerResize> Cpu => [.. _cpu];

    /// <summary>Looks at a running container that stays; true where it has to restart.</summary>
    public bool Restarts(Container c, RuntimeContainerStatus s)
    {
        ResourceRequirements? last = actuated.Container(c.Name ?? "");
        ResourceAmounts desired = ResourceAmounts.Of(PodResources.OfContainer(podLevel, c.Resources));
        ResourceAmounts current = ResourceAmounts.Of(PodResources.OfContainer(actuated.PodLevel, last));
        bool memory = (desired.MemoryRequest, desired.MemoryLimit) != (current.MemoryRequest, current.MemoryLimit);
        bool cpu = (desired.CpuRequest, desired.CpuLimit) != (current.CpuRequest, current.CpuLimit);
        // Where nothing is on record nothing is known to have changed: the values are set once more, and nothing restarts for it.
        if (last is not null && ((memory && Policy(c, PodResources.Memory)) || (cpu && Policy(c, PodResources.Cpu))))
        {
            ResizePod = true;
            return true;
        }

        var resize = new ContainerResize(c, s.Id, desired, current);
        Place(_memory, resize, desired.MemoryLimit != current.MemoryLimit ? desired.MemoryLimit - current.MemoryLimit : desired.MemoryRequest - current.MemoryRequest);
        Place(_cpu, resize, desired.CpuLimit != current.CpuLimit ? desired.CpuLimit - current.CpuLimit : desired.CpuRequest - current.CpuRequest);
        return false;
    }

    /// <summary>True while the pod or a running container has not been given what is allocated to it. What is not on record does not count.</summary>
    public static bool InProgress(Pod allocated, RuntimePodStatus status, ActuatedResources actuated) =>
        (allocated.Spec.Resources is { } whole && actuated.PodLevel is { } last && ResourceAmounts.Of(whole) != ResourceAmounts.Of(last))
        || allocated.Spec.Containers.Concat(allocated.Spec.InitContainers.Where(c => c.RestartPolicy == "Always")).Any(c =>
            status.Find(c.Name ?? "") is { State: RuntimeContainerState.Running }
            && actuated.Container(c.Name ?? "") is { } given && ResourceAmounts.Of(PodResources.OfContainer(allocated.Spec.Resources, c.Resources)) != ResourceAmounts.Of(given));

    private static bool Policy(Container c, string resource) =>
        c.ResizePolicy.FirstOrDefault(p => p.ResourceName == resource)?.RestartPolicy == "RestartContainer";

    // What takes less goes first, so that what takes more finds room.
    private static void Place(LinkedList<ContainerResize> list, ContainerResize resize, long difference)
    {
        if (difference > 0)
        {
            list.AddLast(resize);
        }
        else if (difference < 0)
        {
            list.AddFirst(resize);
        }
    }
}
