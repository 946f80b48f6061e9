using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Topology;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Proxiers;

/// <summary>What a pass did, for metrics and health.</summary>
/// <param name="Full">Everything was written.</param>
/// <param name="Succeeded">The kernel has what is wanted.</param>
/// <param name="FilterRules">Rules sent for the filter table.</param>
/// <param name="NatRules">Rules sent for the nat table.</param>
/// <param name="Duration">How long it took.</param>
public sealed record ProxyPass(bool Full, bool Succeeded, int FilterRules, int NatRules, TimeSpan Duration)
{
    /// <summary>Why it did not succeed.</summary>
    public string? Error { get; init; }

    /// <summary>In ipvs mode: iptables refused the rules.</summary>
    public bool RestoreFailed { get; init; }

    /// <summary>In nftables mode: chains or sets that nothing uses could not be deleted yet.</summary>
    public bool CleanupFailed { get; init; }
}

/// <summary>
/// Programs one family in iptables mode: take the changes, choose endpoints, compile, diff, apply. A pass that fails gives its
/// changes up and asks for a full pass. Source: pkg/proxy/iptables/proxier.go.
/// </summary>
public sealed partial class IptablesProxier(
    ProxyState state, IptablesOptions options, IIptablesCommands iptables, string node, TimeProvider time, ILogger<IptablesProxier> logger) : IProxier
{
    private const int LargeCluster = 1000;
    private const string Canary = "KUBE-PROXY-CANARY";
    private IptablesRuleset _ruleset = new();
    private Dictionary<ServiceName, ImmutableArray<ServicePortName>> _programmed = [];
    private int _endpoints;

    private static readonly TimeSpan FullAtLeastEvery = TimeSpan.FromHours(1);
    private static readonly TimeSpan FlushPatience = TimeSpan.FromSeconds(5);
    private IptablesOptions _options = options;
    private long? _lastFull;

    /// <summary>Gives the addresses node ports answer on as they are now; null where they are fixed.</summary>
    public Func<ImmutableArray<string>?>? NodePortAddresses { get; init; }

    /// <summary>What rules count packets in; made before each full pass, since a rule that names a counter which is gone is refused. Null where there are none.</summary>
    public PacketCounters? Counters { get; init; }

    /// <summary>The family programmed.</summary>
    public IPFamily Family => state.Family;

    /// <summary>Called after each pass.</summary>
    public event Action<ProxyPass>? Passed;

    /// <summary>Rules of the whole set: filter and nat. Not during a pass.</summary>
    public (int Filter, int Nat) RuleCount => _ruleset.Count;

    /// <summary>Service ports whose inside, and whose outside, traffic is dropped for want of a local endpoint. Not during a pass.</summary>
    public (int Internal, int External) Dropped => _ruleset.Dropped;

    /// <summary>One pass; true where the kernel has what is wanted. Not to be called twice at once.</summary>
    public async Task<bool> SyncAsync(CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        Refresh();
        ProxyChanges changes = state.Take();
        try
        {
            IptablesObserved? observed = changes.Full ? IptablesObserved.Parse(await iptables.SaveAsync(null, cancellationToken)) : null;
            if (changes.Full)
            {
                _options = _options with { CountPackets = Counters?.Ensure() ?? false };
                (_ruleset, _programmed, _endpoints) = (new IptablesRuleset(), [], 0);
            }

            IEnumerable<ServiceName> names = changes.Full ? state.Services : changes.Services;
            (var wanted, var ports) = Compile(names);
            IptablesRestore restore = _ruleset.Update(wanted, _options, observed);
            if (restore.Text is { } text)
            {
                // Once begun it is carried through: half an input would leave one table without the other.
                await iptables.RestoreAsync(text + (observed is null ? "" : CanaryChains(observed)), CancellationToken.None);
            }

            _ruleset.Commit();
            foreach ((ServiceName name, ImmutableArray<ServicePortName> of) in ports)
            {
                _programmed[name] = of;
            }

            _lastFull = changes.Full ? time.GetTimestamp() : _lastFull;
            Passed?.Invoke(new ProxyPass(changes.Full, true, restore.FilterRules, restore.NatRules, time.GetElapsedTime(start)));
            LogPassed(changes.Full, wanted.Count, restore.FilterRules, restore.NatRules, (long)time.GetElapsedTime(start).TotalMilliseconds);
            return true;
        }
        catch (IptablesException e)
        {
            state.RequestFull();
            LogFailed(state.Family, e.Message);
            Passed?.Invoke(new ProxyPass(changes.Full, false, 0, 0, time.GetElapsedTime(start)) { Error = e.Message });
            return false;
        }
    }

    /// <summary>True where somebody flushed our chains since the last pass; a full pass is then asked for.</summary>
    public async Task<bool> CheckCanaryAsync(CancellationToken cancellationToken)
    {
        bool? canary = await iptables.HasChainAsync("mangle", Canary, cancellationToken);
        if (canary is null || (canary == true && !await IsEmptiedAsync(cancellationToken)))
        {
            return false;
        }

        if (canary == false)
        {
            await WaitForEndOfFlushAsync(cancellationToken);
        }

        LogFlushed(state.Family);
        state.RequestFull();
        return true;
    }

    /// <summary>True where rules were taken out and the chains, with the canary, left: as by "iptables -t nat -F".</summary>
    private async Task<bool> IsEmptiedAsync(CancellationToken cancellationToken)
    {
        IptablesOptions options = _options;
        foreach (JumpRule jump in IptablesStaticRules.Jumps(options).Where(j => (j.Table, j.From, j.Chain) is ("nat", "PREROUTING", _) or ("filter", "FORWARD", "KUBE-FORWARD")))
        {
            if (await iptables.RulesAsync(jump.Table, jump.From, first: false, cancellationToken) is { } rules && !rules.Contains($"-A {jump.From} {jump.Rule}\n", StringComparison.Ordinal))
            {
                return true;
            }
        }

        return IptablesStaticRules.NodePortDispatch(options).Any() && await iptables.RulesAsync("nat", "KUBE-SERVICES", first: true, cancellationToken) is { } services && !services.Contains("-A ", StringComparison.Ordinal);
    }

    /// <summary>A firewall that reloads flushes one table after the other; writing in between would be lost.</summary>
    private async Task WaitForEndOfFlushAsync(CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        foreach (string table in (string[])["nat", "filter"])
        {
            while (await iptables.HasChainAsync(table, Canary, cancellationToken) == true && time.GetElapsedTime(start) < FlushPatience)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), time, cancellationToken);
            }
        }
    }

    /// <summary>Asks for a full pass where one is due: the host's addresses changed, or the last one is an hour old.</summary>
    private void Refresh()
    {
        if (NodePortAddresses is { } current)
        {
            ImmutableArray<string>? now = current();
            bool same = now is { } n && _options.NodePortAddresses is { } b ? n.AsSpan().SequenceEqual(b.AsSpan()) : now is null && _options.NodePortAddresses is null;
            if (!same)
            {
                _options = _options with { NodePortAddresses = now };
                state.RequestFull();
            }
        }

        if (_lastFull is { } last && _endpoints <= LargeCluster && time.GetElapsedTime(last) > FullAtLeastEvery)
        {
            state.RequestFull();
        }
    }

    private (Dictionary<ServicePortName, CompiledServicePort> Wanted, List<(ServiceName, ImmutableArray<ServicePortName>)> Ports) Compile(IEnumerable<ServiceName> names)
    {
        Dictionary<ServicePortName, CompiledServicePort> wanted = [];
        List<(ServiceName, ImmutableArray<ServicePortName>)> ports = [];
        var inputs = names.Select(n => (Name: n, Ports: state.Of(n))).ToList();
        _endpoints = Math.Max(_endpoints, inputs.Sum(i => i.Ports.Sum(p => p.Endpoints.Length)));
        IptablesOptions withComments = _options with { EndpointComments = _endpoints <= LargeCluster };
        foreach ((ServiceName name, var of) in inputs)
        {
            foreach (ServicePortName gone in _programmed.GetValueOrDefault(name, []))
            {
                wanted[gone] = CompiledServicePort.Empty;
            }

            foreach ((ServicePort port, ImmutableArray<Endpoint> endpoints) in of)
            {
                CategorizedEndpoints chosen = EndpointCategorizer.Categorize(endpoints, port, node, state.Zone);
                wanted[port.Name] = IptablesServiceCompiler.Compile(port, chosen, withComments);
            }

            ports.Add((name, [.. of.Select(p => p.Port.Name)]));
        }

        return (wanted, ports);
    }

    /// <summary>Empty chains by which a flush is noticed.</summary>
    private static string CanaryChains(IptablesObserved observed) => string.Concat(
        ((string[])["mangle", "nat", "filter"]).Where(t => !observed.HasChain(t, Canary)).Select(t => $"*{t}\n:{Canary} - [0:0]\nCOMMIT\n"));

    [LoggerMessage(4100, LogLevel.Debug, "iptables pass done: full {Full}, {ServicePorts} service ports, {Filter} filter and {Nat} nat rules sent, {Milliseconds} ms")]
    private partial void LogPassed(bool full, int servicePorts, int filter, int nat, long milliseconds);

    [LoggerMessage(4101, LogLevel.Error, "{Family} rules could not be programmed, everything will be written again: {Error}")]
    private partial void LogFailed(IPFamily family, string error);

    [LoggerMessage(4102, LogLevel.Warning, "{Family} rules were flushed by somebody else, they are written again")]
    private partial void LogFlushed(IPFamily family);
}
