using System.Text;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Status;

/// <summary>Brings our status together with what the API server holds. Pure. Source: pkg/kubelet/status/status_manager.go.</summary>
internal static class PodStatusMerge
{
    private const int AllMessages = 12 * 1024;

    private static readonly HashSet<string> OwnedConditions =
    [
        "PodScheduled", "Initialized", "ContainersReady", "Ready", "PodReadyToStartContainers",
        "PodResizePending", "PodResizeInProgress", "AllContainersRestarting",
    ];

    /// <summary>
    /// Conditions of others are the API server's; a terminal phase is withheld while containers may still run and never goes back;
    /// a terminal phase forces Ready and ContainersReady to False.
    /// </summary>
    public static PodStatus Merge(Pod current, PodStatus ours, bool couldHaveRunningContainers)
    {
        PodStatus theirs = current.Status;
        bool wasTerminal = theirs.Phase is "Failed" or "Succeeded";
        bool terminal = ours.Phase is "Failed" or "Succeeded";
        string? phase = wasTerminal ? theirs.Phase : terminal && couldHaveRunningContainers ? theirs.Phase : ours.Phase;
        bool ends = phase is "Failed" or "Succeeded";
        var conditions = new List<PodCondition>();
        foreach (PodCondition c in theirs.Conditions)
        {
            // DisruptionTarget of ours travels only together with the transition to a terminal phase.
            if (!OwnedConditions.Contains(c.Type ?? "") && !(c.Type == "DisruptionTarget" && ends && ours.Conditions.Any(o => o.Type == c.Type)))
            {
                conditions.Add(c);
            }
        }

        foreach (PodCondition c in ours.Conditions)
        {
            if (OwnedConditions.Contains(c.Type ?? "") || (c.Type == "DisruptionTarget" && ends))
            {
                conditions.Add(ends ? EndOf(c, phase!) : c);
            }
        }

        return ours with
        {
            Phase = phase,
            Conditions = conditions,
            StartTime = theirs.StartTime ?? ours.StartTime,
            ResourceClaimStatuses = theirs.ResourceClaimStatuses,
            ExtendedResourceClaimStatus = theirs.ExtendedResourceClaimStatus,
            NominatedNodeName = theirs.NominatedNodeName,
            QosClass = theirs.QosClass ?? ours.QosClass,
        };
    }

    /// <summary>A condition that stands as it stood, for the same reason, has the time it had.</summary>
    public static PodStatus KeepTimes(PodStatus before, PodStatus now)
    {
        PodCondition Since(PodCondition c) =>
            before.Conditions.FirstOrDefault(b => b.Type == c.Type && b.Status == c.Status && b.Reason == c.Reason) is { LastTransitionTime: { } kept } && kept != c.LastTransitionTime
                ? c with { LastTransitionTime = kept } : c;
        PodCondition[] conditions = [.. now.Conditions.Select(Since)];
        return conditions.SequenceEqual(now.Conditions, ReferenceEqualityComparer.Instance) ? now : now with { Conditions = conditions };
    }

    private static PodCondition EndOf(PodCondition c, string phase) =>
        c.Type is "Ready" or "ContainersReady" && c.Status == "True"
            ? c with { Status = "False", Reason = phase == "Succeeded" ? "PodCompleted" : "PodFailed", Message = null }
            : c;

    /// <summary>Whole seconds, bounded termination messages.</summary>
    public static PodStatus Normalize(PodStatus status)
    {
        int count = Math.Max(1, status.ContainerStatuses.Count + status.InitContainerStatuses.Count + status.EphemeralContainerStatuses.Count);
        int each = AllMessages / count;
        return status with
        {
            ContainerStatuses = [.. status.ContainerStatuses.Select(s => Bound(s, each))],
            InitContainerStatuses = [.. status.InitContainerStatuses.Select(s => Bound(s, each))],
            EphemeralContainerStatuses = [.. status.EphemeralContainerStatuses.Select(s => Bound(s, each))],
        };
    }

    private static ContainerStatus Bound(ContainerStatus s, int limit) => s with { State = Bound(s.State, limit), LastState = Bound(s.LastState, limit) };

    private static ContainerState? Bound(ContainerState? state, int limit) =>
        state?.Terminated is { Message: { } message } t && Encoding.UTF8.GetByteCount(message) > limit
            ? state with { Terminated = t with { Message = Cut(message, limit) } }
            : state;

    private static string Cut(string text, int bytes)
    {
        int at = 0, used = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (used + rune.Utf8SequenceLength > bytes)
            {
                break;
            }

            used += rune.Utf8SequenceLength;
            at += rune.Utf16SequenceLength;
        }

        return text[..at];
    }

    /// <summary>Equal as they serialise (times to the second).</summary>
    public static bool Same(PodStatus a, PodStatus b) => ReferenceEquals(a, b) || KubernetesJson.ContentEquals(a, b);

    /// <summary>Whether the API server's copy already says what we would write.</summary>
    public static bool Agrees(PodStatus theirs, PodStatus ours)
    {
        var pod = new Pod { Metadata = new ObjectMeta(), Spec = new PodSpec(), Status = theirs };
        return Same(theirs, Merge(pod, ours, couldHaveRunningContainers: false));
    }
}
