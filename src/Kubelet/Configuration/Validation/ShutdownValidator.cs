using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration.Validation;

/// <summary>Graceful node shutdown.</summary>
internal static class ShutdownValidator
{
    internal static void Validate(ValidationRun run)
    {
        KubeletConfiguration c = run.Configuration;
        bool simple = c.ShutdownGracePeriod > TimeSpan.Zero || c.ShutdownGracePeriodCriticalPods > TimeSpan.Zero;
        if (!run.Gates.IsEnabled("GracefulNodeShutdown"))
        {
            run.Require(!simple, "shutdownGracePeriod", "needs the feature gate GracefulNodeShutdown", "set the gate or remove it");
        }
        else
        {
            run.Require(c.ShutdownGracePeriodCriticalPods <= c.ShutdownGracePeriod, "shutdownGracePeriodCriticalPods", "is longer than shutdownGracePeriod",
                "shorten it");
            Period(run, c.ShutdownGracePeriod, "shutdownGracePeriod");
            Period(run, c.ShutdownGracePeriodCriticalPods, "shutdownGracePeriodCriticalPods");
        }
        bool byPriority = c.ShutdownGracePeriodByPodPriority.Count > 0;
        bool gate = run.Gates.IsEnabled("GracefulNodeShutdownBasedOnPodPriority");
        run.Require(!byPriority || gate, "shutdownGracePeriodByPodPriority", "needs the feature gate GracefulNodeShutdownBasedOnPodPriority", "set the gate");
        run.Require(!byPriority || !simple || !gate, "shutdownGracePeriodByPodPriority", "cannot go with shutdownGracePeriod", "remove one of them");
    }

    private static void Period(ValidationRun run, TimeSpan period, string path) =>
        run.Require(period == TimeSpan.Zero || period >= TimeSpan.FromSeconds(1), path, $"{GoDuration.Format(period)} is shorter than 1s", "use 0s or 1s and more");
}
