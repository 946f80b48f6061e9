using System.Collections.Immutable;
using System.Globalization;
using NodeAgent.Proxy.Topology;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Iptables;

/// <summary>Rules of one service port. Pure. Source: pkg/proxy/iptables/proxier.go (syncProxyRules).</summary>
public static class IptablesServiceCompiler
{
    private const string MarkMasq = "KUBE-MARK-MASQ";

    /// <summary>Compiles a service port with the endpoints this node uses.</summary>
    public static CompiledServicePort Compile(ServicePort port, CategorizedEndpoints endpoints, IptablesOptions options)
    {
        var c = new Compilation(port, endpoints, options);
        c.Destinations();
        c.InternalChain();
        c.ExternalChain();
        c.FirewallChain();
        c.LoadBalancing();
        return new CompiledServicePort([.. c.Top], [.. c.Chains])
        {
            InternalDropped = endpoints.HasAny && port.InternalLocal && endpoints.Local.IsEmpty,
            ExternalDropped = endpoints.HasAny && port.ExternalLocal && port.ExternallyAccessible && endpoints.Local.IsEmpty,
        };
    }

    private sealed class Compilation(ServicePort port, CategorizedEndpoints endpoints, IptablesOptions options)
    {
        private readonly string _name = port.Name.ToString();
        private readonly string _match = $"-m {port.Name.Protocol} -p {port.Name.Protocol}";
        private readonly string _cluster = ChainNames.Cluster(port.Name);
        private readonly string _local = ChainNames.Local(port.Name);
        private readonly string _external = ChainNames.External(port.Name);
        private readonly string _firewall = ChainNames.Firewall(port.Name);
        private readonly bool _hasInternal = endpoints.HasAny && !(port.InternalLocal && endpoints.Local.IsEmpty);
        private readonly bool _hasExternal = endpoints.HasAny && !(port.ExternalLocal && endpoints.Local.IsEmpty);

        private readonly bool _sticky = port.StickySeconds > 0 && options.Recent;

        // Affinity remembers endpoints by their chains.
        private readonly bool _direct = options.DirectEndpoints && !(port.StickySeconds > 0 && options.Recent);

        public List<TopRule> Top { get; } = [];

        public List<CompiledChain> Chains { get; } = [];

        private bool ExternalExists => endpoints.HasAny && port.ExternallyAccessible;

        private bool FirewallExists => endpoints.HasAny && port.LoadBalancerVips.Length > 0 && port.SourceRanges.Length > 0;

        private string InternalTarget => port.InternalLocal ? _local : _cluster;

        private (string Comment, string Target) Refusal => endpoints.HasAny
            ? ($"\"{_name} has no local endpoints\"", "DROP")
            : ($"\"{_name} has no endpoints\"", "REJECT");

        public void Destinations()
        {
            (string refusal, string target) = Refusal;
            Add(_hasInternal
                ? new TopRule(TopChain.NatServices, $"-m comment --comment \"{_name} cluster IP\" {_match} {To(port.ClusterIP)} -j {InternalTarget}")
                : new TopRule(TopChain.FilterServices, $"-m comment --comment {refusal} {_match} {To(port.ClusterIP)} -j {target}"));
            foreach (string ip in port.ExternalIPs)
            {
                ExternalAddress(ip, "external IP", _external);
            }

            foreach (string vip in port.LoadBalancerVips)
            {
                ExternalAddress(vip, "loadbalancer IP", FirewallExists ? _firewall : _external);
                if (FirewallExists)
                {
                    Add(new TopRule(TopChain.FilterProxyFirewall, $"-m comment --comment \"{_name} traffic not accepted by {_firewall}\" {_match} {To(vip)} -j DROP"));
                }
            }

            NodePort();
        }

        private void ExternalAddress(string ip, string kind, string chain)
        {
            (string refusal, string target) = Refusal;
            if (endpoints.HasAny)
            {
                Add(new TopRule(TopChain.NatServices, $"-m comment --comment \"{_name} {kind}\" {_match} {To(ip)} -j {chain}"));
            }

            if (!_hasExternal)
            {
                Add(new TopRule(TopChain.FilterExternalServices, $"-m comment --comment {refusal} {_match} {To(ip)} -j {target}"));
            }
        }

        private void NodePort()
        {
            (string refusal, string target) = Refusal;
            if (port.NodePort != 0 && endpoints.HasAny)
            {
                if (options is { CountPackets: true, LocalhostNodePorts: true, Family: IPFamily.IPv4 })
                {
                    Add(new TopRule(TopChain.NatNodePorts,
                        $"-m comment --comment {_name} {_match} -d 127.0.0.0/8 --dport {port.NodePort} -m nfacct --nfacct-name localhost_nps_accepted_pkts -j {_external}"));
                }

                Add(new TopRule(TopChain.NatNodePorts, $"-m comment --comment {_name} {_match} --dport {port.NodePort} -j {_external}"));
            }

            if (port.NodePort != 0 && !_hasExternal)
            {
                Add(new TopRule(TopChain.FilterExternalServices,
                    $"-m comment --comment {refusal} -m addrtype --dst-type LOCAL {_match} --dport {port.NodePort} -j {target}"));
            }

            if (port.HealthCheckNodePort != 0)
            {
                Add(new TopRule(TopChain.FilterNodePorts,
                    $"-m comment --comment \"{_name} health check node port\" -m tcp -p tcp --dport {port.HealthCheckNodePort} -j ACCEPT"));
            }
        }

