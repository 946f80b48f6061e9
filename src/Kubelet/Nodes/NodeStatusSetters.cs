using NodeAgent.Kubelet.Eviction;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>Computes status fields of the own Node. Pure. Source: pkg/kubelet/nodestatus/setters.go.</summary>
public static class NodeStatusSetters
{
    private const int NamesPerImage = 5;

    /// <summary>All setters in upstream's order.</summary>
    public static NodeStatus Apply(NodeStatus status, NodeOptions options, NodeObservation seen)
    {
        IReadOnlyDictionary<string, Quantity> capacity = Capacity(status.Capacity, options, seen.Capacity);
        return status with
        {
            Addresses = seen.Addresses,
            Capacity = capacity,
            Allocatable = Allocatable(capacity, options),
            NodeInfo = SystemInfo(status.NodeInfo, options, seen),
            DaemonEndpoints = new NodeDaemonEndpoints { KubeletEndpoint = new DaemonEndpoint { Port = options.Port } },
            Images = seen.Images is null ? status.Images : Images(seen.Images, options.MaxImages),
            RuntimeHandlers = seen.Runtime.Handlers,
            Features = seen.Runtime.SupplementalGroupsPolicy is { } groups ? new NodeFeatures { SupplementalGroupsPolicy = groups } : status.Features,
            Conditions = Conditions(status, capacity, seen),
            VolumesInUse = seen.VolumesInUse ?? status.VolumesInUse,
            DeclaredFeatures = [.. options.DeclaredFeatures.Order(StringComparer.Ordinal)],
        };
    }

    /// <summary>status.capacity; extended resources that an operator wrote stay as they are.</summary>
    public static IReadOnlyDictionary<string, Quantity> Capacity(IReadOnlyDictionary<string, Quantity> before, NodeOptions options, MachineCapacity? machine)
    {
        Dictionary<string, Quantity> capacity = before.Where(c => IsExtended(c.Key)).ToDictionary();
        long pods = options.PodsPerCore > 0 && machine is not null ? Math.Min(options.MaxPods, machine.Cpus * options.PodsPerCore) : options.MaxPods;
        capacity[PodResources.Pods] = Quantity.FromValue(pods);
        capacity[PodResources.Cpu] = Quantity.FromValue(machine?.Cpus ?? 0);
        capacity[PodResources.Memory] = Quantity.FromValue(machine?.Memory ?? 0, QuantityFormat.BinarySI);
        foreach ((string name, long bytes) in machine?.HugePages ?? new Dictionary<string, long>())
        {
            capacity[name] = Quantity.FromValue(bytes, QuantityFormat.BinarySI);
        }

        if (options.LocalStorageCapacity && (machine?.EphemeralStorage is { } storage))
        {
            capacity[PodResources.EphemeralStorage] = Quantity.FromValue(storage, QuantityFormat.BinarySI);
        }
        else if (options.LocalStorageCapacity && before.TryGetValue(PodResources.EphemeralStorage, out Quantity known))
        {
            capacity[PodResources.EphemeralStorage] = known;
        }

        return capacity;
    }

    /// <summary>status.allocatable.</summary>
    public static IReadOnlyDictionary<string, Quantity> Allocatable(IReadOnlyDictionary<string, Quantity> capacity, NodeOptions options)
    {
        NodeReservations reservations = options.Reservations with
        {
            HardEviction = EvictionThresholds.Reservation(EvictionThresholds.Parse(options.EvictionHard), capacity),
        };
        return NodeAllocatable.ForStatus(capacity, reservations);
    }

    /// <summary>status.nodeInfo.</summary>
    public static NodeSystemInfo SystemInfo(NodeSystemInfo? before, NodeOptions options, NodeObservation seen) => (before ?? NodeSystemInfo.Empty) with
    {
        MachineID = seen.Identity.MachineId,
        SystemUUID = seen.Identity.SystemUuid,
        BootID = seen.Identity.BootId,
        KernelVersion = seen.Identity.KernelVersion,
        OsImage = seen.Identity.OsImage,
        ContainerRuntimeVersion = seen.Runtime.Reported,
        KubeletVersion = options.KubeletVersion,
        KubeProxyVersion = "",
        OperatingSystem = "linux",
        Architecture = seen.Identity.Architecture,
        Swap = seen.Capacity?.Swap > 0 ? new NodeSwapStatus { Capacity = seen.Capacity.Swap } : null,
    };

    /// <summary>status.images: largest first, at most the given number (-1 = all), five names each.</summary>
    public static IReadOnlyList<ContainerImage> Images(IReadOnlyList<NodeImage> images, int maximum) =>
    [
        .. images.OrderByDescending(i => i.Size).ThenBy(i => string.Join(' ', i.RepoDigests.Concat(i.RepoTags)), StringComparer.Ordinal)
            .Take(maximum < 0 ? int.MaxValue : maximum)
            .Select(i => new ContainerImage { Names = [.. i.RepoDigests.Concat(i.RepoTags).Take(NamesPerImage)], SizeBytes = i.Size }),
    ];

