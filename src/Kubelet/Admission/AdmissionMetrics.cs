using NodeAgent.Kubernetes.Metrics;

namespace NodeAgent.Kubelet.Admission;

/// <summary>Counts pods that were turned away. Source: recordAdmissionRejection in pkg/kubelet/kubelet.go.</summary>
public sealed class AdmissionMetrics
{
    private static readonly HashSet<string> Known =
    [
        "AppArmor", "PodOSSelectorNodeLabelDoesNotMatch", "PodOSNotSupported", "InvalidNodeInfo", "InitContainerRestartPolicyForbidden", "SupplementalGroupsPolicyNotSupported",
        "UnexpectedAdmissionError", "UnknownReason", "UnexpectedPredicateFailureType", "OutOfcpu", "OutOfmemory", "OutOfephemeral-storage", "OutOfpods",
        "PodLevelResourcesNotSupported", "PodFeatureUnsupported", "node(s) had taints that the pod didn't tolerate", "Evicted", "SysctlForbidden", "TopologyAffinityError",
        "NodeShutdown", "VolumeAttachmentLimitExceeded",
    ];

    private readonly CounterFamily _rejections;

    /// <summary>Registers them.</summary>
    /// <param name="registry">/metrics.</param>
    public AdmissionMetrics(MetricsRegistry registry)
    {
        ArgumentNullException.ThrowIfNull(registry);
        _rejections = registry.Counter("kubelet_admission_rejections_total", "Cumulative number pod admission rejections by the Kubelet.", "reason");
    }

    /// <summary>A pod was turned away.</summary>
    public void Rejected(string reason) => _rejections.With(LabelOf(reason)).Increment();

    /// <summary>The label: reasons that anyone can make up are put together.</summary>
    internal static string LabelOf(string reason) =>
        Known.Contains(reason) ? reason : reason.StartsWith("OutOf", StringComparison.Ordinal) ? "OutOfExtendedResources" : "Other";
}
