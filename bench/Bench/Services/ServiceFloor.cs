using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Harness.Networks;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Netlink;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Kernel.Nftables;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Rulesets.Nftables;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Bench.Services;

/// <summary>
/// The same rules with nothing before: the time spent in the kernel's transactions (nftables) or in iptables-restore alone, at a cold
/// start and for one endpoint's change.
/// </summary>
internal static class ServiceFloor
{
    internal static async Task<Dictionary<string, double>> MeasureAsync(ProxyBed bed, string mode, ServicesBenchOptions options)
    {
        Dictionary<string, double> measured = [];
        // The first round warms the code up.
        for (int round = 0; round < 2; round++)
        {
            using Spent spent = new(bed, mode, options);
            await spent.Proxier.SyncAsync(CancellationToken.None);
            measured[ServiceMeasures.Cold] = spent.Take().TotalSeconds;
            List<double> changes = [];
            for (int i = 0; i < options.Changes; i++)
            {
                int service = i * 97 % options.Services;
                spent.Set(service, i % options.Endpoints);
                await spent.Proxier.SyncAsync(CancellationToken.None);
                changes.Add(spent.Take().TotalMilliseconds);
            }

            measured[ServiceMeasures.Change] = Measures.Median(changes);
            bed.Flush();
        }

        return measured;
    }

    /// <summary>A proxier whose calls of the kernel are timed.</summary>
    private sealed class Spent : INftKernel, IIptablesCommands, IDisposable
    {
        private readonly ProxyState _state = new(IPFamily.IPv4);
        private readonly NftKernel _nft;
        private readonly IptablesCommands _iptables;
        private readonly int _each;
        private TimeSpan _spent;

        public Spent(ProxyBed bed, string mode, ServicesBenchOptions options)
        {
            _each = options.Endpoints;
            _nft = new NftKernel(IPFamily.IPv4, () => bed.Node.Within(() => NetlinkSocket.Open()));
            _iptables = new IptablesCommands(IPFamily.IPv4, TimeSpan.FromMinutes(10)) { Through = ["nsenter", "--net=/run/netns/" + bed.Node.Name] };
            LocalTrafficDetector local = LocalTrafficDetector.ByCidr("10.200.0.0/14");
            Proxier = mode == "nftables"
                ? new NftablesProxier(_state, new NftOptions { Family = IPFamily.IPv4, LocalTraffic = local, NodeIP = "198.18.61.2", NodePortAddresses = ["198.18.61.2"], ServiceCidrs = ["10.96.0.0/16"] },
                    this, "bed-node", TimeProvider.System, NullLogger<NftablesProxier>.Instance)
                : new IptablesProxier(_state, new IptablesOptions { Family = IPFamily.IPv4, LocalTraffic = local, LocalhostNodePorts = true, DirectEndpoints = true },
                    this, "bed-node", TimeProvider.System, NullLogger<IptablesProxier>.Instance);
            for (int i = 0; i < options.Services; i++)
            {
                _state.SetService(new Service
                {
                    Metadata = new ObjectMeta { Namespace = "default", Name = $"svc-{i:00000}" },
                    Spec = new ServiceSpec
                    {
                        Type = "ClusterIP",
                        ClusterIP = ProxyBed.ClusterIP(i),
                        ClusterIPs = [ProxyBed.ClusterIP(i)],
                        IpFamilies = ["IPv4"],
                        Ports = [new Kubernetes.Objects.ServicePort { Name = "web", Port = ProxyBed.Port, Protocol = "TCP" }],
                    },
                });
                Set(i, -1);
            }
        }

        public IProxier Proxier { get; }

        /// <summary>The endpoints of a Service; one of them another than before.</summary>
        public void Set(int service, int changed) => _state.SetSlice(new SliceState
        {
            Service = new ServiceName("default", $"svc-{service:00000}"),
            Name = $"svc-{service:00000}-1",
            Family = IPFamily.IPv4,
            Ports = [new SlicePort("web", "tcp", ProxyBed.TargetPort)],
            Endpoints = [.. Enumerable.Range(0, _each).Select(i => new SliceEndpoint(
                ProxyBed.Endpoint(i == changed ? 60_000 + Random.Shared.Next(60_000) : (service * _each) + i), true, true, false, false, [], []))],
        });

        /// <summary>The time spent since the last look.</summary>
        public TimeSpan Take()
        {
            TimeSpan spent = _spent;
            _spent = TimeSpan.Zero;
            return spent;
        }

        public NftObserved Read() => _nft.Read();

        public void Apply(NftChange change)
        {
            long begin = Stopwatch.GetTimestamp();
            _nft.Apply(change);
            _spent += Stopwatch.GetElapsedTime(begin);
        }

        public bool Remove(NftLeftovers leftovers)
        {
            long begin = Stopwatch.GetTimestamp();
            bool removed = _nft.Remove(leftovers);
            _spent += Stopwatch.GetElapsedTime(begin);
            return removed;
        }

        public Task<string> SaveAsync(string? table, CancellationToken cancellationToken) => _iptables.SaveAsync(table, cancellationToken);

        public async Task RestoreAsync(string input, CancellationToken cancellationToken)
        {
            long begin = Stopwatch.GetTimestamp();
            await _iptables.RestoreAsync(input, cancellationToken);
            _spent += Stopwatch.GetElapsedTime(begin);
        }

        public Task<bool?> HasChainAsync(string table, string chain, CancellationToken cancellationToken) => _iptables.HasChainAsync(table, chain, cancellationToken);

        public Task<string?> RulesAsync(string table, string chain, bool first, CancellationToken cancellationToken) => _iptables.RulesAsync(table, chain, first, cancellationToken);

        public void Dispose() => _nft.Dispose();
    }
}
