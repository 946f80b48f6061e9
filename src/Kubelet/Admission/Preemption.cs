using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Admission;

/// <summary>How much of a resource is missing.</summary>
/// <param name="Resource">cpu (in thousandths), memory, pods, …</param>
/// <param name="Requested">What the pod asks for.</param>
/// <param name="Used">What the others have.</param>
/// <param name="Capacity">What there is in all.</param>
public sealed record ResourceShortage(string Resource, long Requested, long Used, long Capacity)
{
    /// <summary>What has to become free.</summary>
    public long Missing => Requested - (Capacity - Used);
}

/// <summary>What a pod is told that a critical one pushes out.</summary>
public static class CriticalPodPreemption
{
    /// <summary>Reason of the event and of status.reason.</summary>
    public const string Reason = "Preempting";

    /// <summary>Message of both.</summary>
    public const string Message = "Preempted in order to admit critical pod";

    /// <summary>The condition DisruptionTarget.</summary>
    public static PodCondition Condition(Pod victim, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(victim);
        return new PodCondition
        {
            Type = "DisruptionTarget",
            Status = "True",
            Reason = "TerminationByKubelet",
            Message = "Pod was preempted by Kubelet to accommodate a critical pod.",
            LastTransitionTime = now,
            ObservedGeneration = victim.Metadata.Generation,
        };
    }
}

/// <summary>
/// Chooses whom a critical pod pushes out: as few guaranteed pods as possible, then burstable, then best-effort ones; each time the pod
/// that comes nearest to what is missing. Pure. Source: pkg/kubelet/preemption/preemption.go.
/// </summary>
internal static class Preemption
{
    /// <summary>The victims; null where all that may be pushed out together would not do.</summary>
    public static IReadOnlyList<Pod>? Choose(Pod pod, IEnumerable<Pod> others, IReadOnlyList<ResourceShortage> shortages)
    {
        ILookup<QosClass, Pod> candidates = others.Where(o => MayPushOut(pod, o)).ToLookup(PodQos.Of);
        List<Pod> bestEffort = [.. candidates[QosClass.BestEffort]], burstable = [.. candidates[QosClass.Burstable]], guaranteed = [.. candidates[QosClass.Guaranteed]];
        Need[] all = [.. shortages.Select(s => new Need(s.Resource, s.Missing))];
        if (Less(all, [.. bestEffort, .. burstable, .. guaranteed]).Length > 0)
        {
            return null;
        }

        List<Pod> fromGuaranteed = Nearest(guaranteed, Less(all, [.. bestEffort, .. burstable]));
        List<Pod> fromBurstable = Nearest(burstable, Less(all, [.. bestEffort, .. fromGuaranteed]));
        List<Pod> fromBestEffort = Nearest(bestEffort, Less(all, [.. fromBurstable, .. fromGuaranteed]));
        return [.. fromBestEffort, .. fromBurstable, .. fromGuaranteed];
    }

    /// <summary>Upstream's text for what cannot be freed.</summary>
    public static string Unmet(Pod pod, IEnumerable<Pod> others, IReadOnlyList<ResourceShortage> shortages)
    {
        Need[] left = Less([.. shortages.Select(s => new Need(s.Resource, s.Missing))], [.. others.Where(o => MayPushOut(pod, o))]);
        return $"preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: [{string.Concat(left.Select(n => $"(res: {n.Resource}, q: {n.Amount}), "))}]";
    }

    private static bool MayPushOut(Pod pod, Pod other) =>
        (pod.IsCritical && !other.IsCritical) || (pod.Spec.Priority is { } mine && other.Spec.Priority is { } its && mine > its);

    private static List<Pod> Nearest(List<Pod> pods, Need[] needs)
    {
        var chosen = new List<Pod>();
        var left = new List<Pod>(pods);
        while (needs.Length > 0 && left.Count > 0)
        {
            Need[] now = needs;
            Pod best = left.OrderBy(p => Distance(now, p)).ThenBy(p => Request(p, PodResources.Memory)).ThenBy(p => Request(p, PodResources.Cpu)).First();
            left.Remove(best);
            chosen.Add(best);
            needs = Less(needs, [best]);
        }

        return chosen;
    }

    /// <summary>Every resource weighs the same, whatever its unit.</summary>
    private static double Distance(Need[] needs, Pod pod) =>
        needs.Sum(n => Math.Pow(Math.Max(0, n.Amount - Request(pod, n.Resource)) / (double)n.Amount, 2));

    private static Need[] Less(Need[] needs, IReadOnlyList<Pod> pods) =>
        [.. needs.Select(n => n with { Amount = n.Amount - pods.Sum(p => Request(p, n.Resource)) }).Where(n => n.Amount > 0)];

    private static long Request(Pod pod, string resource) => resource == PodResources.Pods ? 1
        : PodResources.Amount(PodResources.Requests(pod), resource) is { } q ? (resource == PodResources.Cpu ? q.MilliValue() : q.Value()) : 0;

    private sealed record Need(string Resource, long Amount);
}
