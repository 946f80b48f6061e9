using System.Collections.Immutable;
using System.Text;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Iptables;

/// <summary>What iptables-save shows of a family before a full pass.</summary>
/// <param name="Lines">The rules of filter and nat, by table, as printed.</param>
public sealed record IptablesObserved(ImmutableDictionary<string, ImmutableHashSet<string>> Lines)
{
    /// <summary>Nothing is there.</summary>
    public static IptablesObserved Nothing { get; } = new(ImmutableDictionary<string, ImmutableHashSet<string>>.Empty);

    /// <summary>Reads the output of iptables-save.</summary>
    public static IptablesObserved Parse(string saved)
    {
        var tables = new Dictionary<string, HashSet<string>>();
        HashSet<string> current = [];
        foreach (string line in saved.Split('\n'))
        {
            if (line.StartsWith('*'))
            {
                tables[line[1..]] = current = [];
            }
            else if (line.StartsWith(':') || line.StartsWith("-A ", StringComparison.Ordinal))
            {
                current.Add(line[0] == ':' ? line.Split(' ')[0] : line.TrimEnd());
            }
        }

        return new IptablesObserved(tables.ToImmutableDictionary(t => t.Key, t => t.Value.ToImmutableHashSet()));
    }

    /// <summary>True where a table has the chain.</summary>
    public bool HasChain(string table, string chain) => Lines.TryGetValue(table, out var lines) && lines.Contains(":" + chain);

    /// <summary>True where a chain has the rule, as printed.</summary>
    public bool HasRule(string table, string chain, string rule) => Lines.TryGetValue(table, out var lines) && lines.Contains($"-A {chain} {rule}");

    /// <summary>Chains of the nat table that were made for service ports or endpoints.</summary>
    public IEnumerable<string> ServiceChains => Lines.TryGetValue("nat", out var lines)
        ? lines.Where(l => l[0] == ':').Select(l => l[1..]).Where(c => ChainNames.Prefixes.Any(p => c.StartsWith(p, StringComparison.Ordinal)))
        : [];
}

/// <summary>What one pass sends to iptables-restore.</summary>
/// <param name="Text">The whole input; null where nothing is to be sent.</param>
/// <param name="FilterRules">Rules of the filter table in it.</param>
/// <param name="NatRules">Rules of the nat table in it.</param>
public sealed record IptablesRestore(string? Text, int FilterRules, int NatRules);

/// <summary>
/// The model of what is programmed: rules by service port. <see cref="Update"/> takes freshly compiled service ports and gives the
/// smallest input for iptables-restore; the model changes only with <see cref="Commit"/>, after the kernel took it.
/// </summary>
public sealed class IptablesRuleset
{
    private static readonly (TopChain Chain, string Table, string Name)[] Shared =
    [
        (TopChain.FilterServices, "filter", "KUBE-SERVICES"),
        (TopChain.FilterExternalServices, "filter", "KUBE-EXTERNAL-SERVICES"),
        (TopChain.FilterNodePorts, "filter", "KUBE-NODEPORTS"),
        (TopChain.FilterProxyFirewall, "filter", "KUBE-PROXY-FIREWALL"),
        (TopChain.NatServices, "nat", "KUBE-SERVICES"),
        (TopChain.NatNodePorts, "nat", "KUBE-NODEPORTS"),
    ];

    private readonly SortedDictionary<ServicePortName, CompiledServicePort> _ports = [];
    private IReadOnlyDictionary<ServicePortName, CompiledServicePort>? _uncommitted;

    /// <summary>Service ports programmed.</summary>
    public IEnumerable<ServicePortName> Ports => _ports.Keys;

    /// <summary>Rules the ruleset has in the nat table, and in the filter table without static ones.</summary>
    public (int Filter, int Nat) Count
    {
        get
        {
            int filter = 0, nat = 0;
            foreach (CompiledServicePort port in _ports.Values)
            {
                filter += port.Top.Count(t => t.Chain < TopChain.NatServices);
                nat += port.Top.Count(t => t.Chain >= TopChain.NatServices) + port.Chains.Sum(c => c.Rules.Length);
            }

            return (filter, nat);
        }
    }

    /// <summary>Service ports whose inside, and whose outside, traffic is dropped for want of a local endpoint.</summary>
    public (int Internal, int External) Dropped => (_ports.Values.Count(p => p.InternalDropped), _ports.Values.Count(p => p.ExternalDropped));

    /// <summary>Renders the step to the wanted rules of the given service ports; those not named stay as they are.</summary>
    /// <param name="wanted">Compiled service ports; <see cref="CompiledServicePort.Empty"/> for one that is gone.</param>
    /// <param name="options">For static rules.</param>
    /// <param name="observed">What is in the kernel, for a full pass: everything is then written and stale chains go. Null for a partial pass.</param>
    public IptablesRestore Update(
        IReadOnlyDictionary<ServicePortName, CompiledServicePort> wanted, IptablesOptions options, IptablesObserved? observed)
    {
        _uncommitted = wanted;
        bool full = observed is not null;
        var after = new SortedDictionary<ServicePortName, CompiledServicePort>(_ports);
        foreach ((ServicePortName name, CompiledServicePort port) in wanted)
        {
            after[name] = port;
        }

        HashSet<TopChain> dirty = full ? [.. Shared.Select(s => s.Chain)] : Dirty(wanted);
        (List<CompiledChain> write, List<string> remove) = Chains(wanted, full, after, observed);
        if (!full && dirty.Count == 0 && write.Count == 0 && remove.Count == 0)
        {
            return new IptablesRestore(null, 0, 0);
        }

        var text = new StringBuilder();
        int filter = Table(text, "filter", dirty, after, options, observed, [], []);
        int nat = Table(text, "nat", dirty, after, options, observed, write, remove);
        return new IptablesRestore(text.ToString(), filter, nat);
    }

