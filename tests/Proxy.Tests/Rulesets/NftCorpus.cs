using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Rulesets.Nftables;
using NodeAgent.Proxy.Topology;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Rulesets;

/// <summary>What nftables mode makes of the corpus.</summary>
internal static class NftCorpus
{
    public static NftOptions Options(IPFamily family) => new()
    {
        Family = family,
        LocalTraffic = LocalTrafficDetector.ByCidr(family == IPFamily.IPv4 ? "10.244.0.0/16" : "fd00:244::/44"),
        NodeIP = ClusterCorpus.Ip(family, 1, 9),
        NodePortAddresses = [ClusterCorpus.Ip(family, 1, 9)],
        ServiceCidrs = [family == IPFamily.IPv4 ? "10.96.0.0/16" : "fd00:96::/112"],
    };

    /// <summary>The transactions of a first pass.</summary>
    public static IReadOnlyList<NftChange> Changes(IPFamily family, ProxyState? state = null)
    {
        state ??= ClusterCorpus.State(family);
        return [.. new NftRuleset(Options(family)).Full(Wanted(state), new NftObserved())];
    }

    public static IReadOnlyCollection<NftWanted> Wanted(ProxyState state) =>
        [.. state.Services.SelectMany(n => state.Of(n)).Select(p => new NftWanted(p.Port, EndpointCategorizer.Categorize(p.Endpoints, p.Port, "node1", state.Zone)))];
}
