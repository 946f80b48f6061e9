using NodeAgent.Kubernetes.Events;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>Events about the own Node; their reference has no UID, as upstream.</summary>
/// <param name="recorder">Where events go.</param>
/// <param name="nodeName">The node.</param>
public sealed class NodeEvents(IEventRecorder recorder, string nodeName)
{
    private readonly ObjectReference _node = new() { ApiVersion = "v1", Kind = "Node", Name = nodeName };

    /// <summary>Records an event.</summary>
    public void Record(string type, string reason, string message) => recorder.Record(_node, type, reason, message);

    /// <summary>Records "Node … status is now: …".</summary>
    public void StatusIsNow(string what) => Record(EventTypes.Normal, what, $"Node {nodeName} status is now: {what}");
}
