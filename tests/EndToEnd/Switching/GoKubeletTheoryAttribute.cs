using NodeAgent.Harness;

namespace NodeAgent.EndToEnd.Switching;

/// <summary>A test with the Go kubelet as a peer: skipped, with reason and remedy, where it is not at hand.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class GoKubeletTheoryAttribute : TheoryAttribute
{
    public GoKubeletTheoryAttribute() => Skip = NodeFactAttribute.Reason
        ?? (Requirements.Kubernetes("kubelet") is null ? $"kubelet not found in $KUBERNETES_BIN or PATH: put the Go kubelet {Requirements.KubernetesVersion} there" : null);
}
