using NodeAgent.Harness;

namespace NodeAgent.EndToEnd.Switching;

/// <summary>A test with the Go kubelet as a peer: skipped, with reason and remedy, where it is not at hand, or not asked for: it takes minutes.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class GoKubeletTheoryAttribute : TheoryAttribute
{
    public GoKubeletTheoryAttribute() => Skip = NodeFactAttribute.Reason
        ?? (Requirements.Kubernetes("kubelet") is null ? $"kubelet not found in $KUBERNETES_BIN or PATH: put the Go kubelet {Requirements.KubernetesVersion} there"
        : Environment.GetEnvironmentVariable("NODE_AGENT_E2E_SWITCH") is null or "" ? "takes minutes: set NODE_AGENT_E2E_SWITCH=1" : null);
}
