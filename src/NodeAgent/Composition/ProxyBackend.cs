using System.Net;
using Microsoft.Extensions.Logging;
using NodeAgent.Linux.Netlink;
using NodeAgent.Proxy.Configuration;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Kernel.Ipvs;
using NodeAgent.Proxy.Kernel.Nftables;
using NodeAgent.Proxy.Kernel.Sysctls;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Nodes;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Rulesets.Nftables;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Composition;

/// <summary>One mode of one family: what programs it, and how foreign changes of the rules are noticed.</summary>
internal abstract class ProxyBackend : IDisposable
{
    public abstract IProxier Proxier { get; }

    /// <summary>Node ports answer on 127.0.0.1: the kernel has to route it.</summary>
    public virtual bool Localhost => false;

    /// <summary>A pass is made at least this often, whether or not anybody asks.</summary>
    public virtual TimeSpan AtLeastEvery => TimeSpan.FromHours(1);

    /// <summary>Calls back when somebody else changed the rules; runs from the first successful pass until cancelled.</summary>
    public abstract Task WatchAsync(Action changed, CancellationToken cancellationToken);

    /// <summary>Takes away what the other mode left, once this one's rules are there; best effort.</summary>
    public abstract Task RemoveOtherModeAsync(CancellationToken cancellationToken);

    /// <summary>The cluster's Service ranges, of both families; true where a pass is due.</summary>
    public virtual bool SetServiceCidrs(IReadOnlyCollection<string> cidrs) => false;

    public virtual void Dispose()
    {
    }

    /// <summary>What a mode of iptables rules has to take away of the nftables mode.</summary>
    protected static Task RemoveNftablesAsync(IPFamily family)
    {
        try
        {
            using var kernel = new NftKernel(family, () => NetlinkSocket.Open());
            kernel.DeleteTable();
        }
        catch (NetlinkException)
        {
            // A kernel without nf_tables has no such table.
        }

        return Task.CompletedTask;
    }
}

/// <summary>iptables mode.</summary>
internal sealed class IptablesBackend : ProxyBackend
{
    private readonly IptablesProxier _proxier;
    private readonly PacketCounters _counters;
    private readonly ProxySurroundings _around;

    /// <param name="state">State of the family.</param>
    /// <param name="iptables">Its programs.</param>
    /// <param name="abilities">What they can do.</param>
    /// <param name="counters">Owned by this object from now on.</param>
    /// <param name="node">The Node.</param>
    /// <param name="around">What families share.</param>
    public IptablesBackend(ProxyState state, IptablesCommands iptables, IptablesAbilities abilities, PacketCounters counters, ProxyNode node, ProxySurroundings around)
    {
        (_around, _counters) = (around, counters);
        KubeProxyConfiguration c = around.Settings.Configuration;
        var nodePorts = new NodePortAddresses(NodePortAddresses.Expand(c.NodePortAddresses, node.Addresses), state.Family);
        Localhost = c.IptablesLocalhostNodePorts && nodePorts.ContainsIPv4Loopback;
        var options = new IptablesOptions
        {
            Family = state.Family,
            MasqueradeMark = 1u << c.MasqueradeBit,
            MasqueradeAll = c.MasqueradeAll,
            LocalTraffic = LocalTrafficDetection.Choose(c, node.PodCidrs, state.Family),
            LocalhostNodePorts = Localhost,
            NodePortAddresses = nodePorts.Select(around.Network.AllAddresses()),
            NodeIP = node.Addresses.Of(state.Family).ToString(),
            RandomFully = abilities.RandomFully,
            Recent = abilities.Recent,
            DirectEndpoints = abilities.Bpf,
            DropInvalid = (new KernelSettings().Read("proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal") ?? 0) == 0,
        };
        _proxier = new IptablesProxier(state, options, iptables, around.Settings.NodeName, around.Time, around.Loggers.CreateLogger<IptablesProxier>())
        {
            NodePortAddresses = nodePorts.MatchesAll ? null : () => nodePorts.Select(around.Network.AllAddresses()),
            Counters = abilities.Accounting ? counters : null,
        };
        around.Metrics.Follow(_proxier);
        if (abilities.Accounting)
        {
            around.Metrics.Follow(counters);
        }
    }

