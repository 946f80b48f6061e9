using System.Collections.Immutable;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Nftables;

/// <summary>
/// The model of what is programmed, held as what rules are made from. <see cref="Full"/> and <see cref="Change"/> give the transactions to
/// what is wanted and take them as done: where the kernel refuses one, the model is thrown away and a full pass made with a new one.
/// </summary>
public sealed class NftRuleset(NftOptions options)
{
    /// <summary>Transactions of a full pass are about so large: the time of huge ones grows with the square of their chains.</summary>
    internal const int BatchSize = 3000;

    private readonly Dictionary<ServicePortName, NftServiceInput> _ports = [];
    private readonly DestinationClaims _claims = new();
    private readonly Dictionary<(NftContainer, NftKey), int> _shared = [];
    private readonly HashSet<(NftTranslation, int)> _translations = [];
    private readonly HashSet<string> _staleChains = new(StringComparer.Ordinal);
    private readonly HashSet<string> _staleSets = new(StringComparer.Ordinal);

    /// <summary>Service ports programmed.</summary>
    public int Count => _ports.Count;

    /// <summary>Service ports whose inside, and whose outside, traffic is dropped for want of a local endpoint.</summary>
    public (int Internal, int External) Dropped => (
        _ports.Values.Count(p => p.HasAny && p.Port.InternalLocal && p.Local.IsEmpty),
        _ports.Values.Count(p => p.HasAny && p.Port is { ExternalLocal: true, ExternallyAccessible: true } && p.Local.IsEmpty));

    /// <summary>What lies about unused since the last transactions.</summary>
    public NftLeftovers Leftovers => new([.. _staleChains], [.. _staleSets]);

    /// <summary>Leftovers are gone.</summary>
    public void Removed(NftLeftovers gone)
    {
        _staleChains.ExceptWith(gone.Chains);
        _staleSets.ExceptWith(gone.Sets);
    }

    /// <summary>Transactions from what the kernel has to what is wanted. A Service's change is never cut in two.</summary>
    /// <param name="wanted">All service ports.</param>
    /// <param name="observed">What the kernel has; used up.</param>
    public IEnumerable<NftChange> Full(IReadOnlyCollection<NftWanted> wanted, NftObserved observed)
    {
        observed = observed.IsForeign ? new NftObserved { HasTable = true, IsForeign = true } : observed;
        var change = new NftChange { ReplaceTable = observed.IsForeign, AddContainers = true };
        change.Write.AddRange(NftStaticRules.Chains(options));
        foreach (NftElement element in NftStaticRules.NodePortIPs(options) ?? [])
        {
            AddUnlessThere(element, change, observed);
        }

        yield return change;
        change = new NftChange();
        foreach (NftWanted port in wanted)
        {
            _claims.Claim(port.Port!, new HashSet<ServicePortName>());
        }

        ServiceName? service = null;
        foreach (NftWanted port in wanted.OrderBy(w => w.Port!.Name))
        {
            if (service != port.Port!.Name.Service && change.Size >= BatchSize)
            {
                yield return change;
                change = new NftChange();
            }

            service = port.Port.Name.Service;
            NftKey destination = NftServiceCompiler.Destinations(port.Port).First();
            ImmutableArray<NftEndpoint> slots = [.. observed.Endpoints(NftContainer.ServiceEndpoints, destination)];
            Step(port.Port.Name, WithLost(NftServiceInput.From(port.Port, port.Chosen!, slots, slots)), change, observed);
        }

        yield return change;
        yield return Rest(observed);
    }

    /// <summary>The transaction for some service ports; those not named stay as they are.</summary>
    public NftChange Change(IReadOnlyDictionary<ServicePortName, NftWanted> wanted)
    {
        HashSet<ServicePortName> affected = [];
        foreach ((ServicePortName name, NftWanted port) in wanted)
        {
            if (_ports.TryGetValue(name, out NftServiceInput? before))
            {
                _claims.Release(before.Port, affected);
            }

            if (port.Port is not null)
            {
                _claims.Claim(port.Port, affected);
            }
        }

        var change = new NftChange();
        foreach (ServicePortName name in affected.Except(wanted.Keys).Concat(wanted.Keys).Order())
        {
            _ports.TryGetValue(name, out NftServiceInput? before);
            NftServiceInput? after = !wanted.TryGetValue(name, out NftWanted? port) ? before
                : port.Port is null ? null : NftServiceInput.From(port.Port, port.Chosen!, before?.Cluster ?? [], before?.Local ?? []);
            Step(name, after is null ? null : WithLost(after), change, null);
        }

        return change;
    }

    /// <summary>What the kernel has and nobody wants.</summary>
    private NftChange Rest(NftObserved observed)
    {
        var change = new NftChange();
        foreach ((NftContainer container, Dictionary<NftKey, NftValue> elements) in observed.Elements)
        {
            if (container != NftContainer.NodePortIPs || options.NodePortAddresses is not null)
            {
                change.Delete.AddRange(elements.Keys.Select(k => (container, k)));
            }
        }

        if (!observed.Affinity.Any() && !observed.Chains.Any(NftNames.IsServiceChain))
        {
            change.Flush.AddRange(_staleChains);
            return change;
        }

        HashSet<string> chains = [], sets = [];
        foreach (CompiledNftService compiled in _ports.Values.Select(p => NftServiceCompiler.Compile(p, options)))
        {
            chains.UnionWith(compiled.Chains.Select(c => c.Name));
            sets.UnionWith(compiled.Affinity.Select(s => s.Name));
        }

        chains.UnionWith(_translations.Select(t => NftServiceCompiler.TranslationChain(t.Item1, t.Item2)));
        _staleChains.UnionWith(observed.Chains.Where(c => NftNames.IsServiceChain(c) && !chains.Contains(c)));
        _staleSets.UnionWith(observed.Affinity.Keys.Where(s => !sets.Contains(s)));
        change.Flush.AddRange(_staleChains);
        return change;
    }

