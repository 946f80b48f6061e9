using System.Collections.Immutable;
using System.Text;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Ipvs;

/// <summary>A rule of ours.</summary>
/// <param name="Table">nat or filter.</param>
/// <param name="Chain">Chain.</param>
/// <param name="Rule">The rule behind "-A CHAIN ".</param>
public readonly record struct ChainRule(string Table, string Chain, string Rule);

/// <summary>
/// The iptables rules around the sets. They name sets, not services, so that they change only when a set fills or empties. Pure.
/// Source: pkg/proxy/ipvs/proxier.go (writeIptablesRules).
/// </summary>
public static class IpvsRules
{
    private const string Nat = "nat", Filter = "filter";
    private const string MarkMasq = "KUBE-MARK-MASQ";

    /// <summary>Our chains.</summary>
    internal static readonly ImmutableArray<(string Table, string Name)> Chains =
    [
        (Nat, "KUBE-SERVICES"), (Nat, "KUBE-POSTROUTING"), (Nat, "KUBE-NODE-PORT"), (Nat, "KUBE-LOAD-BALANCER"), (Nat, MarkMasq),
        (Filter, "KUBE-FORWARD"), (Filter, "KUBE-NODE-PORT"), (Filter, "KUBE-PROXY-FIREWALL"), (Filter, "KUBE-SOURCE-RANGES-FIREWALL"),
        (Filter, "KUBE-IPVS-FILTER"), (Filter, "KUBE-IPVS-OUT-FILTER"),
    ];

    /// <summary>Jumps in the order in which they are inserted at the top.</summary>
    internal static readonly ImmutableArray<JumpRule> Jumps =
    [
        Jump(Nat, "OUTPUT", "kubernetes service portals", "KUBE-SERVICES"),
        Jump(Nat, "PREROUTING", "kubernetes service portals", "KUBE-SERVICES"),
        Jump(Nat, "POSTROUTING", "kubernetes postrouting rules", "KUBE-POSTROUTING"),
        Jump(Filter, "FORWARD", "kubernetes forwarding rules", "KUBE-FORWARD"),
        Jump(Filter, "INPUT", "kubernetes health check rules", "KUBE-NODE-PORT"),
        Jump(Filter, "INPUT", "kube-proxy firewall rules", "KUBE-PROXY-FIREWALL"),
        Jump(Filter, "FORWARD", "kube-proxy firewall rules", "KUBE-PROXY-FIREWALL"),
        Jump(Filter, "INPUT", "kubernetes ipvs access filter", "KUBE-IPVS-FILTER"),
        Jump(Filter, "OUTPUT", "kubernetes ipvs access filter", "KUBE-IPVS-OUT-FILTER"),
    ];

    // Where a set's comment goes with its rule: one set, one rule, which is there while the set has entries.
    private static readonly (string Set, string Table, string Chain, string Match, string To, string Protocol)[] Simple =
    [
        (IpvsSets.LoopBack, Nat, "KUBE-POSTROUTING", "dst,dst,src", "MASQUERADE", ""),
        (IpvsSets.LoadBalancer, Nat, "KUBE-SERVICES", "dst,dst", "KUBE-LOAD-BALANCER", ""),
        (IpvsSets.LoadBalancerLocal, Nat, "KUBE-LOAD-BALANCER", "dst,dst", "RETURN", ""),
        (IpvsSets.NodePortLocalTcp, Nat, "KUBE-NODE-PORT", "dst", "RETURN", "tcp"),
        (IpvsSets.NodePortTcp, Nat, "KUBE-NODE-PORT", "dst", MarkMasq, "tcp"),
        (IpvsSets.NodePortLocalUdp, Nat, "KUBE-NODE-PORT", "dst", "RETURN", "udp"),
        (IpvsSets.NodePortUdp, Nat, "KUBE-NODE-PORT", "dst", MarkMasq, "udp"),
        (IpvsSets.NodePortLocalSctp, Nat, "KUBE-NODE-PORT", "dst,dst", "RETURN", "sctp"),
        (IpvsSets.NodePortSctp, Nat, "KUBE-NODE-PORT", "dst,dst", MarkMasq, "sctp"),
        (IpvsSets.LoadBalancerFirewall, Filter, "KUBE-PROXY-FIREWALL", "dst,dst", "KUBE-SOURCE-RANGES-FIREWALL", ""),
        (IpvsSets.LoadBalancerSourceCidr, Filter, "KUBE-SOURCE-RANGES-FIREWALL", "dst,dst,src", "RETURN", ""),
        (IpvsSets.LoadBalancerSourceIP, Filter, "KUBE-SOURCE-RANGES-FIREWALL", "dst,dst,src", "RETURN", ""),
    ];