    /// <summary>status.conditions: the kubelet's four, each in its old place or at the end; others stay.</summary>
    public static IReadOnlyList<NodeCondition> Conditions(NodeStatus status, IReadOnlyDictionary<string, Quantity> capacity, NodeObservation seen)
    {
        List<NodeCondition> conditions = [.. status.Conditions];
        Put(conditions, Pressure(seen, "MemoryPressure", ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
            ("KubeletHasSufficientMemory", "kubelet has sufficient memory available")), seen.Now);
        Put(conditions, Pressure(seen, "DiskPressure", ("KubeletHasDiskPressure", "kubelet has disk pressure"),
            ("KubeletHasNoDiskPressure", "kubelet has no disk pressure")), seen.Now);
        Put(conditions, Pressure(seen, "PIDPressure", ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
            ("KubeletHasSufficientPID", "kubelet has sufficient PID available")), seen.Now);
        Put(conditions, Ready(capacity, seen), seen.Now);
        return conditions;
    }

    /// <summary>Which events a change of conditions gives: NodeReady, NodeNotReady, NodeHasDiskPressure, …</summary>
    public static IEnumerable<string> Events(IReadOnlyList<NodeCondition> before, IReadOnlyList<NodeCondition> after)
    {
        foreach (NodeCondition condition in after)
        {
            string? was = before.FirstOrDefault(c => c.Type == condition.Type)?.Status;
            string? name = (condition.Type, condition.Status == "True") switch
            {
                ("Ready", true) => "NodeReady",
                ("Ready", false) => "NodeNotReady",
                ("MemoryPressure", true) => "NodeHasInsufficientMemory",
                ("MemoryPressure", false) => "NodeHasSufficientMemory",
                ("DiskPressure", true) => "NodeHasDiskPressure",
                ("DiskPressure", false) => "NodeHasNoDiskPressure",
                ("PIDPressure", true) => "NodeHasInsufficientPID",
                ("PIDPressure", false) => "NodeHasSufficientPID",
                _ => null,
            };
            // A node that starts as not ready gives no event, as upstream.
            if (name is not null && was != condition.Status && !(was is null && name == "NodeNotReady"))
            {
                yield return name;
            }
        }
    }

    private static NodeCondition Pressure(NodeObservation seen, string type, (string Reason, string Message) on, (string Reason, string Message) off)
    {
        bool holds = seen.Pressures.Contains(type);
        (string reason, string message) = holds ? on : off;
        return new NodeCondition { Type = type, Status = holds ? "True" : "False", Reason = reason, Message = message };
    }

    private static NodeCondition Ready(IReadOnlyDictionary<string, Quantity> capacity, NodeObservation seen)
    {
        List<string> errors = [.. seen.ReadyErrors];
        string[] missing = [.. ((string[])[PodResources.Cpu, PodResources.Memory, PodResources.Pods]).Where(r => !capacity.ContainsKey(r))];
        if (missing.Length > 0)
        {
            errors.Add($"missing node capacity for resources: {string.Join(", ", missing)}");
        }

        return errors.Count == 0
            ? new NodeCondition { Type = "Ready", Status = "True", Reason = "KubeletReady", Message = "kubelet is posting ready status" }
            : new NodeCondition { Type = "Ready", Status = "False", Reason = "KubeletNotReady", Message = errors is [var one] ? one : $"[{string.Join(", ", errors)}]" };
    }

    private static void Put(List<NodeCondition> conditions, NodeCondition condition, DateTimeOffset now)
    {
        int at = conditions.FindIndex(c => c.Type == condition.Type);
        bool same = at >= 0 && conditions[at].Status == condition.Status;
        NodeCondition stamped = condition with { LastHeartbeatTime = now, LastTransitionTime = same ? conditions[at].LastTransitionTime : now };
        if (at < 0)
        {
            conditions.Add(stamped);
        }
        else
        {
            conditions[at] = stamped with { UnknownFields = conditions[at].UnknownFields };
        }
    }

    /// <summary>A node that is another machine than before has none of its extended resources until somebody says so again.</summary>
    public static NodeStatus WithoutExtended(NodeStatus status) => status with
    {
        Capacity = status.Capacity.ToDictionary(c => c.Key, c => IsExtended(c.Key) ? Quantity.FromValue(0) : c.Value),
        Allocatable = status.Allocatable.ToDictionary(c => c.Key, c => IsExtended(c.Key) ? Quantity.FromValue(0) : c.Value),
    };

    private static bool IsExtended(string name) => name.Contains('/', StringComparison.Ordinal);
}
