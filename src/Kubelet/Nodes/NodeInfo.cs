using System.Collections.Immutable;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>The own Node for others: fed by an informer (add it as handler) and by answers to own patches; newest wins.</summary>
/// <param name="options">The node's name.</param>
/// <param name="runtime">For NetworkNotReady.</param>
public sealed class NodeInfo(NodeOptions options, RuntimeStateMonitor runtime) : INodeInfo, IInformerHandler<Node>
{
    private Node? _current;
    private ImmutableArray<string> _hostIPs = [];
    private IReadOnlyDictionary<string, Quantity> _allocatable = new Dictionary<string, Quantity>();

    /// <inheritdoc/>
    public string Name => options.NodeName;

    /// <inheritdoc/>
    public ImmutableArray<string> HostIPs => _hostIPs;

    /// <inheritdoc/>
    public Node? Current => Volatile.Read(ref _current);

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, Quantity> Allocatable => Volatile.Read(ref _allocatable);

    /// <inheritdoc/>
    public string? NetworkNotReady => runtime.State.NetworkNotReady;

    /// <summary>Called when the Node changed.</summary>
    public event Action<Node>? Changed;

    /// <summary>Called when the API server says the Node is gone.</summary>
    public event Action? Gone;

    /// <summary>Options of an informer that watches only the own Node.</summary>
    public static InformerOptions InformerOptionsFor(string nodeName) => new() { FieldSelector = "metadata.name=" + nodeName };

    /// <inheritdoc/>
    public void Added(Node item, bool initial) => Observe(item);

    /// <inheritdoc/>
    public void Updated(Node previous, Node current) => Observe(current);

    /// <inheritdoc/>
    public void Deleted(Node last)
    {
        Volatile.Write(ref _current, null);
        Gone?.Invoke();
    }

    /// <summary>What the node itself computed; known before (and without) the API server.</summary>
    public void Computed(NodeStatus status)
    {
        ImmutableArray<string> ips = NodeHostIPs.Of(status.Addresses);
        if (!ips.IsEmpty)
        {
            _hostIPs = ips;
        }

        Volatile.Write(ref _allocatable, status.Allocatable);
    }

    /// <summary>Takes a Node the API server sent.</summary>
    public void Observe(Node node)
    {
        if (Current is { } current && ulong.TryParse(current.Metadata.ResourceVersion, out ulong held)
            && ulong.TryParse(node.Metadata.ResourceVersion, out ulong sent) && sent < held && current.Metadata.Uid == node.Metadata.Uid)
        {
            return;
        }

        Volatile.Write(ref _current, node);
        if (_hostIPs.IsEmpty)
        {
            _hostIPs = NodeHostIPs.Of(node.Status.Addresses);
        }

        Changed?.Invoke(node);
    }
}
