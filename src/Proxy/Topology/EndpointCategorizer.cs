using System.Collections.Immutable;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Topology;

/// <summary>Which endpoints of a service port this node uses.</summary>
/// <param name="Cluster">For cluster-wide traffic.</param>
/// <param name="Local">For traffic that stays on this node.</param>
/// <param name="Reachable">Union of both, by ip:port.</param>
/// <param name="HasAny">Some endpoint somewhere could serve.</param>
public sealed record CategorizedEndpoints(ImmutableArray<Endpoint> Cluster, ImmutableArray<Endpoint> Local, ImmutableArray<Endpoint> Reachable, bool HasAny);

/// <summary>Chooses endpoints by policy, hints and terminating fall-back. Pure. Source: pkg/proxy/topology.go.</summary>
public static class EndpointCategorizer
{
    /// <summary>Categorizes the endpoints of one service port.</summary>
    public static CategorizedEndpoints Categorize(ImmutableArray<Endpoint> endpoints, ServicePort port, string node, string? zone)
    {
        ImmutableArray<Endpoint> cluster = [], local = [];
        bool hasAny = false;
        if (port.UsesClusterEndpoints)
        {
            Func<Endpoint, bool> near = Near(endpoints, node, zone);
            cluster = [.. endpoints.Where(e => e.Ready && near(e))];
            if (cluster.IsEmpty)
            {
                cluster = [.. endpoints.Where(e => e is { Serving: true, Terminating: true })];
            }

            hasAny = cluster.Length > 0;
        }

        if (!port.UsesLocalEndpoints)
        {
            return new CategorizedEndpoints(cluster, [], cluster, hasAny);
        }

        local = [.. endpoints.Where(e => e is { IsLocal: true, Ready: true })];
        if (local.IsEmpty)
        {
            local = [.. endpoints.Where(e => e is { IsLocal: true, Serving: true, Terminating: true })];
        }

        hasAny |= endpoints.Any(e => e.Ready || e is { Serving: true, Terminating: true });
        ImmutableArray<Endpoint> reachable = cluster.IsEmpty ? local
            : [.. cluster.Concat(local.Where(l => !cluster.Any(c => c.Key == l.Key))).OrderBy(e => e.Key, StringComparer.Ordinal)];
        return new CategorizedEndpoints(cluster, local, reachable, hasAny);
    }

    private static Func<Endpoint, bool> Near(ImmutableArray<Endpoint> endpoints, string node, string? zone)
    {
        bool anyReady = false, allNodes = true, allZones = true, thisNode = false, thisZone = false;
        foreach (Endpoint e in endpoints.Where(e => e.Ready))
        {
            anyReady = true;
            allNodes &= !e.NodeHints.IsEmpty;
            allZones &= !e.ZoneHints.IsEmpty;
            thisNode |= e.NodeHints.Contains(node);
            thisZone |= zone is { Length: > 0 } && e.ZoneHints.Contains(zone);
        }

        return anyReady && allNodes && thisNode ? e => e.NodeHints.Contains(node)
            : anyReady && allZones && thisZone ? e => e.ZoneHints.Contains(zone!)
            : _ => true;
    }
}
