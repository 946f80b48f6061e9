using System.Collections.Immutable;

namespace NodeAgent.Kubelet.Eviction;

/// <summary>Which of the node's file systems are the same.</summary>
public enum DiskLayout
{
    /// <summary>Root directory, images and containers share one.</summary>
    One,
    /// <summary>Images and containers' own layers have one apart.</summary>
    ImagesApart,
    /// <summary>Images have one apart; containers' own layers share the root directory's.</summary>
    ImagesAloneApart,
}

/// <summary>What is left on the node.</summary>
/// <param name="Signals">By name, as far as they can be read.</param>
/// <param name="Layout">Of the disks.</param>
public sealed record NodeUse(IReadOnlyDictionary<string, EvictionSignal> Signals, DiskLayout Layout);

/// <summary>Space taken on a disk.</summary>
/// <param name="Bytes">Bytes allocated.</param>
/// <param name="Inodes">Files, folders, links.</param>
public readonly record struct DiskUse(long Bytes, long Inodes)
{
    /// <summary>Both together.</summary>
    public static DiskUse operator +(DiskUse a, DiskUse b) => new(a.Bytes + b.Bytes, a.Inodes + b.Inodes);

    /// <summary>Both together.</summary>
    public static DiskUse Add(DiskUse a, DiskUse b) => a + b;
}

/// <summary>What a container uses; null where that is not known.</summary>
/// <param name="Name">In the pod's spec.</param>
public sealed record ContainerUse(string Name)
{
    /// <summary>Working set, bytes.</summary>
    public long? Memory { get; init; }
    /// <summary>Its own layer.</summary>
    public DiskUse? RootFs { get; init; }
    /// <summary>Its logs, rotated ones included.</summary>
    public DiskUse? Logs { get; init; }
}

/// <summary>What a pod uses, as far as it was asked for.</summary>
public sealed record PodUse
{
    /// <summary>Working set, bytes; null where the kernel does not tell.</summary>
    public long? Memory { get; init; }
    /// <summary>Processes.</summary>
    public long Processes { get; init; }
    /// <summary>The containers that run or ran last.</summary>
    public ImmutableArray<ContainerUse> Containers { get; init; } = [];
    /// <summary>Its volumes on the node's disk, by name.</summary>
    public ImmutableDictionary<string, DiskUse> Volumes { get; init; } = ImmutableDictionary<string, DiskUse>.Empty;
    /// <summary>What belongs to the pod as a whole: its hosts file, logs of none of its containers.</summary>
    public DiskUse Other { get; init; }

    /// <summary>All it takes of local disks.</summary>
    public DiskUse Ephemeral => Sum(DiskParts.All) + Other;

    /// <summary>Some of what it takes of local disks.</summary>
    public DiskUse Sum(DiskParts parts)
    {
        DiskUse sum = default;
        foreach (ContainerUse container in Containers)
        {
            sum += parts.HasFlag(DiskParts.RootFs) ? container.RootFs ?? default : default;
            sum += parts.HasFlag(DiskParts.Logs) ? container.Logs ?? default : default;
        }

        return parts.HasFlag(DiskParts.Volumes) ? Volumes.Values.Aggregate(sum, DiskUse.Add) : sum;
    }
}

/// <summary>Parts of what a pod takes of local disks.</summary>
[Flags]
public enum DiskParts
{
    /// <summary>Nothing.</summary>
    None = 0,
    /// <summary>Containers' own layers.</summary>
    RootFs = 1,
    /// <summary>Containers' logs.</summary>
    Logs = 2,
    /// <summary>Volumes on the node's disk.</summary>
    Volumes = 4,
    /// <summary>All of them.</summary>
    All = RootFs | Logs | Volumes,
}

/// <summary>What is measured of a pod: each costs something.</summary>
[Flags]
public enum PodFigures
{
    /// <summary>The pod's memory and processes: two files.</summary>
    Cgroup = 1,
    /// <summary>Each container's memory: two files each.</summary>
    ContainerMemory = 2,
    /// <summary>Containers' own layers (asked of the runtime), logs and volumes (walked through, volumes at most once a minute).</summary>
    Disk = 4,
}

/// <summary>Reads the node and its pods.</summary>
public interface INodeUseSource
{
    /// <summary>What is left now.</summary>
    Task<NodeUse> LookAsync(CancellationToken cancellationToken);

    /// <summary>What pods use; a pod of which nothing runs is left out.</summary>
    Task<IReadOnlyDictionary<Pods.PodUid, PodUse>> MeasureAsync(IReadOnlyList<Kubernetes.Objects.Pod> pods, PodFigures figures, CancellationToken cancellationToken);
}
