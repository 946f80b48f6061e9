using System.Collections.Immutable;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>What other parts know about the node's health. Composition implements it.</summary>
public interface INodeHealth
{
    /// <summary>Why PLEG is not healthy; null while it is.</summary>
    string? PlegError { get; }

    /// <summary>Why storage is not ready (CSINode); null while it is.</summary>
    string? StorageError { get; }

    /// <summary>True while the node shuts down.</summary>
    bool ShuttingDown { get; }

    /// <summary>volumesInUse; null until volume reconstruction has ended.</summary>
    IReadOnlyList<string>? VolumesInUse { get; }
}

/// <summary>Images, from the runtime's image service.</summary>
public interface INodeImageSource
{
    /// <summary>All images. Throws where the runtime does not answer.</summary>
    Task<IReadOnlyList<NodeImage>> ListImagesAsync(CancellationToken cancellationToken);
}

/// <summary>The runtime's answers to Version and Status, as the node needs them.</summary>
public interface IRuntimeStatusSource
{
    /// <summary>Asks the runtime. Throws where it does not answer.</summary>
    /// <returns>The state with name, version, conditions and handlers; times are the caller's.</returns>
    Task<RuntimeState> AskAsync(CancellationToken cancellationToken);
}

/// <summary>The host's figures.</summary>
public interface IHostObserver
{
    /// <summary>Capacity; throws IOException where /proc cannot be read.</summary>
    Task<MachineCapacity> CapacityAsync(CancellationToken cancellationToken);

    /// <summary>Identity.</summary>
    MachineIdentity Identity();
}

/// <summary>The addresses of status.addresses that pods' hostIPs have.</summary>
internal static class NodeHostIPs
{
    public static ImmutableArray<string> Of(IEnumerable<NodeAddress> addresses)
    {
        NodeAddress[] all = [.. addresses];
        string[] ips = [.. all.Where(a => a.Type == "InternalIP").Select(a => a.Address)];
        ips = ips.Length > 0 ? ips : [.. all.Where(a => a.Type == "ExternalIP").Select(a => a.Address)];
        // One of each family, the first one's family first.
        return [.. ips.GroupBy(ip => ip.Contains(':', StringComparison.Ordinal)).Select(g => g.First())];
    }
}
