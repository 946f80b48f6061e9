using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Workers;

/// <summary>How far a pod's life has come on this node. It only moves forward. Source: pkg/kubelet/pod_workers.go.</summary>
public enum PodWorkPhase
{
    /// <summary>Being brought and kept in line with its spec.</summary>
    Syncing,
    /// <summary>Its containers are being stopped; nothing is started any more.</summary>
    Terminating,
    /// <summary>No container runs; volumes, cgroup and other resources are being released.</summary>
    Terminated,
    /// <summary>Nothing of it is left to do; the entry stays until the pod leaves its source.</summary>
    Finished,
}

/// <summary>Ends a pod for a reason of the node's own (eviction, preemption, admission).</summary>
/// <param name="Reason">status.reason.</param>
/// <param name="Message">status.message.</param>
/// <param name="Grace">Overrides the pod's grace period.</param>
public sealed record PodKill(string Reason, string Message, TimeSpan? Grace)
{
    /// <summary>An eviction: once it has ended nothing of it stays on the node, its object's presence notwithstanding.</summary>
    public bool Evicts { get; init; }
}

/// <summary>What a worker knows about where its pod stands. Immutable; <see cref="Apply"/> and <see cref="Advance"/> make the next one.</summary>
public sealed record PodWorkerState
{
    /// <summary>How far it has come.</summary>
    public PodWorkPhase Phase { get; init; } = PodWorkPhase.Syncing;
    /// <summary>The pod left its source: no API object will be finalised.</summary>
    public bool Removed { get; init; }
    /// <summary>An API deletion was seen.</summary>
    public bool Deleted { get; init; }
    /// <summary>The node's own reason to end it, first one counts.</summary>
    public PodKill? Kill { get; init; }
    /// <summary>Grace for stopping; only ever shrinks. Null = the spec's.</summary>
    public TimeSpan? Grace { get; init; }

    /// <summary>A first look at a pod.</summary>
    /// <param name="pod">The object.</param>
    /// <param name="anythingRuns">Whether the runtime has anything of it running.</param>
    public static PodWorkerState First(Pod pod, bool anythingRuns) =>
        IsTerminal(pod) && !anythingRuns
            ? new PodWorkerState { Phase = PodWorkPhase.Terminated, Deleted = pod.Metadata.DeletionTimestamp is not null }
            : new PodWorkerState().Apply(pod, removed: false, kill: null);

    /// <summary>What new facts from outside make of the state.</summary>
    public PodWorkerState Apply(Pod? pod, bool removed, PodKill? kill)
    {
        PodWorkerState next = this with
        {
            Removed = Removed || removed,
            Deleted = Deleted || pod?.Metadata.DeletionTimestamp is not null,
            Kill = Kill ?? kill,
        };
        bool ends = next.Removed || next.Deleted || next.Kill is not null || (pod is not null && IsTerminal(pod));
        if (Phase == PodWorkPhase.Syncing && ends)
        {
            next = next with { Phase = PodWorkPhase.Terminating };
        }

        return next.Phase == PodWorkPhase.Terminating ? next with { Grace = Shortest(pod, next, kill) } : next;
    }

    /// <summary>What the end of a pass makes of the state.</summary>
    public PodWorkerState Advance(PodPassOutcome outcome) => (Phase, outcome) switch
    {
        (PodWorkPhase.Syncing, PodPassOutcome.ReachedTerminalPhase) => this with { Phase = PodWorkPhase.Terminating },
        (PodWorkPhase.Terminating, PodPassOutcome.Done) => this with { Phase = PodWorkPhase.Terminated },
        (PodWorkPhase.Terminated, PodPassOutcome.Done) => this with { Phase = PodWorkPhase.Finished },
        _ => this,
    };

    private static bool IsTerminal(Pod pod) => pod.Status.Phase is "Failed" or "Succeeded";

    /// <summary>The smallest of what was asked; at least 1 s, as upstream; a pod that only left its source gets its own grace.</summary>
    private static TimeSpan? Shortest(Pod? pod, PodWorkerState state, PodKill? kill)
    {
        TimeSpan? asked = state.Grace;
        if (pod?.Metadata is { DeletionTimestamp: not null, DeletionGracePeriodSeconds: long seconds })
        {
            asked = Min(asked, TimeSpan.FromSeconds(Math.Clamp(seconds, 0, int.MaxValue)));
        }

        if (kill?.Grace is TimeSpan own)
        {
            asked = Min(asked, own);
        }

        return asked is TimeSpan t && t < TimeSpan.FromSeconds(1) ? TimeSpan.FromSeconds(1) : asked;
    }

    private static TimeSpan Min(TimeSpan? a, TimeSpan b) => a is TimeSpan x && x < b ? x : b;
}

/// <summary>How one pass over a pod ended.</summary>
public enum PodPassOutcome
{
    /// <summary>What the phase asks for is done.</summary>
    Done,
    /// <summary>Syncing only: the pod ended by itself and needs to be torn down.</summary>
    ReachedTerminalPhase,
    /// <summary>Not done yet; try again after the pass's retry time.</summary>
    Again,
}

/// <summary>Result of a pass.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="RetryAfter">When to pass again without an outside event; null = never.</param>
public sealed record PodPassResult(PodPassOutcome Outcome, TimeSpan? RetryAfter = null);

/// <summary>One pass over a pod for each phase of its life. Implemented by Sync.</summary>
public interface IPodSyncer
{
    /// <summary>Brings the pod towards its spec.</summary>
    Task<PodPassResult> SyncAsync(Pod pod, CancellationToken cancellationToken);

    /// <summary>Stops all containers and writes the status meanwhile.</summary>
    /// <param name="pod">The last known object.</param>
    /// <param name="state">Grace and reasons.</param>
    /// <param name="cancellationToken">Cancelled when a shorter grace period arrives: the pass is then made again.</param>
    Task<PodPassResult> SyncTerminatingAsync(Pod pod, PodWorkerState state, CancellationToken cancellationToken);

    /// <summary>Releases volumes, cgroup and registrations; writes the final status and lets the API object go.</summary>
    Task<PodPassResult> SyncTerminatedAsync(Pod pod, PodWorkerState state, CancellationToken cancellationToken);

    /// <summary>The worker's entry goes: forgets whatever is kept by UID.</summary>
    void Forget(PodUid uid);
}
