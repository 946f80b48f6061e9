using NodeAgent.Linux.Netlink;
using NodeAgent.Proxy.Kernel.Nftables;
using NodeAgent.Proxy.Rulesets.Nftables;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Rulesets;

/// <summary>A kernel with one family's table: as strict as the real one about what is there and what points to what.</summary>
internal sealed class FakeNftKernel(IPFamily family) : INftKernel
{
    private Dictionary<NftContainer, Dictionary<NftKey, NftValue>>? _elements;
    private SortedDictionary<string, NftChain?> _chains = new(StringComparer.Ordinal);
    private Dictionary<string, int> _affinity = [];

    public List<NftChange> Changes { get; } = [];

    /// <summary>The next transactions are refused with this error; 0 = none.</summary>
    public int Refuse { get; set; }

    /// <summary>Leftovers are still pointed to, as in older kernels.</summary>
    public bool Busy { get; set; }

    public void DeleteTable() => (_elements, _chains, _affinity) = (null, new(StringComparer.Ordinal), []);

    public NftObserved Read() => _elements is null ? new NftObserved() : new NftObserved
    {
        HasTable = true,
        Chains = [.. _chains.Keys],
        Affinity = new Dictionary<string, int>(_affinity),
        Elements = _elements.ToDictionary(e => e.Key, e => new Dictionary<NftKey, NftValue>(e.Value)),
    };

    public void Apply(NftChange change)
    {
        if (change.IsEmpty)
        {
            return;
        }

        if (Refuse != 0)
        {
            throw new NetlinkException("nftables: refused", Refuse);
        }

        Changes.Add(change);
        if (change.ReplaceTable)
        {
            DeleteTable();
        }

        if (change.AddContainers)
        {
            _elements ??= Enum.GetValues<NftContainer>().ToDictionary(c => c, _ => new Dictionary<NftKey, NftValue>());
        }

        Dictionary<NftContainer, Dictionary<NftKey, NftValue>> elements = _elements ?? throw new NetlinkException("nftables: no table", 2);
        Chains(change);
        foreach ((NftContainer container, NftKey key) in change.Delete)
        {
            if (!elements[container].Remove(key))
            {
                throw new NetlinkException($"nftables: delete element of {container}", 2);
            }
        }

        foreach (NftElement element in change.Add)
        {
            if (!elements[element.Container].TryAdd(element.Key, element.Value))
            {
                throw new NetlinkException($"nftables: add element of {NftText.Name(element.Container)} {NftText.Element(element)}", 17);
            }
        }

        Check();
    }

    public bool Remove(NftLeftovers leftovers)
    {
        if (Busy)
        {
            return false;
        }

        HashSet<string> used = [.. Targets()];
        foreach (string chain in leftovers.Chains)
        {
            Assert.DoesNotContain(chain, used);
            Assert.True(_chains.Remove(chain), chain);
        }

        foreach (string set in leftovers.Sets)
        {
            Assert.True(_affinity.Remove(set), set);
        }

        Check();
        return true;
    }

    /// <summary>Everything in order; slots of a destination by endpoint, since any order of them is as good.</summary>
    public string Text(bool withUnused = true)
    {
        Check(settled: true);
        HashSet<string> used = [.. Targets()];
        var lines = new List<string>();
        foreach ((NftContainer container, Dictionary<NftKey, NftValue> elements) in _elements ?? [])
        {
            bool slots = container is NftContainer.ServiceEndpoints or NftContainer.NodePortEndpoints;
            lines.AddRange(elements.Select(e => NftText.Name(container) + " " + NftText.Element(new NftElement(container, e.Key, e.Value)))
                .Select(l => slots ? WithoutSlot(l) : l).Order(StringComparer.Ordinal));
        }

        foreach ((string name, NftChain? chain) in _chains)
        {
            if (withUnused || used.Contains(name) || chain?.Hook is not null)
            {
                lines.Add(chain is null ? $"chain {name} is empty" : Sorted(NftText.Chain(chain, family)));
            }
        }

        return string.Join('\n', lines.Concat(_affinity.Select(s => $"{s.Key} {s.Value}").Order(StringComparer.Ordinal)));
    }

