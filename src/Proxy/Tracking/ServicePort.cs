using System.Collections.Immutable;

namespace NodeAgent.Proxy.Tracking;

/// <summary>The address family a backend programs.</summary>
public enum IPFamily
{
    /// <summary>IPv4.</summary>
    IPv4,
    /// <summary>IPv6.</summary>
    IPv6,
}

/// <summary>A Service by namespace and name.</summary>
public readonly record struct ServiceName(string Namespace, string Name)
{
    /// <summary>Prints as namespace/name.</summary>
    public override string ToString() => $"{Namespace}/{Name}";
}

/// <summary>One port of a Service. Ordered so that rulesets come out the same each time.</summary>
/// <param name="Service">The Service.</param>
/// <param name="Port">The port's name; "" where unnamed.</param>
/// <param name="Protocol">tcp, udp or sctp.</param>
public readonly record struct ServicePortName(ServiceName Service, string Port, string Protocol) : IComparable<ServicePortName>
{
    /// <summary>Prints as namespace/name:port, without the colon where the port has no name (upstream's form; hashes are made of it).</summary>
    public override string ToString() => Port.Length == 0 ? Service.ToString() : $"{Service}:{Port}";

    /// <inheritdoc/>
    public int CompareTo(ServicePortName other)
    {
        int c = string.CompareOrdinal(Service.Namespace, other.Service.Namespace);
        c = c != 0 ? c : string.CompareOrdinal(Service.Name, other.Service.Name);
        c = c != 0 ? c : string.CompareOrdinal(Port, other.Port);
        return c != 0 ? c : string.CompareOrdinal(Protocol, other.Protocol);
    }
}

/// <summary>What one family's rules need to know of a Service's port. Source: pkg/proxy/serviceport.go.</summary>
public sealed record ServicePort
{
    /// <summary>Which port.</summary>
    public required ServicePortName Name { get; init; }
    /// <summary>The cluster IP of the family, canonical text.</summary>
    public required string ClusterIP { get; init; }
    /// <summary>Port on the cluster, external and load balancer IPs.</summary>
    public required int Port { get; init; }
    /// <summary>Node port; 0 = none.</summary>
    public int NodePort { get; init; }
    /// <summary>spec.externalIPs of the family.</summary>
    public ImmutableArray<string> ExternalIPs { get; init; } = [];
    /// <summary>Load balancer addresses of the family whose ipMode is VIP.</summary>
    public ImmutableArray<string> LoadBalancerVips { get; init; } = [];
    /// <summary>spec.loadBalancerSourceRanges of the family; empty = everybody.</summary>
    public ImmutableArray<string> SourceRanges { get; init; } = [];
    /// <summary>Health check node port; 0 = none.</summary>
    public int HealthCheckNodePort { get; init; }
    /// <summary>Session affinity by client address lasts so many seconds; 0 = no affinity.</summary>
    public int StickySeconds { get; init; }
    /// <summary>externalTrafficPolicy: Local takes effect.</summary>
    public bool ExternalLocal { get; init; }
    /// <summary>internalTrafficPolicy: Local.</summary>
    public bool InternalLocal { get; init; }

    /// <summary>Reachable from outside the cluster.</summary>
    public bool ExternallyAccessible => NodePort != 0 || LoadBalancerVips.Length > 0 || ExternalIPs.Length > 0;
    /// <summary>Endpoints of the whole cluster are used.</summary>
    public bool UsesClusterEndpoints => !InternalLocal || ExternallyAccessible;
    /// <summary>Endpoints of this node alone are used.</summary>
    public bool UsesLocalEndpoints => InternalLocal || (ExternalLocal && ExternallyAccessible);
}

/// <summary>One endpoint of a service port.</summary>
/// <param name="Address">Canonical text of the IP.</param>
/// <param name="Port">Port.</param>
/// <param name="Ready">conditions.ready, nil = true.</param>
/// <param name="Serving">conditions.serving, nil = true.</param>
/// <param name="Terminating">conditions.terminating.</param>
/// <param name="IsLocal">It is on this node.</param>
/// <param name="ZoneHints">Zones that should use it.</param>
/// <param name="NodeHints">Nodes that should use it.</param>
public sealed record Endpoint(
    string Address, int Port, bool Ready, bool Serving, bool Terminating, bool IsLocal, ImmutableArray<string> ZoneHints, ImmutableArray<string> NodeHints)
{
    /// <summary>ip:port, or [ip]:port.</summary>
    public string Key { get; } = Address.Contains(':', StringComparison.Ordinal) ? $"[{Address}]:{Port}" : $"{Address}:{Port}";
}
