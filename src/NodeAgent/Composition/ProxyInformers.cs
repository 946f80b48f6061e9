using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Proxy.Tracking;
using NodeAgent.Proxy.Watching;

namespace NodeAgent.Composition;

/// <summary>All that the proxy follows at the API server, and with --init-only the node alone. Everything is listed at once: what is there when rules can be made is told to their handlers then.</summary>
internal sealed class ProxyInformers
{
    private readonly bool _nodeOnly;

    public ProxyInformers(IKubernetesClient api, ProxySettings settings, ILoggerFactory loggers, TimeProvider time)
    {
        _nodeOnly = settings.InitOnly;
        Node = new Informer<Node>(api, ProxyWatches.NodeOptions(settings.NodeName), loggers.CreateLogger<Informer<Node>>(), time);
        Services = new Informer<Service, ServiceState>(api, ProxyWatches.ServiceOptions, ProxyWatches.ServiceProjection, loggers.CreateLogger<Informer<Service>>(), time);
        Slices = new Informer<EndpointSlice, SliceState>(
            api, ProxyWatches.SliceOptions, ProxyWatches.SliceProjection(settings.NodeName), loggers.CreateLogger<Informer<EndpointSlice>>(), time);
        if (settings.Configuration.Mode == "nftables")
        {
            Ranges = new Informer<ServiceCIDR>(api, new InformerOptions(), loggers.CreateLogger<Informer<ServiceCIDR>>(), time);
        }
    }

    /// <summary>The own node.</summary>
    public Informer<Node> Node { get; }

    /// <summary>Services.</summary>
    public Informer<Service, ServiceState> Services { get; }

    /// <summary>Slices.</summary>
    public Informer<EndpointSlice, SliceState> Slices { get; }

    /// <summary>The cluster's Service ranges; null in modes that have no use for them.</summary>
    public Informer<ServiceCIDR>? Ranges { get; }

    /// <summary>Lists and watches until cancelled; one task for each kind.</summary>
    public IEnumerable<Task> Run(CancellationToken cancellationToken)
    {
        yield return Node.RunAsync(cancellationToken);
        if (_nodeOnly)
        {
            yield break;
        }

        yield return Services.RunAsync(cancellationToken);
        yield return Slices.RunAsync(cancellationToken);
        if (Ranges is not null)
        {
            yield return Ranges.RunAsync(cancellationToken);
        }
    }
}
