using System.Collections.Immutable;
using System.Net;
using Microsoft.Extensions.Logging;
using NodeAgent.Proxy.Configuration;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Kernel.Ipvs;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Nodes;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Rulesets.Ipvs;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Composition;

/// <summary>ipvs mode.</summary>
internal sealed class IpvsBackend : ProxyBackend
{
    /// <summary>As upstream: a real server whose connections have ended goes within a minute.</summary>
    private static readonly TimeSpan DrainingPeriod = TimeSpan.FromMinutes(1);

    private readonly IpvsProxier _proxier;
    private readonly IpvsKernel _kernel;
    private readonly TimeProvider _time;

    public IpvsBackend(ProxyState state, IpvsKernel kernel, IptablesCommands iptables, IptablesAbilities abilities, ProxyNode node, ProxySurroundings around)
    {
        (_kernel, _time) = (kernel, around.Time);
        KubeProxyConfiguration c = around.Settings.Configuration;
        AtLeastEvery = c.SyncPeriod;
        var nodePorts = new NodePortAddresses(NodePortAddresses.Expand(c.NodePortAddresses, node.Addresses), state.Family);
        var options = new IpvsOptions
        {
            Family = state.Family,
            Scheduler = Scheduler(c),
            MasqueradeMark = 1u << c.MasqueradeBit,
            MasqueradeAll = c.MasqueradeAll,
            LocalTraffic = LocalTrafficDetection.Choose(c, node.PodCidrs, state.Family),
            NodeIP = node.Addresses.Of(state.Family).ToString(),
            RandomFully = abilities.RandomFully,
            ExcludeCidrs = [.. c.IpvsExcludeCIDRs],
        };
        _proxier = new IpvsProxier(state, options, kernel, iptables, around.Settings.NodeName, around.Time, around.Loggers.CreateLogger<IpvsProxier>())
        {
            NodePortAddresses = nodePorts.MatchesAll ? null : host => nodePorts.Select(host.Select(IPAddress.Parse)) ?? ImmutableArray<string>.Empty,
        };
        around.Metrics.Follow(_proxier);
    }

    public override IProxier Proxier => _proxier;

    /// <summary>Foreign changes are found by the pass of each sync period.</summary>
    public override TimeSpan AtLeastEvery { get; }

    /// <summary>ipvs.scheduler, rr where it is not set.</summary>
    public static string Scheduler(KubeProxyConfiguration configuration) => configuration.IpvsScheduler.Length == 0 ? "rr" : configuration.IpvsScheduler;

    /// <summary>Only what drains is looked at.</summary>
    public override async Task WatchAsync(Action changed, CancellationToken cancellationToken)
    {
        using var period = new PeriodicTimer(DrainingPeriod, _time);
        while (await period.WaitForNextTickAsync(cancellationToken))
        {
            if (_proxier.Draining > 0)
            {
                changed();
            }
        }
    }

    public override Task RemoveOtherModeAsync(CancellationToken cancellationToken) => RemoveNftablesAsync(_proxier.Family);

    public override void Dispose()
    {
        _kernel.Dispose();
        base.Dispose();
    }
}