        private string To(string ip) => $"-d {ip} --dport {port.Port}";

        private void Add(TopRule rule) => Top.Add(rule);

        private readonly List<string> _internalRules = [];

        public void InternalChain()
        {
            if (!_hasInternal)
            {
                return;
            }

            string match = $"-m comment --comment \"{_name} cluster IP\" {_match} {To(port.ClusterIP)}";
            if (options.MasqueradeAll)
            {
                _internalRules.Add($"{match} -j {MarkMasq}");
            }
            else if (options.LocalTraffic.IsImplemented)
            {
                _internalRules.Add($"{match} {options.LocalTraffic.IfNotLocal} -j {MarkMasq}");
            }
        }

        public void ExternalChain()
        {
            if (!ExternalExists)
            {
                return;
            }

            var rules = new List<string>();
            if (!port.ExternalLocal)
            {
                rules.Add($"-m comment --comment \"masquerade traffic for {_name} external destinations\" -j {MarkMasq}");
            }
            else
            {
                if (options.LocalTraffic.IsImplemented)
                {
                    rules.Add($"-m comment --comment \"pod traffic for {_name} external destinations\" {options.LocalTraffic.IfLocal} -j {_cluster}");
                }

                rules.Add($"-m comment --comment \"masquerade LOCAL traffic for {_name} external destinations\" -m addrtype --src-type LOCAL -j {MarkMasq}");
                rules.Add($"-m comment --comment \"route LOCAL traffic for {_name} external destinations\" -m addrtype --src-type LOCAL -j {_cluster}");
            }

            if (_hasExternal)
            {
                rules.Add($"-j {(port.ExternalLocal ? _local : _cluster)}");
            }

            Chains.Add(new CompiledChain(_external, [.. rules]));
        }

        public void FirewallChain()
        {
            if (!FirewallExists)
            {
                return;
            }

            var rules = new List<string>();
            bool nodeAllowed = false;
            foreach (string range in port.SourceRanges)
            {
                rules.Add($"-m comment --comment \"{_name} loadbalancer IP\" -s {range} -j {_external}");
                nodeAllowed |= options.NodeIP.Length > 0 && Contains(range, options.NodeIP);
            }

            if (nodeAllowed)
            {
                // A node that talks to the address from itself does so with the address as source.
                rules.AddRange(port.LoadBalancerVips.Select(vip => $"-m comment --comment \"{_name} loadbalancer IP\" -s {vip} -j {_external}"));
            }

            rules.Add($"-m comment --comment \"other traffic to {_name} will be dropped by KUBE-PROXY-FIREWALL\"");
            Chains.Add(new CompiledChain(_firewall, [.. rules]));
        }

        private static bool Contains(string range, string ip)
        {
            string[] parts = range.Split('/');
            byte[] network = System.Net.IPAddress.Parse(parts[0]).GetAddressBytes(), address = System.Net.IPAddress.Parse(ip).GetAddressBytes();
            int bits = int.Parse(parts[1], CultureInfo.InvariantCulture);
            if (network.Length != address.Length)
            {
                return false;
            }

            for (int i = 0; i < bits; i++)
            {
                if (((network[i / 8] ^ address[i / 8]) >> (7 - (i % 8)) & 1) != 0)
                {
                    return false;
                }
            }

            return true;
        }

        public void LoadBalancing()
        {
            if (port.UsesClusterEndpoints && !endpoints.Cluster.IsEmpty)
            {
                Balance(_cluster, endpoints.Cluster, port.InternalLocal ? [] : _internalRules);
            }

            if (port.UsesLocalEndpoints && !endpoints.Local.IsEmpty)
            {
                Balance(_local, endpoints.Local, port.InternalLocal ? _internalRules : []);
            }

            foreach (Endpoint endpoint in _direct ? [] : endpoints.Reachable)
            {
                string comment = options.EndpointComments ? $"-m comment --comment {_name} " : "";
                string recent = _sticky ? $"-m recent --name {ChainNames.Endpoint(port.Name, endpoint.Key)} --set " : "";
                Chains.Add(new CompiledChain(ChainNames.Endpoint(port.Name, endpoint.Key),
                [
                    $"{comment}-s {endpoint.Address} -j {MarkMasq}",
                    $"{comment}{recent}{_match} -j DNAT --to-destination {endpoint.Key}",
                ]));
            }
        }

        private void Balance(string chain, ImmutableArray<Endpoint> targets, List<string> first)
        {
            var rules = new List<string>(first);
            var chains = targets.Select(t => (Chain: _direct ? "" : ChainNames.Endpoint(port.Name, t.Key), To: t.Key,
                Comment: options.EndpointComments ? $"-m comment --comment \"{_name} -> {t.Key}\" " : "")).ToList();
            if (_sticky)
            {
                rules.AddRange(chains.Select(t => $"{t.Comment}-m recent --name {t.Chain} --rcheck --seconds {port.StickySeconds} --reap -j {t.Chain}"));
            }

            for (int i = 0; i < chains.Count; i++)
            {
                int left = chains.Count - i;
                string share = left > 1 ? $"-m statistic --mode random --probability {Probability(left)} " : "";
                rules.Add($"{chains[i].Comment}{share}" + (_direct ? $"{_match} -j DNAT --to-destination {chains[i].To}" : $"-j {chains[i].Chain}"));
            }

            Chains.Add(new CompiledChain(chain, [.. rules]));
        }

        private static string Probability(int n) => (1.0 / n).ToString("F10", CultureInfo.InvariantCulture);
    }
}
