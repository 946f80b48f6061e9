using System.Collections.Immutable;
using NodeAgent.Proxy.Topology;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Nftables;

/// <summary>What the rules of one service port are made from, kept so that a change can be compared with what is programmed.</summary>
/// <param name="Port">The service port.</param>
/// <param name="Cluster">Endpoints for traffic of the whole cluster, by slot.</param>
/// <param name="Local">Endpoints for traffic that stays on this node, by slot.</param>
/// <param name="Here">Endpoints on this node that traffic can reach, which may talk to themselves.</param>
/// <param name="HasAny">Some endpoint somewhere could serve.</param>
/// <param name="Lost">Destinations that another service port has claimed; null where there is none.</param>
public sealed record NftServiceInput(
    ServicePort Port, ImmutableArray<NftEndpoint> Cluster, ImmutableArray<NftEndpoint> Local, ImmutableArray<NftEndpoint> Here, bool HasAny,
    ImmutableHashSet<NftKey>? Lost = null)
{
    /// <summary>From chosen endpoints; each keeps the slot it had.</summary>
    public static NftServiceInput From(ServicePort port, CategorizedEndpoints chosen, ImmutableArray<NftEndpoint> cluster, ImmutableArray<NftEndpoint> local) => new(
        port, NftEndpoint.Assign(cluster, Compact(chosen.Cluster)), NftEndpoint.Assign(local, Compact(chosen.Local)),
        Compact([.. chosen.Reachable.Where(e => e.IsLocal)]), chosen.HasAny);

    private static ImmutableArray<NftEndpoint> Compact(ImmutableArray<Endpoint> endpoints) =>
        endpoints.IsEmpty ? [] : [.. endpoints.Select(e => new NftEndpoint(e.Address, e.Port))];
}

/// <summary>Which of the shared chains that translate: they differ in the map and in the mark.</summary>
public enum NftTranslation
{
    /// <summary>Cluster IPs.</summary>
    Service,
    /// <summary>External and load balancer IPs: masqueraded.</summary>
    External,
    /// <summary>Node ports: masqueraded.</summary>
    NodePort,
}

/// <summary>All that one service port adds.</summary>
/// <param name="Elements">Elements of shared sets and maps.</param>
/// <param name="Chains">Own chains; those that others go to come first.</param>
/// <param name="Affinity">Own sets.</param>
/// <param name="Translations">Shared chains it goes to.</param>
public sealed record CompiledNftService(
    ImmutableArray<NftElement> Elements, ImmutableArray<NftChain> Chains, ImmutableArray<NftAffinitySet> Affinity, ImmutableHashSet<(NftTranslation Kind, int Count)> Translations)
{
    /// <summary>Nothing.</summary>
    public static CompiledNftService Empty { get; } = new([], [], [], []);
}

/// <summary>
/// Rules of one service port. Traffic without session affinity is translated by shared chains, one for each number of endpoints, that look the
/// endpoint up in a map of plain data: the kernel takes a changed element of it without looking at any rule again. Affinity and
/// externalTrafficPolicy: Local need chains for each service port, as upstream has them. Pure. Source: pkg/proxy/nftables/proxier.go.
/// </summary>
public static class NftServiceCompiler
{
    /// <summary>The name of a shared chain.</summary>
    public static string TranslationChain(NftTranslation kind, int count) => kind switch
    {
        NftTranslation.Service => $"service-endpoints/{count}",
        NftTranslation.External => $"external-endpoints/{count}",
        _ => $"nodeport-endpoints/{count}",
    };

    /// <summary>A shared chain.</summary>
    public static NftChain Translation(NftTranslation kind, int count, uint mark)
    {
        (string map, bool address) = kind == NftTranslation.NodePort ? ("nodeport-endpoints", false) : ("service-endpoints", true);
        var rules = ImmutableArray.CreateBuilder<NftRule>();
        if (kind != NftTranslation.Service)
        {
            rules.Add(new NftRule([new SetMark(mark)], "masquerade"));
        }

        rules.Add(new NftRule([new TranslateByDestination(map, address, count)]));
        if (count > 1)
        {
            // A packet that was on its way here while the last endpoint's slot went away takes the first one.
            rules.Add(new NftRule([new TranslateByDestination(map, address, 1)]));
        }

        return new NftChain(TranslationChain(kind, count), rules.ToImmutable());
    }

    /// <summary>The destinations a service port answers on; its cluster IP first.</summary>
    public static IEnumerable<NftKey> Destinations(ServicePort port)
    {
        string protocol = port.Name.Protocol;
        yield return NftKey.Destination(port.ClusterIP, protocol, port.Port);
        foreach (string ip in Externals(port))
        {
            yield return NftKey.Destination(ip, protocol, port.Port);
        }

        if (port.NodePort != 0)
        {
            yield return NftKey.NodePort(protocol, port.NodePort);
        }
    }

    /// <summary>External and load balancer addresses, each once; the cluster IP is no external one whoever lists it.</summary>
    internal static IEnumerable<string> Externals(ServicePort port) =>
        port.ExternalIPs.IsEmpty && port.LoadBalancerVips.IsEmpty ? [] : port.ExternalIPs.Concat(port.LoadBalancerVips).Distinct().Where(ip => ip != port.ClusterIP);

    /// <summary>Compiles a service port.</summary>
    public static CompiledNftService Compile(NftServiceInput input, NftOptions options)
    {
        var c = new NftServiceCompilation(input, options);
        c.ClusterIP();
        c.ExternalIPs();
        c.NodePort();
        c.Hairpins();
        c.ExternalChain();
        c.Balancing();
        c.FirewallChain();
        return c.Result();
    }
}
