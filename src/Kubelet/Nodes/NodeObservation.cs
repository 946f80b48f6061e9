using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>What the host is. Bytes where no unit is named.</summary>
/// <param name="Cpus">Logical CPUs.</param>
/// <param name="Memory">MemTotal.</param>
/// <param name="Swap">SwapTotal.</param>
/// <param name="EphemeralStorage">Size of the root directory's file system; null where not asked or not known.</param>
/// <param name="HugePages">Bytes set aside by page size.</param>
public sealed record MachineCapacity(int Cpus, long Memory, long Swap, long? EphemeralStorage, IReadOnlyDictionary<string, long> HugePages);

/// <summary>Identity of host and boot.</summary>
/// <param name="MachineId">machine-id.</param>
/// <param name="SystemUuid">DMI UUID.</param>
/// <param name="BootId">Of this boot.</param>
/// <param name="KernelVersion">uname -r.</param>
/// <param name="OsImage">PRETTY_NAME.</param>
/// <param name="Architecture">Go's name.</param>
public sealed record MachineIdentity(string MachineId, string SystemUuid, string BootId, string KernelVersion, string OsImage, string Architecture);

/// <summary>An image of the runtime.</summary>
/// <param name="RepoDigests">name@digest.</param>
/// <param name="RepoTags">name:tag.</param>
/// <param name="Size">Bytes.</param>
public sealed record NodeImage(IReadOnlyList<string> RepoDigests, IReadOnlyList<string> RepoTags, long Size);

/// <summary>All that the own Node's status is computed from.</summary>
public sealed record NodeObservation
{
    /// <summary>Now.</summary>
    public required DateTimeOffset Now { get; init; }
    /// <summary>Chosen addresses.</summary>
    public required IReadOnlyList<NodeAddress> Addresses { get; init; }
    /// <summary>Null where the host's figures cannot be read: capacity is then 0.</summary>
    public required MachineCapacity? Capacity { get; init; }
    /// <summary>Identity.</summary>
    public required MachineIdentity Identity { get; init; }
    /// <summary>Runtime's state.</summary>
    public required RuntimeState Runtime { get; init; }
    /// <summary>Images; null leaves the list as it is.</summary>
    public IReadOnlyList<NodeImage>? Images { get; init; }
    /// <summary>Pressure conditions that hold.</summary>
    public IReadOnlyList<string> Pressures { get; init; } = [];
    /// <summary>Why the node is not ready, in upstream's order; empty while it is.</summary>
    public IReadOnlyList<string> ReadyErrors { get; init; } = [];
    /// <summary>volumesInUse; null until volume reconstruction has ended.</summary>
    public IReadOnlyList<string>? VolumesInUse { get; init; }
}
