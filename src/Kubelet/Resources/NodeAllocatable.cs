using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Resources;

/// <summary>What the node sets aside. Quantities by cpu, memory, ephemeral-storage, pid.</summary>
/// <param name="SystemReserved">systemReserved.</param>
/// <param name="KubeReserved">kubeReserved.</param>
/// <param name="HardEviction">Amounts that the hard eviction thresholds of memory.available and nodefs.available keep free.</param>
public sealed record NodeReservations(
    IReadOnlyDictionary<string, Quantity> SystemReserved,
    IReadOnlyDictionary<string, Quantity> KubeReserved,
    IReadOnlyDictionary<string, Quantity> HardEviction)
{
    /// <summary>Nothing is set aside.</summary>
    public static readonly NodeReservations None = new(new Dictionary<string, Quantity>(), new Dictionary<string, Quantity>(), new Dictionary<string, Quantity>());
}

/// <summary>Node allocatable arithmetic. Pure. Source: pkg/kubelet/cm/node_container_manager_linux.go and nodestatus/setters.go.</summary>
public static class NodeAllocatable
{
    /// <summary>status.allocatable: capacity less all reservations, never below 0; huge pages are taken from memory.</summary>
    public static IReadOnlyDictionary<string, Quantity> ForStatus(IReadOnlyDictionary<string, Quantity> capacity, NodeReservations reservations)
    {
        Dictionary<string, Quantity> allocatable = [];
        foreach ((string name, Quantity total) in capacity)
        {
            allocatable[name] = NotNegative(total - Reserved(reservations, name, withEviction: true));
        }

        foreach ((string name, Quantity pages) in capacity)
        {
            if (name.StartsWith(PodResources.HugePagesPrefix, StringComparison.Ordinal) && allocatable.TryGetValue(PodResources.Memory, out Quantity memory))
            {
                allocatable[PodResources.Memory] = NotNegative(memory - pages);
            }
        }

        return allocatable;
    }

    /// <summary>Limits of the kubepods cgroup: capacity less systemReserved and kubeReserved, without the eviction threshold.</summary>
    public static IReadOnlyDictionary<string, Quantity> ForPods(IReadOnlyDictionary<string, Quantity> capacity, NodeReservations reservations) =>
        capacity.ToDictionary(c => c.Key, c => NotNegative(c.Value - Reserved(reservations, c.Key, withEviction: false)));

    /// <summary>Why the reservations cannot be; null where they can. The text is upstream's.</summary>
    public static string? Validate(IReadOnlyDictionary<string, Quantity> capacity, NodeReservations reservations)
    {
        List<string> errors = [];
        foreach ((string name, Quantity total) in capacity)
        {
            Quantity reserved = Reserved(reservations, name, withEviction: true);
            if ((total - reserved).Sign < 0)
            {
                errors.Add($"Resource \"{name}\" has a reservation of {reserved} but capacity of {total}. Expected capacity >= reservation.");
            }
        }

        return errors.Count == 0 ? null : "invalid Node Allocatable configuration. " + string.Join(' ', errors);
    }

    private static Quantity Reserved(NodeReservations reservations, string name, bool withEviction)
    {
        Quantity sum = Quantity.Zero;
        foreach (IReadOnlyDictionary<string, Quantity> list in (IReadOnlyDictionary<string, Quantity>[])
            [reservations.SystemReserved, reservations.KubeReserved, .. withEviction ? [reservations.HardEviction] : Array.Empty<IReadOnlyDictionary<string, Quantity>>()])
        {
            if (list.TryGetValue(name, out Quantity amount))
            {
                sum += amount;
            }
        }

        return sum;
    }

    private static Quantity NotNegative(Quantity value) => value.Sign < 0 ? Quantity.FromValue(0, value.Format) : value;
}
