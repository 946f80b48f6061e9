using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Resources;

namespace NodeAgent.Kubelet.Containers;

/// <summary>What resizing needs of the rest of the agent.</summary>
/// <param name="Actuated">What containers were given last.</param>
/// <param name="Cgroups">Pod cgroups.</param>
public sealed record ResizeNeeds(PodResourceState Actuated, IPodCgroupManager Cgroups)
{
    /// <summary>Told of each resize: whether it was carried out, and how long that took.</summary>
    public Action<bool, TimeSpan> Measured { get; init; } = (_, _) => { };
}
