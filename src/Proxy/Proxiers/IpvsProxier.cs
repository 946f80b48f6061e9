using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using NodeAgent.Linux.Netlink;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Kernel.Ipvs;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Rulesets.Ipvs;
using NodeAgent.Proxy.Topology;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Proxiers;

/// <summary>
/// Programs one family in ipvs mode. Every pass, as upstream's, compares everything with what the kernel shows; rules of iptables are written
/// only where they differ. Source: pkg/proxy/ipvs/proxier.go.
/// </summary>
public sealed partial class IpvsProxier(
    ProxyState state, IpvsOptions options, IIpvsKernel kernel, IIptablesCommands iptables, string node, TimeProvider time, ILogger<IpvsProxier> logger) : IProxier
{
    private ImmutableArray<ChainRule> _written = [];
    private int _draining;

    /// <summary>Gives the addresses node ports answer on, of those the host has; all of them where this is null.</summary>
    public Func<IEnumerable<string>, ImmutableArray<string>>? NodePortAddresses { get; init; }

    /// <inheritdoc/>
    public IPFamily Family => state.Family;

    /// <inheritdoc/>
    public event Action<ProxyPass>? Passed;

    /// <inheritdoc/>
    public (int Internal, int External) Dropped { get; private set; }

    /// <summary>Real servers that wait for their connections to end: a pass a minute looks whether they may go.</summary>
    public int Draining => Volatile.Read(ref _draining);

    /// <inheritdoc/>
    public async Task<bool> SyncAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        long start = time.GetTimestamp();
        state.Take();
        try
        {
            (IpvsWanted wanted, IpvsPlan plan, IReadOnlyList<string> problems) = await OnThreadOfItsOwn(Prepare);
            await WriteRulesAsync(wanted);
            problems = [.. problems, .. await OnThreadOfItsOwn(() => kernel.Apply(plan.After))];
            Volatile.Write(ref _draining, plan.Draining);
            Dropped = wanted.NoLocal;
            if (problems.Count == 0)
            {
                Passed?.Invoke(new ProxyPass(true, true, Rules("filter"), Rules("nat"), time.GetElapsedTime(start)));
                LogPassed(state.Family, wanted.Servers.Count, plan.Before.Length + plan.After.Length, plan.Draining, (long)time.GetElapsedTime(start).TotalMilliseconds);
                return true;
            }

            return Failed(start, problems.Count == 1 ? problems[0] : $"{problems[0]} (and {problems.Count - 1} other problems)");
        }
        catch (Exception e) when (e is NetlinkException or IptablesException)
        {
            _written = [];
            return Failed(start, e.Message, restore: e is IptablesException);
        }
    }

    private bool Failed(long start, string error, bool restore = false)
    {
        state.RequestFull();
        LogFailed(state.Family, error);
        Passed?.Invoke(new ProxyPass(true, false, 0, 0, time.GetElapsedTime(start)) { Error = error, RestoreFailed = restore });
        return false;
    }

    private (IpvsWanted, IpvsPlan, IReadOnlyList<string>) Prepare()
    {
        IpvsObserved observed = kernel.Read();
        ImmutableArray<string> nodePorts = NodePortAddresses is { } select ? select(observed.NodeAddresses) : [.. observed.NodeAddresses];
        IpvsWanted wanted = IpvsCompiler.Compile(Inputs(), options, observed.NodeAddresses, nodePorts);
        IpvsPlan plan = IpvsPlanner.Plan(wanted, observed, options);
        return (wanted, plan, kernel.Apply(plan.Before));
    }

    private IEnumerable<IpvsInput> Inputs() =>
        from name in state.Services
        from port in state.Of(name)
        orderby port.Port.Name
        select new IpvsInput(port.Port, port.Endpoints, EndpointCategorizer.Categorize(port.Endpoints, port.Port, node, state.Zone));

    /// <summary>Once begun it is carried through: half an input would leave one table without the other.</summary>
    private async Task WriteRulesAsync(IpvsWanted wanted)
    {
        ImmutableArray<ChainRule> rules = IpvsRules.Rules(wanted.Filled, wanted.NodeRefusals, options);
        IptablesObserved observed = IptablesObserved.Parse(await iptables.SaveAsync(null, CancellationToken.None));
        if (!rules.AsSpan().SequenceEqual(_written.AsSpan()) || !IpvsRules.AreIn(observed, rules))
        {
            await iptables.RestoreAsync(IpvsRules.Render(rules, observed), CancellationToken.None);
            _written = rules;
        }
    }

    private int Rules(string table) => _written.Count(r => r.Table == table);

    // The kernel works while we call.
    private static Task<T> OnThreadOfItsOwn<T>(Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    [LoggerMessage(4180, LogLevel.Debug, "ipvs pass done: {Family}, {Servers} virtual servers, {Steps} steps, {Draining} real servers are draining, {Milliseconds} ms")]
    private partial void LogPassed(IPFamily family, int servers, int steps, int draining, long milliseconds);

    [LoggerMessage(4181, LogLevel.Error, "{Family} services could not be programmed, everything will be compared again: {Error}")]
    private partial void LogFailed(IPFamily family, string error);
}
