using System.Collections.Immutable;
using NodeAgent.Proxy.Kernel.Ipvs;
using NodeAgent.Proxy.Rulesets.Ipvs;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Rulesets;

/// <summary>A working model of IPVS, ipsets and one link: refuses what the kernel refuses, as adding what is there.</summary>
internal sealed class FakeIpvsKernel(IPFamily family) : IIpvsKernel
{
    private readonly SortedDictionary<VirtualServerKey, (VirtualServer Server, SortedDictionary<RealServer, (int Weight, long Connections)> Reals)> _servers = [];
    private readonly SortedDictionary<string, (SetKind Kind, SortedSet<SetEntry> Entries)> _sets = new(StringComparer.Ordinal);
    private SortedSet<string>? _bound;

    public IPFamily Family => family;

    public List<string> NodeAddresses { get; } = [family == IPFamily.IPv4 ? "192.0.1.9" : "fd00:1::9"];

    public List<IpvsStep> Steps { get; } = [];

    /// <summary>Steps of this type fail.</summary>
    public Type? Refuse { get; set; }

    public void Connect(VirtualServerKey key, RealServer real, long connections) => _servers[key].Reals[real] = (_servers[key].Reals[real].Weight, connections);

    public int Weight(VirtualServerKey key, RealServer real) => _servers[key].Reals[real].Weight;

    public IEnumerable<RealServer> Reals(VirtualServerKey key) => _servers[key].Reals.Keys;

    public bool Has(VirtualServerKey key) => _servers.ContainsKey(key);

    public void Foreign(VirtualServerKey key) => _servers.Add(key, (new VirtualServer("wlc", 0, 0), []));

    public void Lose(VirtualServerKey key) => _servers.Remove(key);

    public IpvsObserved Read() => new()
    {
        Bound = _bound?.ToImmutableSortedSet(StringComparer.Ordinal),
        NodeAddresses = NodeAddresses.ToImmutableSortedSet(StringComparer.Ordinal),
        Servers = _servers.ToImmutableSortedDictionary(
            s => s.Key, s => new ObservedVirtualServer(s.Value.Server, [.. s.Value.Reals.Select(r => new ObservedRealServer(r.Key, r.Value.Weight, r.Value.Connections))])),
        Sets = _sets.ToImmutableDictionary(s => s.Key, s => s.Value.Entries.ToImmutableSortedSet()),
    };

    public IReadOnlyList<string> Apply(IEnumerable<IpvsStep> steps)
    {
        List<string> problems = [];
        foreach (IpvsStep step in steps)
        {
            Steps.Add(step);
            if (step.GetType() == Refuse)
            {
                problems.Add($"{step} is refused");
            }
            else
            {
                Do(step);
            }
        }

        return problems;
    }

    public string Text() => string.Concat(
        _servers.Select(s => $"-A {s.Key} -s {s.Value.Server.Scheduler} flags {s.Value.Server.Flags} timeout {s.Value.Server.Timeout}\n"
            + string.Concat(s.Value.Reals.Select(r => $"  -r {r.Key.Address} {r.Key.Port} weight {r.Value.Weight}\n")))
        .Concat(_sets.Select(s => $"create {s.Key} {s.Value.Kind}\n" + string.Concat(s.Value.Entries.Select(e => $"add {s.Key} {e}\n"))))
        .Append($"link {string.Join(' ', _bound ?? [])}\n"));

    public void Dispose()
    {
    }

    private void Do(IpvsStep step)
    {
        switch (step)
        {
            case IpvsStep.MakeLink:
                Assert.Null(_bound);
                _bound = new SortedSet<string>(StringComparer.Ordinal);
                break;
            case IpvsStep.MakeSet s: _sets.Add(s.Set, (s.Kind, [])); break;
            case IpvsStep.AddEntries s: Assert.All(s.Entries, e => Assert.True(Set(s.Set, s.Kind).Add(e))); break;
            case IpvsStep.RemoveEntries s: Assert.All(s.Entries, e => Assert.True(Set(s.Set, s.Kind).Remove(e))); break;
            case IpvsStep.AddServer s: _servers.Add(s.Key, (s.Server, [])); break;
            case IpvsStep.UpdateServer s: _servers[s.Key] = (s.Server, _servers[s.Key].Reals); break;
            case IpvsStep.RemoveServer s: Assert.True(_servers.Remove(s.Key)); break;
            case IpvsStep.AddReal s: _servers[s.Key].Reals.Add(s.Real, (1, 0)); break;
            case IpvsStep.SetWeight s: _servers[s.Key].Reals[s.Real] = (s.Weight, _servers[s.Key].Reals[s.Real].Connections); break;
            case IpvsStep.RemoveReal s: Assert.True(_servers[s.Key].Reals.Remove(s.Real)); break;
            case IpvsStep.Bind s: Assert.True(_bound!.Add(s.Address)); break;
            case IpvsStep.Unbind s: Assert.True(_bound!.Remove(s.Address)); break;
            default: Assert.Fail($"{step}"); break;
        }
    }

    private SortedSet<SetEntry> Set(string name, SetKind kind)
    {
        Assert.Equal(kind, _sets[name].Kind);
        return _sets[name].Entries;
    }
}
