using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet.Containers;

/// <summary>What a pod still needs of the runtime.</summary>
public enum PodClaim
{
    /// <summary>It may run.</summary>
    Wanted,
    /// <summary>It has ended and its object is still there: dead containers and logs stay to be looked at while there is room.</summary>
    Ended,
    /// <summary>It is gone or was evicted: nothing of it stays.</summary>
    Gone,
}

/// <summary>How many dead containers stay.</summary>
/// <param name="PerContainer">maximum-dead-containers-per-container: of each name in each pod; negative: all.</param>
/// <param name="Total">maximum-dead-containers: on the node; negative: all.</param>
/// <param name="MinimumAge">minimum-container-ttl-duration: younger ones neither go nor count.</param>
public sealed record DeadContainerPolicy(int PerContainer, int Total, TimeSpan MinimumAge)
{
    /// <summary>Upstream's defaults.</summary>
    public static DeadContainerPolicy Default { get; } = new(1, -1, TimeSpan.Zero);
}

/// <summary>What of one pod may go.</summary>
/// <param name="Pod">The pod.</param>
/// <param name="Containers">Dead containers.</param>
/// <param name="Sandboxes">Sandboxes that are not ready.</param>
internal sealed record PodGarbage(PodRef Pod, IReadOnlyList<RuntimeContainerStatus> Containers, IReadOnlyList<RuntimeSandboxStatus> Sandboxes)
{
    /// <summary>
    /// Decides: of a pod that stays the newest dead attempts of each container and the newest sandbox, of others nothing that is dead. Pure.
    /// Source: pkg/kubelet/kuberuntime/kuberuntime_gc.go.
    /// </summary>
    /// <param name="pods">What the runtime has.</param>
    /// <param name="goes">Whether nothing of the pod stays.</param>
    /// <param name="policy">How many stay.</param>
    /// <param name="now">For ages.</param>
    public static IReadOnlyList<PodGarbage> Choose(IReadOnlyList<RuntimePodListing> pods, Func<PodUid, bool> goes, DeadContainerPolicy policy, DateTimeOffset now)
    {
        List<Attempts> units = [.. pods.SelectMany(p => p.Containers.GroupBy(c => c.Name).Select(g => new Attempts(p.Pod.Uid, goes(p.Pod.Uid), [.. g], policy, now)))];
        foreach (Attempts unit in units.Where(u => !u.PodGoes && policy.PerContainer >= 0))
        {
            unit.KeepAtMost(policy.PerContainer);
        }

        if (policy.Total >= 0)
        {
            Limit([.. units.Where(u => !u.PodGoes && u.Kept.Count > 0)], policy.Total);
        }

        ILookup<PodUid, RuntimeContainerStatus> dead = units.SelectMany(u => u.Goes.Select(c => (u.Pod, Container: c))).ToLookup(d => d.Pod, d => d.Container);
        return [.. pods.Select(p => new PodGarbage(p.Pod, [.. dead[p.Pod.Uid]], Unneeded(p, [.. dead[p.Pod.Uid]], goes(p.Pod.Uid))))];
    }

    // Each name keeps the same number first, at least one; then the oldest of all go.
    private static void Limit(List<Attempts> units, int total)
    {
        if (units.Sum(u => u.Kept.Count) <= total)
        {
            return;
        }

        foreach (Attempts unit in units)
        {
            unit.KeepAtMost(Math.Max(1, total / units.Count));
        }

        int tooMany = units.Sum(u => u.Kept.Count) - total;
        foreach (Attempts unit in units.SelectMany(u => u.Kept.Select(c => (Unit: u, c.CreatedAt))).OrderBy(k => k.CreatedAt).Take(Math.Max(0, tooMany)).Select(k => k.Unit).ToList())
        {
            unit.KeepAtMost(unit.Kept.Count - 1);
        }
    }

    private static IReadOnlyList<RuntimeSandboxStatus> Unneeded(RuntimePodListing pod, IReadOnlyList<RuntimeContainerStatus> dead, bool podGoes)
    {
        HashSet<string> used = [.. pod.Containers.Except(dead).Select(c => c.SandboxId)];
        return [.. pod.Sandboxes.OrderByDescending(s => s.CreatedAt).Skip(podGoes ? 0 : 1).Where(s => s.State == RuntimeSandboxState.NotReady && !used.Contains(s.Id))];
    }

    /// <summary>All attempts of one container of one pod.</summary>
    private sealed class Attempts
    {
        public Attempts(PodUid pod, bool podGoes, IReadOnlyList<RuntimeContainerStatus> all, DeadContainerPolicy policy, DateTimeOffset now)
        {
            (Pod, PodGoes) = (pod, podGoes);
            Kept = [.. all.Where(c => c.State == RuntimeContainerState.Exited && now - c.CreatedAt >= policy.MinimumAge).OrderByDescending(c => c.CreatedAt)];
            // Created and passed over by a later attempt: it will never be started.
            Goes = podGoes ? [] : [.. all.Where(c => c.State == RuntimeContainerState.Created && all.Any(o => o.RestartCount > c.RestartCount))];
            if (podGoes)
            {
                KeepAtMost(0);
            }
        }

        public PodUid Pod { get; }

        public bool PodGoes { get; }

        /// <summary>Newest first.</summary>
        public List<RuntimeContainerStatus> Kept { get; private set; }

        public List<RuntimeContainerStatus> Goes { get; }

        public void KeepAtMost(int count)
        {
            Goes.AddRange(Kept.Skip(count));
            Kept = [.. Kept.Take(count)];
        }
    }
}