    private NftServiceInput WithLost(NftServiceInput input)
    {
        ImmutableHashSet<NftKey>? lost = null;
        foreach (NftKey key in NftServiceCompiler.Destinations(input.Port))
        {
            if (!_claims.Owns(key, input.Port.Name))
            {
                lost = (lost ?? []).Add(key);
            }
        }

        return input with { Lost = lost };
    }

    /// <summary>From one state of a service port to the next.</summary>
    private void Step(ServicePortName name, NftServiceInput? after, NftChange change, NftObserved? observed)
    {
        CompiledNftService old = _ports.TryGetValue(name, out NftServiceInput? before) ? NftServiceCompiler.Compile(before, options) : CompiledNftService.Empty;
        CompiledNftService now = after is null ? CompiledNftService.Empty : NftServiceCompiler.Compile(after, options);
        Elements(old.Elements, now.Elements, change, observed);
        foreach ((NftTranslation kind, int count) in now.Translations)
        {
            if (_translations.Add((kind, count)))
            {
                change.Write.Add(NftServiceCompiler.Translation(kind, count, options.MasqueradeMark));
            }
        }

        Chains(old, now, Affinity(old.Affinity, now.Affinity, change, observed), change);
        if (after is null)
        {
            _ports.Remove(name);
        }
        else
        {
            _ports[name] = after;
        }
    }

    private void Elements(ImmutableArray<NftElement> old, ImmutableArray<NftElement> now, NftChange change, NftObserved? observed)
    {
        var left = old.ToDictionary(e => (e.Container, e.Key), e => e.Value);
        foreach (NftElement element in now)
        {
            if (left.Remove((element.Container, element.Key), out NftValue value))
            {
                if (value != element.Value)
                {
                    change.Delete.Add((element.Container, element.Key));
                    change.Add.Add(element);
                }
            }
            else if (!IsShared(element.Container) || Acquire(element))
            {
                AddUnlessThere(element, change, observed);
            }
        }

        foreach ((NftContainer container, NftKey key) in left.Keys)
        {
            if (!IsShared(container) || Release((container, key)))
            {
                change.Delete.Add((container, key));
            }
        }
    }

    private static void AddUnlessThere(NftElement element, NftChange change, NftObserved? observed)
    {
        if (observed is not null && observed.Elements.TryGetValue(element.Container, out var there) && there.Remove(element.Key, out NftValue value))
        {
            if (value == element.Value)
            {
                return;
            }

            change.Delete.Add((element.Container, element.Key));
        }

        change.Add.Add(element);
    }

    /// <summary>Sets begin anew where their time changes; true where one does, and rules that use it have to be written again.</summary>
    private bool Affinity(ImmutableArray<NftAffinitySet> old, ImmutableArray<NftAffinitySet> now, NftChange change, NftObserved? observed)
    {
        bool renewed = false;
        Dictionary<string, int> before = old.ToDictionary(s => s.Name, s => s.Seconds);
        foreach (NftAffinitySet set in now)
        {
            bool stale = _staleSets.Remove(set.Name);
            if (before.Remove(set.Name, out int seconds) || (observed is not null && observed.Affinity.TryGetValue(set.Name, out seconds)))
            {
                if (seconds == set.Seconds)
                {
                    continue;
                }

                change.RenewAffinity.Add(set.Name);
                renewed = true;
            }
            else if (stale)
            {
                change.RenewAffinity.Add(set.Name);
            }

            change.AddAffinity.Add(set);
        }

        _staleSets.UnionWith(before.Keys);
        return renewed;
    }

    private void Chains(CompiledNftService old, CompiledNftService now, bool all, NftChange change)
    {
        Dictionary<string, NftChain> before = old.Chains.ToDictionary(c => c.Name);
        foreach (NftChain chain in now.Chains)
        {
            _staleChains.Remove(chain.Name);
            if (!before.Remove(chain.Name, out NftChain? was) || all || NftText.Chain(was, options.Family) != NftText.Chain(chain, options.Family))
            {
                change.Write.Add(chain);
            }
        }

        change.Flush.AddRange(before.Keys);
        _staleChains.UnionWith(before.Keys);
    }

    /// <summary>Sets of which several service ports may want the same element.</summary>
    private static bool IsShared(NftContainer container) => container is NftContainer.ClusterIPs or NftContainer.Hairpins;

    private bool Acquire(NftElement element)
    {
        int count = _shared.GetValueOrDefault((element.Container, element.Key));
        _shared[(element.Container, element.Key)] = count + 1;
        return count == 0;
    }

    private bool Release((NftContainer, NftKey) element)
    {
        int count = _shared[element] - 1;
        if (count > 0)
        {
            _shared[element] = count;
            return false;
        }

        _shared.Remove(element);
        return true;
    }
}
