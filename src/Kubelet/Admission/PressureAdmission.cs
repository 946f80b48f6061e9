using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Admission;

/// <summary>Rejects pods while the node is under pressure. Source: Admit in pkg/kubelet/eviction/eviction_manager.go.</summary>
internal sealed class PressureAdmission : IPodAdmitHandler
{
    private static readonly Taint MemoryPressureTaint = new() { Key = "node.kubernetes.io/memory-pressure", Effect = "NoSchedule" };

    public AdmitResult Admit(AdmissionRequest request)
    {
        bool onlyMemory = request.Pressures is ["MemoryPressure"];
        bool passes = request.Pressures.Count == 0 || request.Pod.IsCritical
            || (onlyMemory && (PodQos.Of(request.Pod) != QosClass.BestEffort || Taints.Tolerates(request.Pod.Spec.Tolerations, MemoryPressureTaint)));
        return passes ? AdmitResult.Admitted.Instance
            : new AdmitResult.Rejected("Evicted", $"The node had condition: [{string.Join(' ', request.Pressures)}]. ");
    }
}
