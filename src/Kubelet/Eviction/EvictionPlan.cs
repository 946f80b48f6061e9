using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Eviction;

/// <summary>What can be taken back without ending a pod.</summary>
[Flags]
internal enum Reclaim
{
    /// <summary>Nothing.</summary>
    None = 0,
    /// <summary>Dead containers and sandboxes, of pods that have ended too.</summary>
    DeadContainers = 1,
    /// <summary>Images nobody uses.</summary>
    UnusedImages = 2,
}

/// <summary>What is done about a signal, and which pods go first. Pure. Source: pkg/kubelet/eviction/helpers.go.</summary>
internal static class EvictionPlan
{
    /// <summary>What is taken back before a pod is evicted.</summary>
    public static Reclaim ReclaimFor(string signal, DiskLayout layout)
    {
        bool disk = EvictionSignals.ConditionOf(signal) == "DiskPressure";
        bool nodeFs = signal is EvictionSignals.NodeFs or EvictionSignals.NodeFsInodes, containerFs = signal is EvictionSignals.ContainerFs or EvictionSignals.ContainerFsInodes;
        return (disk, layout) switch
        {
            (false, _) => Reclaim.None,
            (_, DiskLayout.One) => Reclaim.DeadContainers | Reclaim.UnusedImages,
            (_, DiskLayout.ImagesApart) => nodeFs ? Reclaim.None : Reclaim.DeadContainers | Reclaim.UnusedImages,
            _ => nodeFs || containerFs ? Reclaim.DeadContainers : Reclaim.UnusedImages,
        };
    }

    /// <summary>Which of a pod's parts lie on the disk that runs short.</summary>
    public static DiskParts PartsFor(string signal, DiskLayout layout)
    {
        bool nodeFs = signal is EvictionSignals.NodeFs or EvictionSignals.NodeFsInodes;
        bool imageFs = signal is EvictionSignals.ImageFs or EvictionSignals.ImageFsInodes;
        return layout switch
        {
            DiskLayout.One => DiskParts.All,
            DiskLayout.ImagesApart => nodeFs ? DiskParts.Logs | DiskParts.Volumes : DiskParts.RootFs,
            _ => imageFs ? DiskParts.None : DiskParts.All,
        };
    }

    /// <summary>The pods, first the one that is evicted first; of whose use nothing is known goes before others.</summary>
    public static IReadOnlyList<Pod> Rank(IEnumerable<Pod> pods, string signal, DiskLayout layout, IReadOnlyDictionary<PodUid, PodUse> uses)
    {
        PodUse? Of(Pod pod) => uses.GetValueOrDefault(pod.Uid);
        switch (EvictionSignals.ResourceOf(signal))
        {
            case "memory":
                return Ordered(pods, Of, p => Of(p)?.Memory ?? 0, p => Request(p, PodResources.Memory));
            case "pids":
                return [.. pods.OrderBy(p => p.Spec.Priority ?? 0).ThenBy(p => Of(p) is null ? 0 : 1).ThenByDescending(p => Of(p)?.Processes ?? 0)];
            case "inodes":
                return Ordered(pods, Of, p => Of(p)?.Sum(PartsFor(signal, layout)).Inodes ?? 0, _ => 0);
            default:
                return Ordered(pods, Of, p => Of(p)?.Sum(PartsFor(signal, layout)).Bytes ?? 0, p => Request(p, PodResources.EphemeralStorage));
        }
    }

    /// <summary>How long an evicted pod gets.</summary>
    public static TimeSpan GraceFor(EvictionThreshold threshold, Pod pod, TimeSpan longest)
    {
        TimeSpan own = TimeSpan.FromSeconds(pod.Spec.TerminationGracePeriodSeconds ?? longest.TotalSeconds);
        return threshold.IsHard ? TimeSpan.FromSeconds(1) : own < longest ? own : longest;
    }

    // Those above their request first, then low priorities, then those most above it.
    private static IReadOnlyList<Pod> Ordered(IEnumerable<Pod> pods, Func<Pod, PodUse?> use, Func<Pod, long> used, Func<Pod, long> requested) =>
    [
        .. pods.OrderBy(p => use(p) is null ? 0 : used(p) > requested(p) ? 1 : 2).ThenBy(p => p.Spec.Priority ?? 0)
            .ThenBy(p => use(p) is null ? 0 : 1).ThenByDescending(p => used(p) - requested(p)),
    ];

    private static long Request(Pod pod, string resource) => PodResources.Amount(PodResources.Requests(pod), resource)?.Value() ?? 0;
}
