using NodeAgent.Harness;

namespace NodeAgent.EndToEnd.Switching;

/// <summary>A test with the Go kubelet as a peer: skipped, with reason and remedy, where it or a real control plane is not at hand.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class GoKubeletTheoryAttribute : TheoryAttribute
{
    public GoKubeletTheoryAttribute() => Skip = NodeFactAttribute.Reason
        ?? (!File.Exists(Path.Combine(Environment.GetEnvironmentVariable("KUBERNETES_BIN") ?? "", "kubelet")) ? $"no kubelet in $KUBERNETES_BIN: put the Go kubelet {Requirements.KubernetesVersion} there"
        : HarnessOptions.ControlPlaneFromEnvironment() == ControlPlaneKind.StandIn ? "needs the real control plane, and NODE_AGENT_E2E_CONTROL_PLANE asks for the stand-in"
        : Requirements.MissingControlPlane());
}
