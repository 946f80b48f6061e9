using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>Tells changes of a node status from heartbeats. Pure.</summary>
public static class NodeStatusChange
{
    /// <summary>True where anything but heartbeat times differs.</summary>
    public static bool Between(NodeStatus before, NodeStatus after) => !KubernetesJson.ContentEquals(WithoutHeartbeats(before), WithoutHeartbeats(after));

    private static NodeStatus WithoutHeartbeats(NodeStatus status) =>
        status with { Conditions = [.. status.Conditions.Select(c => c with { LastHeartbeatTime = null })] };
}
