namespace NodeAgent.Kubelet.Admission;

/// <summary>The chain of checks in upstream's order: eviction, sysctls, predicates, node shutdown. Pure.</summary>
/// <param name="handlers">In order.</param>
public sealed class PodAdmission(IReadOnlyList<IPodAdmitHandler> handlers) : IPodAdmitHandler
{
    /// <summary>Upstream's chain.</summary>
    /// <param name="nodeName">The node's name.</param>
    /// <param name="sysctls">Safe and allowed unsafe sysctls.</param>
    public static PodAdmission Default(string nodeName, SysctlAllowlist sysctls) =>
        new([new PressureAdmission(), new SysctlAdmission(sysctls), new PredicateAdmission(nodeName), new ShutdownAdmission()]);

    /// <inheritdoc/>
    public AdmitResult Admit(AdmissionRequest request)
    {
        foreach (IPodAdmitHandler handler in handlers)
        {
            if (handler.Admit(request) is AdmitResult.Rejected rejected)
            {
                return rejected;
            }
        }

        return AdmitResult.Admitted.Instance;
    }
}

/// <summary>Rejects while the node shuts down.</summary>
internal sealed class ShutdownAdmission : IPodAdmitHandler
{
    public AdmitResult Admit(AdmissionRequest request) => request.ShuttingDown
        ? new AdmitResult.Rejected("NodeShutdown", "Pod was rejected as the node is shutting down.")
        : AdmitResult.Admitted.Instance;
}
