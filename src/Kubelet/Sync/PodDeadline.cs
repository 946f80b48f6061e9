using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sync;

/// <summary>activeDeadlineSeconds. Pure. Source: pkg/kubelet/active_deadline.go.</summary>
internal static class PodDeadline
{
    private const string Reason = "DeadlineExceeded";
    private const string Message = "Pod was active on the node longer than the specified deadline";

    /// <summary>Time left, or null where the pod has no deadline or has not started.</summary>
    public static TimeSpan? Remaining(Pod pod, PodStatus status, DateTimeOffset now)
    {
        if (pod.Spec.ActiveDeadlineSeconds is not { } seconds || status.StartTime is not { } start)
        {
            return null;
        }

        TimeSpan left = start + TimeSpan.FromSeconds(Math.Clamp(seconds, 0, int.MaxValue)) - now;
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    /// <summary>The reason to fail the pod once its deadline has passed, else null.</summary>
    public static (string Reason, string Message)? Exceeded(Pod pod, PodStatus status, DateTimeOffset now) =>
        status.Phase is not ("Failed" or "Succeeded") && Remaining(pod, status, now) == TimeSpan.Zero ? (Reason, Message) : null;
}
