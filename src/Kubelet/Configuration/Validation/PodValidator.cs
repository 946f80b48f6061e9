using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration.Validation;

/// <summary>What pods get: restart back-off, hairpin mode, sysctls, and the mode that runs pods once.</summary>
internal static class PodValidator
{
    internal static void Validate(ValidationRun run)
    {
        KubeletConfiguration c = run.Configuration;
        run.Require(!c.RunOnce, "runOnce", "is no longer supported", "remove it");
        run.RequireOneOf(c.HairpinMode, "hairpinMode", "none", "hairpin-veth", "promiscuous-bridge");
        if (!run.Gates.IsEnabled("KubeletCrashLoopBackOffMax"))
        {
            run.Require(c.MaxContainerRestartPeriod is null, "crashLoopBackOff.maxContainerRestartPeriod",
                "needs the feature gate KubeletCrashLoopBackOffMax", "set the gate or remove it");
        }
        else if (c.MaxContainerRestartPeriod is { } period)
        {
            run.Require(period >= TimeSpan.FromSeconds(1) && period <= TimeSpan.FromSeconds(300), "crashLoopBackOff.maxContainerRestartPeriod",
                $"{GoDuration.Format(period)} is out of range", "use 1s to 300s");
        }
        foreach (string server in c.ClusterDNS)
            run.Require(SloppyAddress.TryParse(server, out _), "clusterDNS", $"\"{server}\" is no IP address", "give addresses of DNS servers");
    }
}