    /// <summary>The kernel took the last update.</summary>
    public void Commit()
    {
        foreach ((ServicePortName name, CompiledServicePort port) in _uncommitted ?? new Dictionary<ServicePortName, CompiledServicePort>())
        {
            if (port.Top.IsEmpty && port.Chains.IsEmpty)
            {
                _ports.Remove(name);
            }
            else
            {
                _ports[name] = port;
            }
        }

        _uncommitted = null;
    }

    private HashSet<TopChain> Dirty(IReadOnlyDictionary<ServicePortName, CompiledServicePort> wanted)
    {
        var dirty = new HashSet<TopChain>();
        foreach ((ServicePortName name, CompiledServicePort port) in wanted)
        {
            ImmutableArray<TopRule> before = _ports.GetValueOrDefault(name, CompiledServicePort.Empty).Top;
            if (!before.AsSpan().SequenceEqual(port.Top.AsSpan()))
            {
                dirty.UnionWith(before.Except(port.Top).Concat(port.Top.Except(before)).Select(t => t.Chain));
            }
        }

        return dirty;
    }

    private (List<CompiledChain> Write, List<string> Remove) Chains(
        IReadOnlyDictionary<ServicePortName, CompiledServicePort> wanted, bool full, SortedDictionary<ServicePortName, CompiledServicePort> after, IptablesObserved? observed)
    {
        if (full)
        {
            List<CompiledChain> all = [.. after.Values.SelectMany(p => p.Chains)];
            var names = all.Select(c => c.Name).ToHashSet();
            return (all, [.. observed!.ServiceChains.Where(c => !names.Contains(c)).Order(StringComparer.Ordinal)]);
        }

        List<CompiledChain> write = [];
        List<string> remove = [];
        foreach ((ServicePortName name, CompiledServicePort port) in wanted)
        {
            Dictionary<string, CompiledChain> before = _ports.GetValueOrDefault(name, CompiledServicePort.Empty).Chains.ToDictionary(c => c.Name);
            write.AddRange(port.Chains.Where(c => !before.TryGetValue(c.Name, out CompiledChain? b) || !b.SameAs(c)));
            remove.AddRange(before.Keys.Except(port.Chains.Select(c => c.Name)));
        }

        return (write, remove);
    }

    private static int Table(
        StringBuilder text, string table, HashSet<TopChain> dirty, SortedDictionary<ServicePortName, CompiledServicePort> ports,
        IptablesOptions options, IptablesObserved? observed, List<CompiledChain> write, List<string> remove)
    {
        bool full = observed is not null;
        List<(TopChain Chain, string Table, string Name)> shared = [.. Shared.Where(s => s.Table == table && dirty.Contains(s.Chain))];
        if (!full && shared.Count == 0 && write.Count == 0 && remove.Count == 0)
        {
            return 0;
        }

        int rules = 0;
        void Rule(string chain, string rule)
        {
            text.Append("-A ").Append(chain).Append(' ').Append(rule).Append('\n');
            rules++;
        }

        text.Append('*').Append(table).Append('\n');
        foreach (string chain in shared.Select(s => s.Name).Concat(full ? StaticChains(table, options) : []).Concat(write.Select(c => c.Name)).Concat(remove))
        {
            text.Append(':').Append(chain).Append(" - [0:0]\n");
        }

        foreach ((TopChain top, _, string name) in shared)
        {
            foreach (TopRule rule in ports.Values.SelectMany(p => p.Top))
            {
                if (rule.Chain == top)
                {
                    Rule(name, rule.Rule);
                }
            }
        }

        foreach (CompiledChain chain in write)
        {
            foreach (string rule in chain.Rules)
            {
                Rule(chain.Name, rule);
            }
        }

        if (shared.Any(s => s.Chain == TopChain.NatServices))
        {
            foreach (string rule in IptablesStaticRules.NodePortDispatch(options))
            {
                Rule("KUBE-SERVICES", rule);
            }
        }

        if (full)
        {
            Static(table, options, observed!, Rule, text);
        }

        foreach (string chain in remove)
        {
            text.Append("-X ").Append(chain).Append('\n');
        }

        text.Append("COMMIT\n");
        return rules;
    }

    private static IEnumerable<string> StaticChains(string table, IptablesOptions options) => table == "nat"
        ? ["KUBE-POSTROUTING", "KUBE-MARK-MASQ"]
        : IptablesStaticRules.NeedsLocalnetFirewall(options) ? ["KUBE-FORWARD", "KUBE-FIREWALL"] : ["KUBE-FORWARD"];

    private static void Static(string table, IptablesOptions options, IptablesObserved observed, Action<string, string> rule, StringBuilder text)
    {
        foreach (string r in table == "nat" ? IptablesStaticRules.Postrouting(options) : IptablesStaticRules.Forward(options))
        {
            rule(table == "nat" ? "KUBE-POSTROUTING" : "KUBE-FORWARD", r);
        }

        if (table == "nat")
        {
            rule("KUBE-MARK-MASQ", IptablesStaticRules.MarkMasquerade(options));
        }
        else if (IptablesStaticRules.NeedsLocalnetFirewall(options))
        {
            rule("KUBE-FIREWALL", IptablesStaticRules.LocalnetFirewall);
        }

        foreach (JumpRule jump in IptablesStaticRules.Jumps(options).Where(j => j.Table == table))
        {
            if (!observed.HasRule(table, jump.From, jump.Rule))
            {
                text.Append("-I ").Append(jump.From).Append(" 1 ").Append(jump.Rule).Append('\n');
            }
        }
    }
}
