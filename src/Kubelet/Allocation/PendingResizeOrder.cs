using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Allocation;

/// <summary>A resize that waits for a decision.</summary>
/// <param name="Desired">The newest object.</param>
/// <param name="Allocated">The same with its allocated resources.</param>
/// <param name="WaitsSince">Transition of its pending condition; null where it has none yet.</param>
internal sealed record PendingResize(Pod Desired, Pod Allocated, DateTimeOffset? WaitsSince);

/// <summary>
/// The order in which pending resizes are looked at: those that ask for no more first, then by priority, Guaranteed before others, and
/// the longest waiting. Pure. Source: pkg/kubelet/allocation/allocation_manager.go (sortPendingResizes).
/// </summary>
internal static class PendingResizeOrder
{
    public static IEnumerable<PendingResize> Sort(IEnumerable<PendingResize> resizes) => resizes
        .OrderBy(r => AsksForMore(r) ? 1 : 0)
        .ThenByDescending(r => r.Desired.Spec.Priority ?? 0)
        .ThenBy(r => PodQos.Of(r.Desired) == QosClass.Guaranteed ? 0 : 1)
        .ThenBy(r => r.WaitsSince ?? DateTimeOffset.MaxValue);

    private static bool AsksForMore(PendingResize r)
    {
        IReadOnlyDictionary<string, Quantity> desired = PodResources.Requests(r.Desired), allocated = PodResources.Requests(r.Allocated);
        return ((string[])[PodResources.Cpu, PodResources.Memory]).Any(n =>
            (PodResources.Amount(desired, n) ?? Quantity.Zero) > (PodResources.Amount(allocated, n) ?? Quantity.Zero));
    }
}
