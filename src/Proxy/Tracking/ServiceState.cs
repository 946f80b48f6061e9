using System.Collections.Immutable;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Proxy.Tracking;

/// <summary>What rules need of a Service: kept instead of the object, since a large cluster has very many.</summary>
/// <param name="Name">Which.</param>
/// <param name="IPv4">Ports of IPv4; empty where it has no cluster IP of it.</param>
/// <param name="IPv6">Ports of IPv6; empty where it has no cluster IP of it.</param>
public sealed record ServiceState(ServiceName Name, ImmutableArray<ServicePort> IPv4, ImmutableArray<ServicePort> IPv6)
{
    /// <summary>Reads a Service.</summary>
    public static ServiceState From(Service service) => new(
        new ServiceName(service.Metadata.Namespace ?? "", service.Metadata.Name ?? ""),
        ServicePortBuilder.Build(service, IPFamily.IPv4), ServicePortBuilder.Build(service, IPFamily.IPv6));

    /// <summary>The ports of a family.</summary>
    public ImmutableArray<ServicePort> Of(IPFamily family) => family == IPFamily.IPv4 ? IPv4 : IPv6;
}
