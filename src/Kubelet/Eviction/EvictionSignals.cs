using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Eviction;

/// <summary>A signal's amount now.</summary>
/// <param name="Available">What is left.</param>
/// <param name="Capacity">What there is in all.</param>
public readonly record struct EvictionSignal(long Available, long Capacity);

/// <summary>The signals and what they belong to. Source: pkg/kubelet/eviction/{api/types,helpers}.go.</summary>
public static class EvictionSignals
{
    /// <summary>Memory of the node.</summary>
    public const string Memory = "memory.available";
    /// <summary>Memory of all pods within their common limit.</summary>
    public const string AllocatableMemory = "allocatableMemory.available";
    /// <summary>Space of the root directory's file system.</summary>
    public const string NodeFs = "nodefs.available";
    /// <summary>Its inodes.</summary>
    public const string NodeFsInodes = "nodefs.inodesFree";
    /// <summary>Space of the images' file system.</summary>
    public const string ImageFs = "imagefs.available";
    /// <summary>Its inodes.</summary>
    public const string ImageFsInodes = "imagefs.inodesFree";
    /// <summary>Space of the file system of containers' own layers.</summary>
    public const string ContainerFs = "containerfs.available";
    /// <summary>Its inodes.</summary>
    public const string ContainerFsInodes = "containerfs.inodesFree";
    /// <summary>Process ids.</summary>
    public const string Pids = "pid.available";

    /// <summary>The node condition a signal below its threshold makes.</summary>
    public static string ConditionOf(string signal) => signal switch
    {
        Memory or AllocatableMemory => "MemoryPressure",
        Pids => "PIDPressure",
        _ => "DiskPressure",
    };

    /// <summary>What runs short, as messages name it.</summary>
    public static string ResourceOf(string signal) => signal switch
    {
        Memory or AllocatableMemory => "memory",
        NodeFsInodes or ImageFsInodes or ContainerFsInodes => "inodes",
        Pids => "pids",
        _ => "ephemeral-storage",
    };

    /// <summary>How amounts of a signal are written.</summary>
    public static QuantityFormat FormatOf(string signal) => ResourceOf(signal) is "memory" or "ephemeral-storage" ? QuantityFormat.BinarySI : QuantityFormat.DecimalSI;
}