    public override IProxier Proxier => _proxier;

    public override bool Localhost { get; }

    public override void Dispose()
    {
        _counters.Dispose();
        base.Dispose();
    }

    /// <summary>The only periodic work: one look at a chain each sync period.</summary>
    public override async Task WatchAsync(Action changed, CancellationToken cancellationToken)
    {
        using var period = new PeriodicTimer(_around.Settings.Configuration.SyncPeriod, _around.Time);
        while (await period.WaitForNextTickAsync(cancellationToken))
        {
            if (await _proxier.CheckCanaryAsync(cancellationToken))
            {
                changed();
            }
        }
    }

    public override Task RemoveOtherModeAsync(CancellationToken cancellationToken) => RemoveNftablesAsync(_proxier.Family);
}

/// <summary>nftables mode.</summary>
internal sealed class NftablesBackend : ProxyBackend
{
    private readonly NftablesProxier _proxier;
    private readonly NftKernel _kernel;

    public NftablesBackend(ProxyState state, NftKernel kernel, ProxyNode node, ProxySurroundings around)
    {
        _kernel = kernel;
        KubeProxyConfiguration c = around.Settings.Configuration;
        var nodePorts = new NodePortAddresses(NodePortAddresses.Expand(c.NodePortAddresses, node.Addresses), state.Family);
        IPAddress own = node.Addresses.Of(state.Family);
        var options = new NftOptions
        {
            Family = state.Family,
            MasqueradeMark = 1u << c.MasqueradeBit,
            MasqueradeAll = c.MasqueradeAll,
            LocalTraffic = LocalTrafficDetection.Choose(c, node.PodCidrs, state.Family),
            NodePortAddresses = nodePorts.Select(around.Network.AllAddresses()),
            NodeIP = own.ToString(),
        };
        _proxier = new NftablesProxier(state, options, kernel, around.Settings.NodeName, around.Time, around.Loggers.CreateLogger<NftablesProxier>())
        {
            NodePortAddresses = nodePorts.MatchesAll ? null : () => nodePorts.Select(around.Network.AllAddresses()),
        };
        around.Metrics.Follow(_proxier);
    }

    public override IProxier Proxier => _proxier;

    public override async Task WatchAsync(Action changed, CancellationToken cancellationToken)
    {
        bool untouched = _kernel.Watch(change =>
        {
            _proxier.TableChanged(change.Process);
            changed();
        });
        if (!untouched)
        {
            _proxier.LookAgain();
            changed();
        }

        await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
    }

    public override async Task RemoveOtherModeAsync(CancellationToken cancellationToken)
    {
        var iptables = new IptablesCommands(_proxier.Family, TimeSpan.FromMinutes(1));
        try
        {
            if (await iptables.IsSupportedAsync(cancellationToken))
            {
                await IpvsCleanup.RunAsync(iptables, _proxier.Family, TimeProvider.System, cancellationToken);
                await IptablesCleanup.RunAsync(iptables, _proxier.Family, cancellationToken);
            }
        }
        catch (Exception e) when (e is IptablesException or NetlinkException)
        {
            // Without the programs there are no rules of theirs, and what the kernel keeps harms nobody.
        }
    }

    public override bool SetServiceCidrs(IReadOnlyCollection<string> cidrs) => _proxier.SetServiceCidrs(
        [.. cidrs.Where(c => LocalTrafficDetector.ForFamily([c], _proxier.Family).IsImplemented).Order(StringComparer.Ordinal)]);

    public override void Dispose()
    {
        _kernel.Dispose();
        base.Dispose();
    }
}
