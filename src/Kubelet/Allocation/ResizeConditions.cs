using System.Collections.Concurrent;
using System.Collections.Immutable;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Allocation;

/// <summary>The conditions PodResizePending and PodResizeInProgress of each pod, as far as they are there. Source: pkg/kubelet/status/status_manager.go.</summary>
/// <param name="time">Clock.</param>
public sealed class ResizeConditions(TimeProvider time)
{
    /// <summary>Condition: the resize waits or cannot be done.</summary>
    public const string Pending = "PodResizePending";
    /// <summary>Condition: the resize is being carried out.</summary>
    public const string InProgress = "PodResizeInProgress";
    /// <summary>Reason of Pending: this node can never do it.</summary>
    public const string Infeasible = "Infeasible";
    /// <summary>Reason of Pending: this node cannot do it now.</summary>
    public const string Deferred = "Deferred";
    /// <summary>Reason of InProgress: it failed and is tried again.</summary>
    public const string Error = "Error";

    private readonly ConcurrentDictionary<PodUid, (PodCondition? Pending, PodCondition? InProgress)> _all = new();

    /// <summary>The conditions for the pod's status.</summary>
    public ImmutableArray<PodCondition> Of(PodUid uid) =>
        _all.TryGetValue(uid, out (PodCondition? Pending, PodCondition? InProgress) c) ? [.. new[] { c.Pending, c.InProgress }.OfType<PodCondition>()] : [];

    /// <summary>The pending condition, or null.</summary>
    public PodCondition? PendingOf(PodUid uid) => _all.GetValueOrDefault(uid).Pending;

    /// <summary>Every pod's pending condition.</summary>
    public IEnumerable<PodCondition> AllPending => _all.Values.Select(c => c.Pending).OfType<PodCondition>();

    /// <summary>How many resizes are being carried out.</summary>
    public int InProgressCount => _all.Values.Count(c => c.InProgress is not null);

    /// <summary>Sets Pending. True where reason or generation are new: an event is due.</summary>
    public bool SetPending(PodUid uid, string reason, string message, long? generation)
    {
        PodCondition? before = PendingOf(uid);
        _all.AddOrUpdate(uid,
            _ => (Next(Pending, null, reason, message, generation), null),
            (_, c) => (Next(Pending, c.Pending, reason, message, generation), c.InProgress));
        return before is null || before.Reason != reason || before.ObservedGeneration != generation;
    }

    /// <summary>
    /// Sets InProgress. One that is there keeps its generation, and its reason and message where none are given. True where it changed.
    /// </summary>
    public bool SetInProgress(PodUid uid, string? reason, string? message, long? generation)
    {
        PodCondition? before = _all.GetValueOrDefault(uid).InProgress;
        PodCondition next = before is null ? Next(InProgress, null, reason, message, generation)
            : Next(InProgress, before, reason ?? before.Reason, message ?? before.Message, before.ObservedGeneration);
        _all.AddOrUpdate(uid, _ => (null, next), (_, c) => (c.Pending, next));
        return !ReferenceEquals(before, next);
    }

    /// <summary>Takes Pending away.</summary>
    public void ClearPending(PodUid uid) => Change(uid, c => (null, c.InProgress));

    /// <summary>Takes InProgress away; its generation where it was there.</summary>
    public (bool Cleared, long? Generation) ClearInProgress(PodUid uid)
    {
        PodCondition? before = _all.GetValueOrDefault(uid).InProgress;
        Change(uid, c => (c.Pending, null));
        return (before is not null, before?.ObservedGeneration);
    }

    /// <summary>Takes over what an earlier life of the agent told the API server.</summary>
    public void Backfill(Pod pod)
    {
        ArgumentNullException.ThrowIfNull(pod);
        PodCondition? Told(string type) => pod.Status.Conditions.FirstOrDefault(c => c.Type == type);
        if (Told(Pending) is not null || Told(InProgress) is not null)
        {
            _all.TryAdd(pod.Uid, (Told(Pending), Told(InProgress)));
        }
    }

    /// <summary>Forgets the pod.</summary>
    public void Remove(PodUid uid) => _all.TryRemove(uid, out _);

    private void Change(PodUid uid, Func<(PodCondition? Pending, PodCondition? InProgress), (PodCondition?, PodCondition?)> change)
    {
        while (_all.TryGetValue(uid, out (PodCondition? Pending, PodCondition? InProgress) known))
        {
            (PodCondition? Pending, PodCondition? InProgress) next = change(known);
            bool done = next is (null, null) ? _all.TryRemove(new(uid, known)) : _all.TryUpdate(uid, next, known);
            if (done)
            {
                return;
            }
        }
    }

    private PodCondition Next(string type, PodCondition? before, string? reason, string? message, long? generation)
    {
        reason = string.IsNullOrEmpty(reason) ? null : reason;
        message = string.IsNullOrEmpty(message) ? null : message;
        if (before is not null && before.Reason == reason && before.Message == message && before.ObservedGeneration == generation)
        {
            return before;
        }

        DateTimeOffset now = time.GetUtcNow();
        return new PodCondition
        {
            Type = type,
            Status = "True",
            Reason = reason,
            Message = message,
            ObservedGeneration = generation,
            LastProbeTime = now,
            LastTransitionTime = before is not null && before.Reason == reason ? before.LastTransitionTime : now,
        };
    }
}
