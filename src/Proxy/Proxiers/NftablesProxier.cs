using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using NodeAgent.Linux.Netlink;
using NodeAgent.Proxy.Kernel.Nftables;
using NodeAgent.Proxy.Rulesets.Nftables;
using NodeAgent.Proxy.Topology;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Proxiers;

/// <summary>
/// Programs one family in nftables mode: take the changes, choose endpoints, compare with what is programmed, send the difference. A pass
/// that fails is made once more at once, in full, from what the kernel shows. Source: pkg/proxy/nftables/proxier.go.
/// </summary>
public sealed partial class NftablesProxier(
    ProxyState state, NftOptions options, INftKernel kernel, string node, TimeProvider time, ILogger<NftablesProxier> logger) : IProxier
{
    // More changed Services than this are cheaper to compare with the kernel than to send as one transaction.
    private const int LargeChange = 1000;
    private static readonly TimeSpan FullAtLeastEvery = TimeSpan.FromHours(1);
    private NftOptions _options = options;
    private NftRuleset _ruleset = new(options);
    private Dictionary<ServiceName, ImmutableArray<ServicePortName>> _programmed = [];
    private ImmutableArray<string> _serviceCidrs = options.ServiceCidrs;
    private long? _lastFull;

    /// <summary>Gives the addresses node ports answer on as they are now; null where they are fixed.</summary>
    public Func<ImmutableArray<string>?>? NodePortAddresses { get; init; }

    /// <inheritdoc/>
    public IPFamily Family => state.Family;

    /// <inheritdoc/>
    public event Action<ProxyPass>? Passed;

    /// <inheritdoc/>
    public (int Internal, int External) Dropped => _ruleset.Dropped;

    /// <summary>The cluster's Service ranges of the family; true where they changed and a pass is due.</summary>
    public bool SetServiceCidrs(ImmutableArray<string> cidrs)
    {
        bool same = ImmutableInterlocked.InterlockedExchange(ref _serviceCidrs, cidrs).AsSpan().SequenceEqual(cidrs.AsSpan());
        if (!same)
        {
            state.RequestFull();
        }

        return !same;
    }

    /// <summary>Somebody else changed the table: the next pass looks at everything.</summary>
    /// <param name="process">Who, as the kernel calls it; "" where unknown.</param>
    public void TableChanged(string process)
    {
        LogForeignChange(state.Family, process.Length == 0 ? "an unknown process" : process);
        LookAgain();
    }

    /// <summary>Nobody can say whether the table is as it was programmed: the next pass looks at everything.</summary>
    public void LookAgain() => state.RequestFull();

    /// <inheritdoc/>
    public async Task<bool> SyncAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // The kernel works while we call: not on a thread of the pool. Once begun, a pass is carried through.
        return await Task.Factory.StartNew(Sync, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private bool Sync()
    {
        Refresh();
        if (Pass(last: false) is { } done)
        {
            return done;
        }

        state.RequestFull();
        return Pass(last: true) ?? false;
    }

    /// <summary>Null where it failed and may be tried again at once.</summary>
    private bool? Pass(bool last)
    {
        long start = time.GetTimestamp();
        ProxyChanges changes = state.Take();
        bool full = changes.Full || changes.Services.Count > LargeChange;
        bool cleaned = true;
        int sent = 0;
        try
        {
            sent = full ? ProgramAll() : Program(changes.Services);
            NftLeftovers leftovers = _ruleset.Leftovers;
            if (leftovers.Chains.Count + leftovers.Sets.Count > 0)
            {
                cleaned = kernel.Remove(leftovers);
                if (cleaned)
                {
                    _ruleset.Removed(leftovers);
                }
            }

            _lastFull = full ? time.GetTimestamp() : _lastFull;
            Passed?.Invoke(new ProxyPass(full, true, 0, 0, time.GetElapsedTime(start)) { CleanupFailed = !cleaned });
            LogPassed(full, sent, (long)time.GetElapsedTime(start).TotalMilliseconds);
            return true;
        }
        catch (NetlinkException e)
        {
            state.RequestFull();
            if (last)
            {
                LogFailed(state.Family, e.Message);
            }
            else
            {
                LogTriedAgain(state.Family, e.Message);
            }

            Passed?.Invoke(new ProxyPass(full, false, 0, 0, time.GetElapsedTime(start)) { Error = e.Message });
            return last ? false : null;
        }
    }

    private int ProgramAll()
    {
        NftObserved observed = kernel.Read();
        (_ruleset, _programmed) = (new NftRuleset(_options), []);
        List<NftWanted> wanted = [];
        foreach (ServiceName name in state.Services)
        {
            var ports = state.Of(name);
            wanted.AddRange(ports.Select(p => Wanted(p.Port, p.Endpoints)));
            _programmed[name] = [.. ports.Select(p => p.Port.Name)];
        }

        int sent = 0;
        foreach (NftChange change in _ruleset.Full(wanted, observed))
        {
            kernel.Apply(change);
            sent += change.Size;
        }

        return sent;
    }

    private int Program(IReadOnlySet<ServiceName> services)
    {
        Dictionary<ServicePortName, NftWanted> wanted = [];
        List<(ServiceName Name, ImmutableArray<ServicePortName> Ports)> after = [];
        foreach (ServiceName name in services)
        {
            foreach (ServicePortName gone in _programmed.GetValueOrDefault(name, []))
            {
                wanted[gone] = new NftWanted(null, null);
            }

            var ports = state.Of(name);
            foreach ((ServicePort port, ImmutableArray<Endpoint> endpoints) in ports)
            {
                wanted[port.Name] = Wanted(port, endpoints);
            }

            after.Add((name, [.. ports.Select(p => p.Port.Name)]));
        }

        NftChange change = _ruleset.Change(wanted);
        kernel.Apply(change);
        foreach ((ServiceName name, ImmutableArray<ServicePortName> ports) in after)
        {
            if (ports.IsEmpty)
            {
                _programmed.Remove(name);
            }
            else
            {
                _programmed[name] = ports;
            }
        }

        return change.Size;
    }

    private NftWanted Wanted(ServicePort port, ImmutableArray<Endpoint> endpoints) =>
        new(port, EndpointCategorizer.Categorize(endpoints, port, node, state.Zone));

    /// <summary>Asks for a full pass where one is due: what all rules depend on changed, or the last one is an hour old.</summary>
    private void Refresh()
    {
        NftOptions now = _options with { ServiceCidrs = _serviceCidrs, NodePortAddresses = NodePortAddresses is { } current ? current() : _options.NodePortAddresses };
        if (!now.SameAs(_options))
        {
            _options = now;
            state.RequestFull();
        }

        if (_lastFull is { } at && time.GetElapsedTime(at) > FullAtLeastEvery)
        {
            state.RequestFull();
        }
    }

    [LoggerMessage(4105, LogLevel.Debug, "nftables pass done: full {Full}, {Objects} objects sent, {Milliseconds} ms")]
    private partial void LogPassed(bool full, int objects, long milliseconds);

    [LoggerMessage(4106, LogLevel.Error, "{Family} rules could not be programmed, everything will be compared again: {Error}")]
    private partial void LogFailed(IPFamily family, string error);

    [LoggerMessage(4107, LogLevel.Warning, "{Family} rules could not be programmed, everything is compared with the kernel and tried again: {Error}")]
    private partial void LogTriedAgain(IPFamily family, string error);

    [LoggerMessage(4108, LogLevel.Warning, "{Family} table kube-proxy was changed by {Process}; it is compared and repaired")]
    private partial void LogForeignChange(IPFamily family, string process);
}
