namespace NodeAgent.Kubelet.Admission;

/// <summary>The chain of checks in upstream's order: eviction, sysctls, predicates, AppArmor, pod features, node shutdown. Pure.</summary>
/// <param name="handlers">In order.</param>
public sealed class PodAdmission(IReadOnlyList<IPodAdmitHandler> handlers) : IPodAdmitHandler
{
    /// <summary>Upstream's chain.</summary>
    /// <param name="nodeName">The node's name.</param>
    /// <param name="sysctls">Safe and allowed unsafe sysctls.</param>
    /// <param name="features">What the host and the gates allow.</param>
    public static PodAdmission Default(string nodeName, SysctlAllowlist sysctls, AdmissionFeatures features)
    {
        ArgumentNullException.ThrowIfNull(features);
        return new(
        [
            new PressureAdmission(), new SysctlAdmission(sysctls), new PredicateAdmission(nodeName), new AppArmorAdmission(features.AppArmor),
            new PodFeatureAdmission(features.PodLevelResources), new ShutdownAdmission(),
        ]);
    }

    /// <inheritdoc/>
    public AdmitResult Admit(AdmissionRequest request)
    {
        AdmitResult admitted = AdmitResult.Admitted.Instance;
        foreach (IPodAdmitHandler handler in handlers)
        {
            switch (handler.Admit(request))
            {
                case AdmitResult.Rejected rejected:
                    return rejected;
                case AdmitResult.AfterPreemption preemption:
                    // Nobody is pushed out for a pod that a later check turns away.
                    admitted = preemption;
                    break;
            }
        }

        return admitted;
    }
}

/// <summary>Rejects while the node shuts down.</summary>
internal sealed class ShutdownAdmission : IPodAdmitHandler
{
    public AdmitResult Admit(AdmissionRequest request) => request.ShuttingDown
        ? new AdmitResult.Rejected("NodeShutdown", "Pod was rejected as the node is shutting down.")
        : AdmitResult.Admitted.Instance;
}
