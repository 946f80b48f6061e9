using System.Collections.Immutable;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Nftables;

/// <summary>One run of <see cref="NftServiceCompiler"/>.</summary>
internal sealed class NftServiceCompilation(NftServiceInput input, NftOptions options)
{
    private readonly ServicePort _port = input.Port;
    private readonly List<NftElement> _elements = [];
    private readonly List<NftChain> _chains = [];
    private readonly List<NftAffinitySet> _affinity = [];
    private readonly HashSet<(NftTranslation, int)> _translations = [];
    private readonly string _name = input.Port.Name.ToString();

    private bool Sticky => _port.StickySeconds > 0;

    private bool HasInternal => input.HasAny && !(_port.InternalLocal && input.Local.IsEmpty);

    private bool HasExternal => input.HasAny && !(_port.ExternalLocal && input.Local.IsEmpty);

    /// <summary>External traffic goes through a chain of its own.</summary>
    private bool OwnExternalChain => input.HasAny && _port.ExternallyAccessible && (_port.ExternalLocal || Sticky);

    public CompiledNftService Result() => new([.. _elements], [.. _chains], [.. _affinity], [.. _translations]);

    public void ClusterIP()
    {
        _elements.Add(new NftElement(NftContainer.ClusterIPs, NftKey.Address(_port.ClusterIP), NftValue.None));
        NftKey key = NftKey.Destination(_port.ClusterIP, _port.Name.Protocol, _port.Port);
        if (IsLost(key))
        {
            return;
        }

        if (!HasInternal)
        {
            Refuse(NftContainer.NoEndpointServices, key);
        }
        else if (Sticky)
        {
            Dispatch(NftContainer.ServiceIPs, key, _port.InternalLocal ? NftNames.Local(_port.Name) : NftNames.Cluster(_port.Name));
        }
        else
        {
            Translate(NftTranslation.Service, key, _port.InternalLocal ? input.Local : input.Cluster);
        }
    }

    public void ExternalIPs()
    {
        foreach (string ip in NftServiceCompiler.Externals(_port))
        {
            NftKey key = NftKey.Destination(ip, _port.Name.Protocol, _port.Port);
            if (!IsLost(key))
            {
                External(NftTranslation.External, key);
                if (_port.LoadBalancerVips.Contains(ip) && _port.SourceRanges.Length > 0)
                {
                    _elements.Add(new NftElement(NftContainer.FirewallIPs, key, NftValue.Goto(NftNames.Firewall(_port.Name)), _name));
                }
            }
        }
    }

    public void NodePort()
    {
        if (_port.NodePort != 0 && NftKey.NodePort(_port.Name.Protocol, _port.NodePort) is var key && !IsLost(key))
        {
            External(NftTranslation.NodePort, key);
        }
    }

    public void Hairpins()
    {
        foreach (NftEndpoint endpoint in input.Here)
        {
            _elements.Add(new NftElement(NftContainer.Hairpins, NftKey.Hairpin(endpoint, _port.Name.Protocol), NftValue.None));
        }
    }

    public void ExternalChain()
    {
        if (!OwnExternalChain)
        {
            return;
        }

        string cluster = NftNames.Cluster(_port.Name);
        var rules = ImmutableArray.CreateBuilder<NftRule>();
        if (!_port.ExternalLocal)
        {
            rules.Add(new NftRule([new SetMark(options.MasqueradeMark)], "masquerade"));
            rules.Add(Goto(cluster));
            _chains.Add(new NftChain(NftNames.External(_port.Name), rules.ToImmutable()));
            return;
        }

        var fromHere = new MatchLocalAddress(Source: true);
        if (!input.Cluster.IsEmpty)
        {
            if (NftStaticRules.LocalTraffic(options.LocalTraffic, negated: false) is { } local)
            {
                rules.Add(new NftRule([local, new GotoChain(cluster, Return: false)], "short-circuit pod traffic"));
            }

            rules.Add(new NftRule([fromHere, new SetMark(options.MasqueradeMark)], "masquerade local traffic"));
            rules.Add(new NftRule([fromHere, new GotoChain(cluster, Return: false)], "short-circuit local traffic"));
        }

        if (HasExternal)
        {
            rules.Add(Goto(NftNames.Local(_port.Name)));
        }

        _chains.Add(new NftChain(NftNames.External(_port.Name), rules.ToImmutable()));
    }

