using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Kubelet.Status;

/// <summary>The parts of a container's status that repeat what it was given or what the runtime says it has. Pure.</summary>
internal static class Observed
{
    private const long LeastCpuRequest = 2;
    private const long LeastCpuLimit = 10;

    /// <summary>
    /// What a running container has: what the runtime reports, else what was told before, else what was given; of others what is allocated.
    /// A resource that is at its least on both sides keeps the allocated value. Source: kubelet_pods.go (convertContainerStatusResources).
    /// </summary>
    /// <param name="pod">With its allocated resources.</param>
    /// <param name="c">The instance.</param>
    /// <param name="actuated">What it was given last; null where that is not on record.</param>
    /// <param name="previous">Its last status.</param>
    public static ResourceRequirements Resources(Pod pod, RuntimeContainerStatus c, ResourceRequirements? actuated, ContainerStatus? previous)
    {
        ResourceRequirements allocated = Spec(pod, c.Name)?.Resources ?? ResourceRequirements.Empty;
        if (c.State != RuntimeContainerState.Running)
        {
            return allocated;
        }

        (Quantity? cpuRequest, Quantity? cpuLimit, Quantity? memoryLimit) = Reported(c);
        Quantity? memoryRequest = PodResources.Amount(actuated?.Requests, PodResources.Memory) is { IsZero: false } given ? given : null;
        if (cpuRequest is null && cpuLimit is null && memoryLimit is null && actuated is not null)
        {
            (cpuRequest, cpuLimit, memoryLimit) = (Given(actuated.Requests, PodResources.Cpu), Given(actuated.Limits, PodResources.Cpu), Given(actuated.Limits, PodResources.Memory));
        }

        ResourceRequirements? told = previous?.State?.Running is not null && previous.ContainerID == c.Id.ToString() ? previous.Resources : null;
        return allocated with
        {
            Limits = Merge(allocated.Limits, told?.Limits, cpuLimit, LeastCpuLimit, memoryLimit),
            Requests = Merge(allocated.Requests, told?.Requests, cpuRequest, LeastCpuRequest, memoryRequest),
        };
    }

    private static (Quantity? CpuRequest, Quantity? CpuLimit, Quantity? MemoryLimit) Reported(RuntimeContainerStatus c)
    {
        if (c.Resources?.Linux is not { } linux)
        {
            return default;
        }

        long limit = CgroupUnits.MilliOfQuota(linux.CpuQuota, linux.CpuPeriod), request = linux.CpuShares > 0 ? CgroupUnits.MilliOfShares(linux.CpuShares) : 0;
        return (
            request > 0 ? Quantity.FromMilliValue(request) : null,
            limit > 0 ? Quantity.FromMilliValue(limit) : null,
            linux.MemoryLimitInBytes > 0 ? Quantity.FromValue(linux.MemoryLimitInBytes, QuantityFormat.BinarySI) : null);
    }

    private static Quantity? Given(IReadOnlyDictionary<string, Quantity> list, string name) => PodResources.Amount(list, name) ?? Quantity.Zero;

    private static IReadOnlyDictionary<string, Quantity> Merge(
        IReadOnlyDictionary<string, Quantity> allocated, IReadOnlyDictionary<string, Quantity>? told, Quantity? cpu, long leastCpu, Quantity? memory)
    {
        if (allocated.Count == 0)
        {
            return allocated;
        }

        var merged = allocated.ToDictionary();
        if (cpu is not { } c)
        {
            Keep(PodResources.Cpu);
        }
        else if (c.MilliValue() > leastCpu || (PodResources.Amount(allocated, PodResources.Cpu)?.MilliValue() ?? 0) > leastCpu)
        {
            merged[PodResources.Cpu] = c;
        }

        if (memory is { } m)
        {
            merged[PodResources.Memory] = m;
        }
        else
        {
            Keep(PodResources.Memory);
        }

        return merged;

        void Keep(string name)
        {
            if (PodResources.Amount(told, name) is { } before)
            {
                merged[name] = before;
            }
        }
    }

    /// <summary>The requests that were allocated.</summary>
    public static IReadOnlyDictionary<string, Quantity> Allocated(Pod pod, string name) =>
        Spec(pod, name)?.Resources?.Requests ?? new Dictionary<string, Quantity>();

    /// <summary>status.volumeMounts: what was mounted, as the spec asked; of a container that the runtime does not have yet, what will be.</summary>
    public static IReadOnlyList<VolumeMountStatus> VolumeMounts(Pod pod, string name, RuntimeContainerStatus? c)
    {
        IReadOnlyList<VolumeMount> mounts = Spec(pod, name)?.VolumeMounts
            ?? pod.Spec.EphemeralContainers.FirstOrDefault(e => e.Name == name)?.VolumeMounts ?? [];
        return [.. mounts.Select(m => new VolumeMountStatus
        {
            Name = m.Name,
            MountPath = m.MountPath,
            ReadOnly = m.ReadOnly == true ? true : null,
            RecursiveReadOnly = m.ReadOnly != true ? null : c?.Mounts.Any(x => x.ContainerPath == m.MountPath && x.RecursiveReadOnly) == true ? "Enabled" : "Disabled",
        })];
    }

    /// <summary>status.user as the runtime reports it.</summary>
    public static ContainerUser? User(RuntimeContainerStatus c) => c.User?.Linux is not { } linux ? null : new ContainerUser
    {
        Linux = new LinuxContainerUser { Uid = linux.Uid, Gid = linux.Gid, SupplementalGroups = [.. linux.SupplementalGroups] },
    };

    /// <summary>The spec of a container or init container; null where the pod has none of that name.</summary>
    public static Container? Spec(Pod pod, string name) =>
        pod.Spec.Containers.FirstOrDefault(c => c.Name == name) ?? pod.Spec.InitContainers.FirstOrDefault(c => c.Name == name);
}