    /// <summary>Endpoints in an anonymous map stand in any order.</summary>
    private static string Sorted(string chain) => string.Join('\n', chain.Split('\n').Select(l => l.Contains("numgen random mod", StringComparison.Ordinal) && l.Contains('{', StringComparison.Ordinal)
        ? l[..l.IndexOf('{', StringComparison.Ordinal)] + string.Join(",", l[(l.IndexOf('{', StringComparison.Ordinal) + 1)..].TrimEnd('}').Split(',').Select(p => p[(p.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()).Order(StringComparer.Ordinal)) : l)
        .Order(StringComparer.Ordinal));

    private static string WithoutSlot(string line)
    {
        string[] sides = line.Split(" : ");
        string[] key = sides[0].Split(" . ");
        return string.Join(" . ", key[..^1]) + " : " + sides[1];
    }

    private void Chains(NftChange change)
    {
        foreach (NftChain chain in change.Write)
        {
            _chains[chain.Name] = chain;
        }

        foreach (string chain in change.Flush)
        {
            if (!_chains.ContainsKey(chain))
            {
                throw new NetlinkException($"nftables: flush chain {chain}", 2);
            }

            _chains[chain] = null;
        }

        foreach (string set in change.RenewAffinity)
        {
            Assert.True(_affinity.Remove(set), set);
        }

        foreach (NftAffinitySet set in change.AddAffinity)
        {
            _affinity[set.Name] = set.Seconds;
        }
    }

    /// <summary>Nothing points to what is not there, and each destination has all of its slots.</summary>
    private void Check(bool settled = false)
    {
        foreach (string target in Targets())
        {
            Assert.True(_chains.ContainsKey(target), $"chain {target} is pointed to and not there");
        }

        foreach (string set in _chains.Values.OfType<NftChain>().SelectMany(c => c.Rules).SelectMany(r => r.Statements).Select(s => s switch
        {
            RememberSource r => r.Set,
            MatchAddressInSet m when m.Set.StartsWith("affinity-", StringComparison.Ordinal) => m.Set,
            _ => null,
        }).OfType<string>())
        {
            Assert.True(_affinity.ContainsKey(set), $"set {set} is used and not there");
        }

        foreach (NftContainer map in (NftContainer[])[NftContainer.ServiceIPs, NftContainer.ServiceNodePorts])
        {
            NftContainer endpoints = map == NftContainer.ServiceIPs ? NftContainer.ServiceEndpoints : NftContainer.NodePortEndpoints;
            int slots = 0;
            foreach ((NftKey key, NftValue value) in _elements?[map] ?? [])
            {
                if (value.Chain!.Contains("-endpoints/", StringComparison.Ordinal))
                {
                    int count = int.Parse(value.Chain.Split('/')[1], System.Globalization.CultureInfo.InvariantCulture);
                    slots += count;
                    Assert.All(Enumerable.Range(0, count), i => Assert.True(_elements![endpoints].ContainsKey(key.Slot(i)), $"slot {i} of {count} is missing"));
                }
            }

            if (settled)
            {
                Assert.Equal(slots, (_elements?[endpoints] ?? []).Count);
            }
        }
    }

    private IEnumerable<string> Targets()
    {
        IEnumerable<string> fromRules = _chains.Values.OfType<NftChain>().SelectMany(c => c.Rules).SelectMany(r => r.Statements).SelectMany(s => s switch
        {
            GotoChain g => [g.Chain],
            GotoAnyOf g => g.Chains,
            _ => Enumerable.Empty<string>(),
        });
        return fromRules.Concat((_elements ?? []).Values.SelectMany(e => e.Values).Select(v => v.Chain).OfType<string>());
    }
}
