using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Iptables;

/// <summary>A jump from a built-in chain into one of ours.</summary>
/// <param name="Table">filter or nat.</param>
/// <param name="From">Built-in chain.</param>
/// <param name="Rule">The rule as iptables-save prints it behind "-A CHAIN ".</param>
public sealed record JumpRule(string Table, string From, string Rule)
{
    /// <summary>The chain jumped to.</summary>
    public string Chain => Rule[(Rule.LastIndexOf(' ') + 1)..];
}

/// <summary>What is there besides the services' rules. Pure. Source: pkg/proxy/iptables/proxier.go.</summary>
public static class IptablesStaticRules
{
    private const string New = "-m conntrack --ctstate NEW ";

    /// <summary>Jumps in the order in which they are inserted at the top.</summary>
    public static IReadOnlyList<JumpRule> Jumps(IptablesOptions options)
    {
        List<JumpRule> jumps =
        [
            Jump("filter", "INPUT", New, "kubernetes externally-visible service portals", "KUBE-EXTERNAL-SERVICES"),
            Jump("filter", "FORWARD", New, "kubernetes externally-visible service portals", "KUBE-EXTERNAL-SERVICES"),
            Jump("filter", "INPUT", "", "kubernetes health check service ports", "KUBE-NODEPORTS"),
            Jump("filter", "FORWARD", New, "kubernetes service portals", "KUBE-SERVICES"),
            Jump("filter", "OUTPUT", New, "kubernetes service portals", "KUBE-SERVICES"),
            Jump("filter", "FORWARD", "", "kubernetes forwarding rules", "KUBE-FORWARD"),
            Jump("filter", "INPUT", New, "kubernetes load balancer firewall", "KUBE-PROXY-FIREWALL"),
            Jump("filter", "OUTPUT", New, "kubernetes load balancer firewall", "KUBE-PROXY-FIREWALL"),
            Jump("filter", "FORWARD", New, "kubernetes load balancer firewall", "KUBE-PROXY-FIREWALL"),
            Jump("nat", "OUTPUT", "", "kubernetes service portals", "KUBE-SERVICES"),
            Jump("nat", "PREROUTING", "", "kubernetes service portals", "KUBE-SERVICES"),
            Jump("nat", "POSTROUTING", "", "kubernetes postrouting rules", "KUBE-POSTROUTING"),
        ];
        if (NeedsLocalnetFirewall(options))
        {
            jumps.Add(new JumpRule("filter", "INPUT", "-j KUBE-FIREWALL"));
            jumps.Add(new JumpRule("filter", "OUTPUT", "-j KUBE-FIREWALL"));
        }

        return jumps;
    }

    private static JumpRule Jump(string table, string from, string match, string comment, string to) =>
        new(table, from, $"{match}-m comment --comment \"{comment}\" -j {to}");

    /// <summary>Node ports on loopback open 127.0.0.0/8 to routing: nobody outside may use that.</summary>
    public static bool NeedsLocalnetFirewall(IptablesOptions options) => options is { Family: IPFamily.IPv4, LocalhostNodePorts: true };

    /// <summary>The rule of KUBE-FIREWALL, shared with the kubelet half.</summary>
    public const string LocalnetFirewall =
        "-m comment --comment \"block incoming localnet connections\" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP";

    /// <summary>KUBE-FORWARD.</summary>
    public static IEnumerable<string> Forward(IptablesOptions options)
    {
        if (options.DropInvalid)
        {
            yield return options.CountPackets ? "-m conntrack --ctstate INVALID -m nfacct --nfacct-name ct_state_invalid_dropped_pkts -j DROP" : "-m conntrack --ctstate INVALID -j DROP";
        }

        yield return $"-m comment --comment \"kubernetes forwarding rules\" -m mark --mark {options.Mark}/{options.Mark} -j ACCEPT";
        yield return "-m comment --comment \"kubernetes forwarding conntrack rule\" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT";
    }

    /// <summary>KUBE-POSTROUTING: masquerades what is marked and takes the mark away, so that an encapsulated packet is not done twice.</summary>
    public static IEnumerable<string> Postrouting(IptablesOptions options)
    {
        string masquerade = "-j MASQUERADE" + (options.RandomFully ? " --random-fully" : "");
        if (options.DirectEndpoints)
        {
            yield return $"-m comment --comment \"kubernetes service traffic back to its sender\" -m mark ! --mark {options.Mark}/{options.Mark} -m conntrack --ctstate DNAT {Hairpin.Match(options.Family)} {masquerade}";
        }

        yield return $"-m mark ! --mark {options.Mark}/{options.Mark} -j RETURN";
        yield return $"-j MARK --xor-mark {options.Mark}";
        yield return $"-m comment --comment \"kubernetes service traffic requiring SNAT\" {masquerade}";
    }

    /// <summary>KUBE-MARK-MASQ.</summary>
    public static string MarkMasquerade(IptablesOptions options) => $"-j MARK --or-mark {options.Mark}";

    /// <summary>The end of nat KUBE-SERVICES.</summary>
    public static IEnumerable<string> NodePortDispatch(IptablesOptions options)
    {
        const string comment = "-m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in this chain\"";
        if (options.NodePortAddresses is { } addresses)
        {
            foreach (string ip in addresses)
            {
                bool loopback = System.Net.IPAddress.IsLoopback(System.Net.IPAddress.Parse(ip));
                if (!loopback || (options.Family == IPFamily.IPv4 && options.LocalhostNodePorts))
                {
                    yield return $"{comment} -d {ip} -j KUBE-NODEPORTS";
                }
            }

            yield break;
        }

        yield return options.Family == IPFamily.IPv6 ? $"{comment} -m addrtype --dst-type LOCAL ! -d ::1/128 -j KUBE-NODEPORTS"
            : options.LocalhostNodePorts ? $"{comment} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"
            : $"{comment} -m addrtype --dst-type LOCAL ! -d 127.0.0.0/8 -j KUBE-NODEPORTS";
    }
}