    /// <summary>All rules, in the order in which they are written.</summary>
    /// <param name="filled">Sets with entries.</param>
    /// <param name="refusals">Addresses that this node itself may not use.</param>
    /// <param name="options">Options.</param>
    public static ImmutableArray<ChainRule> Rules(IReadOnlySet<string> filled, IEnumerable<NodeRefusal> refusals, IpvsOptions options)
    {
        var iptables = new IptablesOptions { Family = options.Family, MasqueradeMark = options.MasqueradeMark, RandomFully = options.RandomFully, DropInvalid = false };
        return
        [
            new(Nat, "KUBE-SERVICES", options.Family == IPFamily.IPv4 ? "-s 127.0.0.0/8 -j RETURN" : "-s ::1/128 -j RETURN"),
            .. Simple.Where(s => filled.Contains(s.Set)).Select(s => new ChainRule(
                s.Table, s.Chain, $"{(s.Protocol.Length > 0 ? $"-p {s.Protocol} " : "")}{Commented(s.Set, options.Family)} {s.Match} -j {s.To}")),
            .. ServiceRules(filled, options).Select(r => new ChainRule(Nat, "KUBE-SERVICES", r)),
            new(Nat, "KUBE-LOAD-BALANCER", $"-j {MarkMasq}"),
            new(Filter, "KUBE-SOURCE-RANGES-FIREWALL", "-j DROP"),
            .. refusals.Select(r => new ChainRule(
                Filter, "KUBE-IPVS-OUT-FILTER", $"-s {r.Address} -m ipvs --vaddr {r.Address} --vproto {r.Protocol} --vport {r.Port} -j DROP")),
            .. IptablesStaticRules.Forward(iptables).Select(r => new ChainRule(Filter, "KUBE-FORWARD", r)),
            new(Filter, "KUBE-NODE-PORT", $"{Commented(IpvsSets.HealthCheckNodePort, options.Family)} dst -j ACCEPT"),
            .. AccessRules(options.Family).Select(r => new ChainRule(Filter, "KUBE-IPVS-FILTER", r)),
            .. IptablesStaticRules.Postrouting(iptables).Select(r => new ChainRule(Nat, "KUBE-POSTROUTING", r)),
            new(Nat, MarkMasq, IptablesStaticRules.MarkMasquerade(iptables)),
        ];
    }

    /// <summary>The input for iptables-restore that makes the rules, and the jumps that are not there.</summary>
    public static string Render(ImmutableArray<ChainRule> rules, IptablesObserved observed)
    {
        var text = new StringBuilder();
        foreach (string table in (string[])[Nat, Filter])
        {
            text.Append('*').Append(table).Append('\n');
            foreach ((_, string name) in Chains.Where(c => c.Table == table))
            {
                text.Append(':').Append(name).Append(" - [0:0]\n");
            }

            foreach (ChainRule rule in rules.Where(r => r.Table == table))
            {
                text.Append("-A ").Append(rule.Chain).Append(' ').Append(rule.Rule).Append('\n');
            }

            foreach (JumpRule jump in Jumps.Where(j => j.Table == table && !observed.HasRule(table, j.From, j.Rule)))
            {
                text.Append("-I ").Append(jump.From).Append(" 1 ").Append(jump.Rule).Append('\n');
            }

            text.Append("COMMIT\n");
        }

        return text.ToString();
    }

    /// <summary>
    /// True where every chain has as many rules as were written and every jump is there. Rules are printed differently than written, so their
    /// number is looked at alone: it shows a flush, and what somebody added or took.
    /// </summary>
    public static bool AreIn(IptablesObserved observed, ImmutableArray<ChainRule> rules) =>
        Jumps.All(j => observed.HasRule(j.Table, j.From, j.Rule))
        && Chains.All(c => observed.HasChain(c.Table, c.Name) && Count(observed, c.Table, c.Name) == rules.Count(r => r.Table == c.Table && r.Chain == c.Name));

    private static int Count(IptablesObserved observed, string table, string chain) =>
        observed.Lines[table].Count(l => l.StartsWith($"-A {chain} ", StringComparison.Ordinal));

    private static IEnumerable<string> ServiceRules(IReadOnlySet<string> filled, IpvsOptions options)
    {
        if (filled.Contains(IpvsSets.ClusterIP))
        {
            string set = Commented(IpvsSets.ClusterIP, options.Family);
            // The node's own traffic to a cluster IP has a cluster IP for its source too, since all of them are on a link of the node.
            yield return options.MasqueradeAll ? $"{set} dst,dst -j {MarkMasq}"
                : options.LocalTraffic.IsImplemented ? $"{set} dst,dst {options.LocalTraffic.IfNotLocal} -j {MarkMasq}"
                : $"{set} src,dst -j {MarkMasq}";
        }

        foreach (string name in (string[])[IpvsSets.ExternalIP, IpvsSets.ExternalIPLocal])
        {
            if (!filled.Contains(name))
            {
                continue;
            }

            string set = $"{Commented(name, options.Family)} dst,dst";
            if (name == IpvsSets.ExternalIP)
            {
                yield return $"{set} -j {MarkMasq}";
            }

            yield return $"{set} -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT";
            yield return $"{set} -m addrtype --dst-type LOCAL -j ACCEPT";
        }

        yield return "-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT";
        foreach (string name in (string[])[IpvsSets.ClusterIP, IpvsSets.LoadBalancer])
        {
            if (filled.Contains(name))
            {
                yield return $"{Match(name, options.Family)} dst,dst -j ACCEPT";
            }
        }
    }

    /// <summary>What is on our link is reached at service ports alone: the node's own ports do not answer there.</summary>
    private static IEnumerable<string> AccessRules(IPFamily family) =>
    [
        $"{Match(IpvsSets.LoadBalancer, family)} dst,dst -j RETURN",
        $"{Match(IpvsSets.ClusterIP, family)} dst,dst -j RETURN",
        $"{Match(IpvsSets.ExternalIP, family)} dst,dst -j RETURN",
        $"{Match(IpvsSets.ExternalIPLocal, family)} dst,dst -j RETURN",
        $"{Match(IpvsSets.HealthCheckNodePort, family)} dst -j RETURN",
        $"-m conntrack --ctstate NEW {Match(IpvsSets.Addresses, family)} dst -j REJECT",
    ];

    private static string Match(string set, IPFamily family) => $"-m set --match-set {IpvsSets.NameIn(family, set)}";

    private static string Commented(string set, IPFamily family) => $"-m comment --comment \"{IpvsSets.Of(set).Comment}\" {Match(set, family)}";

    private static JumpRule Jump(string table, string from, string comment, string to) => new(table, from, $"-m comment --comment \"{comment}\" -j {to}");
}
