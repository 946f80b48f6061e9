using System.Collections.Immutable;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Allocation;

/// <summary>Resources of one pod as they were allocated, or as they were last carried out. Source: pkg/kubelet/allocation/state.</summary>
/// <param name="Containers">By name: main and init containers.</param>
/// <param name="PodLevel">spec.resources.</param>
public sealed record PodResourceRecord(ImmutableDictionary<string, ResourceRequirements> Containers, ResourceRequirements? PodLevel)
{
    /// <summary>Of no container.</summary>
    public static PodResourceRecord Empty { get; } = new(ImmutableDictionary<string, ResourceRequirements>.Empty, null);

    /// <summary>What the spec asks for.</summary>
    public static PodResourceRecord Of(Pod pod)
    {
        ArgumentNullException.ThrowIfNull(pod);
        return new(
            pod.Spec.InitContainers.Concat(pod.Spec.Containers).DistinctBy(c => c.Name ?? "").ToImmutableDictionary(c => c.Name ?? "", c => c.Resources ?? ResourceRequirements.Empty), pod.Spec.Resources);
    }

    /// <summary>The pod with these resources in its spec; the same object where they are its own.</summary>
    public Pod ApplyTo(Pod pod)
    {
        ArgumentNullException.ThrowIfNull(pod);
        bool differs = !SameResources.Of(pod.Spec.Resources, PodLevel);
        IReadOnlyList<Container> init = Apply(pod.Spec.InitContainers, ref differs), main = Apply(pod.Spec.Containers, ref differs);
        return differs ? pod with { Spec = pod.Spec with { Resources = PodLevel, InitContainers = init, Containers = main } } : pod;
    }

    private Container[] Apply(IReadOnlyList<Container> containers, ref bool differs)
    {
        var applied = new Container[containers.Count];
        for (int i = 0; i < applied.Length; i++)
        {
            applied[i] = containers[i];
            if (Containers.TryGetValue(containers[i].Name ?? "", out ResourceRequirements? own) && !SameResources.Of(containers[i].Resources, own))
            {
                applied[i] = containers[i] with { Resources = own };
                differs = true;
            }
        }

        return applied;
    }
}

/// <summary>Whether two sets of resources mean the same: quantities by value, absent as empty. Pure.</summary>
internal static class SameResources
{
    public static bool Of(ResourceRequirements? a, ResourceRequirements? b) =>
        ReferenceEquals(a, b) || (Of((a ?? ResourceRequirements.Empty).Requests, (b ?? ResourceRequirements.Empty).Requests)
            && Of((a ?? ResourceRequirements.Empty).Limits, (b ?? ResourceRequirements.Empty).Limits)
            && (a ?? ResourceRequirements.Empty).Claims.SequenceEqual((b ?? ResourceRequirements.Empty).Claims));

    private static bool Of(IReadOnlyDictionary<string, Quantity> a, IReadOnlyDictionary<string, Quantity> b) =>
        a.Count == b.Count && a.All(x => b.TryGetValue(x.Key, out Quantity y) && x.Value == y);
}
