using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Watching;

/// <summary>Feeds the states of all families from the watches and says when something changed. Source: pkg/proxy/config/config.go.</summary>
/// <param name="states">One for each family.</param>
/// <param name="changed">Called after each change; must not block.</param>
public sealed class ProxyWatches(IReadOnlyList<ProxyState> states, Action changed)
{
    /// <summary>Services of other proxies and headless ones are not asked for.</summary>
    public static InformerOptions ServiceOptions { get; } = new()
    {
        LabelSelector = "!service.kubernetes.io/service-proxy-name",
        FieldSelector = "spec.clusterIP!=None",
        // The API server itself has one and makes it anew.
        NeverEmpty = true,
    };

    /// <summary>Slices of headless services are not asked for.</summary>
    public static InformerOptions SliceOptions { get; } = new() { LabelSelector = "!service.kubernetes.io/headless", NeverEmpty = true };

    /// <summary>The own node.</summary>
    public static InformerOptions NodeOptions(string node) => new() { FieldSelector = $"metadata.name={node}" };

    /// <summary>Keeps of a Service what rules need.</summary>
    public static InformerProjection<Service, ServiceState> ServiceProjection { get; } = new() { Transform = ServiceState.From };

    /// <summary>Keeps of a slice what rules need.</summary>
    public static InformerProjection<EndpointSlice, SliceState> SliceProjection(string node) => new() { Transform = s => SliceState.From(s, node) };

    /// <summary>Handles Services.</summary>
    public IInformerHandler<ServiceState> Services => new ServiceHandler(states, changed);

    /// <summary>Handles slices.</summary>
    public IInformerHandler<SliceState> Slices => new SliceHandler(states, changed);

    /// <summary>Handles the own Node: only its zone counts.</summary>
    public IInformerHandler<Node> Nodes => new NodeHandler(states, changed);

    private sealed class ServiceHandler(IReadOnlyList<ProxyState> states, Action changed) : IInformerHandler<ServiceState>
    {
        public void Added(ServiceState item, bool initial) => Set(item);

        public void Updated(ServiceState previous, ServiceState current) => Set(current);

        public void Deleted(ServiceState last)
        {
            foreach (ProxyState state in states)
            {
                state.RemoveService(last.Name);
            }

            changed();
        }

        private void Set(ServiceState service)
        {
            foreach (ProxyState state in states)
            {
                state.SetService(service);
            }

            changed();
        }
    }

    private sealed class SliceHandler(IReadOnlyList<ProxyState> states, Action changed) : IInformerHandler<SliceState>
    {
        public void Added(SliceState item, bool initial) => Set(item);

        public void Updated(SliceState previous, SliceState current)
        {
            if (previous.Service != current.Service || previous.Family != current.Family)
            {
                Deleted(previous);
            }

            Set(current);
        }

        public void Deleted(SliceState last)
        {
            foreach (ProxyState state in states)
            {
                state.RemoveSlice(last);
            }

            changed();
        }

        private void Set(SliceState slice)
        {
            foreach (ProxyState state in states)
            {
                state.SetSlice(slice);
            }

            changed();
        }
    }

    private sealed class NodeHandler(IReadOnlyList<ProxyState> states, Action changed) : IInformerHandler<Node>
    {
        public void Added(Node item, bool initial) => Set(item);

        public void Updated(Node previous, Node current) => Set(current);

        public void Deleted(Node last)
        {
        }

        private void Set(Node node)
        {
            foreach (ProxyState state in states)
            {
                state.SetZone(node.Metadata.Labels.GetValueOrDefault("topology.kubernetes.io/zone"));
            }

            if (states.Any(s => s.HasChanges))
            {
                changed();
            }
        }
    }
}