    /// <summary>Chains that choose an endpoint, where something goes to them.</summary>
    public void Balancing()
    {
        if (!Sticky && !OwnExternalChain)
        {
            return;
        }

        HashSet<NftEndpoint> reachable = [];
        if (_port.UsesClusterEndpoints && !input.Cluster.IsEmpty)
        {
            Balance(NftNames.Cluster(_port.Name), input.Cluster, reachable);
        }

        if (_port.UsesLocalEndpoints && !input.Local.IsEmpty)
        {
            Balance(NftNames.Local(_port.Name), input.Local, reachable);
        }

        if (Sticky)
        {
            foreach (NftEndpoint endpoint in reachable.Order())
            {
                string set = NftNames.Affinity(_port.Name, endpoint);
                _affinity.Add(new NftAffinitySet(set, _port.StickySeconds));
                _chains.Add(new NftChain(NftNames.Endpoint(_port.Name, endpoint),
                [
                    new NftRule([new RememberSource(set)]),
                    new NftRule([new MatchProtocol(_port.Name.Protocol), new TranslateTo(endpoint)]),
                ]));
            }
        }
    }

    public void FirewallChain()
    {
        if (_port.LoadBalancerVips.IsEmpty || _port.SourceRanges.IsEmpty)
        {
            return;
        }

        // A node that talks to the address from itself does so with the address as source.
        bool nodeAllowed = options.NodeIP.Length > 0 && _port.SourceRanges.Any(r => Contains(r, options.NodeIP));
        ImmutableArray<string> allowed = nodeAllowed ? [.. _port.SourceRanges, .. _port.LoadBalancerVips] : _port.SourceRanges;
        _chains.Add(new NftChain(NftNames.Firewall(_port.Name), [new NftRule([NftStaticRules.Addresses(source: true, allowed, negated: true), new DropPacket()])]));
    }

    private void External(NftTranslation translation, NftKey key)
    {
        bool nodePort = translation == NftTranslation.NodePort;
        if (input.HasAny && OwnExternalChain)
        {
            Dispatch(nodePort ? NftContainer.ServiceNodePorts : NftContainer.ServiceIPs, key, NftNames.External(_port.Name));
        }
        else if (input.HasAny)
        {
            Translate(translation, key, input.Cluster);
        }

        if (!HasExternal)
        {
            Refuse(nodePort ? NftContainer.NoEndpointNodePorts : NftContainer.NoEndpointServices, key);
        }
    }

    private void Translate(NftTranslation translation, NftKey key, ImmutableArray<NftEndpoint> endpoints)
    {
        bool nodePort = translation == NftTranslation.NodePort;
        for (int slot = 0; slot < endpoints.Length; slot++)
        {
            _elements.Add(new NftElement(nodePort ? NftContainer.NodePortEndpoints : NftContainer.ServiceEndpoints, key.Slot(slot), NftValue.To(endpoints[slot])));
        }

        _translations.Add((translation, endpoints.Length));
        Dispatch(nodePort ? NftContainer.ServiceNodePorts : NftContainer.ServiceIPs, key, NftServiceCompiler.TranslationChain(translation, endpoints.Length));
    }

    private void Dispatch(NftContainer map, NftKey key, string chain) => _elements.Add(new NftElement(map, key, NftValue.Goto(chain), _name));

    private void Refuse(NftContainer map, NftKey key) =>
        _elements.Add(new NftElement(map, key, input.HasAny ? NftValue.Drop : NftValue.Goto(NftStaticRules.RejectChain), _name));

    private bool IsLost(NftKey key) => input.Lost?.Contains(key) == true;

    private void Balance(string chain, ImmutableArray<NftEndpoint> endpoints, HashSet<NftEndpoint> reachable)
    {
        reachable.UnionWith(endpoints);
        if (!Sticky)
        {
            _chains.Add(new NftChain(chain, [new NftRule([new MatchProtocol(_port.Name.Protocol), new TranslateToAnyOf(endpoints)])]));
            return;
        }

        var rules = ImmutableArray.CreateBuilder<NftRule>();
        foreach (NftEndpoint endpoint in endpoints)
        {
            rules.Add(new NftRule(
                [new MatchAddressInSet(Source: true, NftNames.Affinity(_port.Name, endpoint)), new GotoChain(NftNames.Endpoint(_port.Name, endpoint), Return: false)]));
        }

        rules.Add(new NftRule([new GotoAnyOf([.. endpoints.Select(e => NftNames.Endpoint(_port.Name, e))])]));
        _chains.Add(new NftChain(chain, rules.ToImmutable()));
    }

    private static NftRule Goto(string chain) => new([new GotoChain(chain, Return: false)]);

    private static bool Contains(string range, string ip) => NftRange.Parse(range) is var r && NftRange.Parse(ip) is var a
        && r.Length == a.Length && r.First <= a.First && a.Last <= r.Last;
}
