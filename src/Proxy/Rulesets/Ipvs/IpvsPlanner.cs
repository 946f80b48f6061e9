using System.Collections.Immutable;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Ipvs;

/// <summary>One thing to do in the kernel.</summary>
public abstract record IpvsStep
{
    /// <summary>Make the link kube-ipvs0.</summary>
    public sealed record MakeLink : IpvsStep;

    /// <summary>Make a set.</summary>
    /// <param name="Set">Its name in the kernel.</param>
    /// <param name="Kind">Kind.</param>
    public sealed record MakeSet(string Set, SetKind Kind) : IpvsStep;

    /// <summary>Put entries into a set.</summary>
    public sealed record AddEntries(string Set, SetKind Kind, ImmutableArray<SetEntry> Entries) : IpvsStep;

    /// <summary>Take entries from a set.</summary>
    public sealed record RemoveEntries(string Set, SetKind Kind, ImmutableArray<SetEntry> Entries) : IpvsStep;

    /// <summary>Add a virtual server.</summary>
    public sealed record AddServer(VirtualServerKey Key, VirtualServer Server) : IpvsStep;

    /// <summary>Change how a virtual server works.</summary>
    public sealed record UpdateServer(VirtualServerKey Key, VirtualServer Server) : IpvsStep;

    /// <summary>Remove a virtual server with its real ones.</summary>
    public sealed record RemoveServer(VirtualServerKey Key) : IpvsStep;

    /// <summary>Add a real server with weight 1.</summary>
    public sealed record AddReal(VirtualServerKey Key, RealServer Real) : IpvsStep;

    /// <summary>Change the weight of a real server.</summary>
    public sealed record SetWeight(VirtualServerKey Key, RealServer Real, int Weight) : IpvsStep;

    /// <summary>Remove a real server.</summary>
    public sealed record RemoveReal(VirtualServerKey Key, RealServer Real) : IpvsStep;

    /// <summary>Put an address on the link.</summary>
    public sealed record Bind(string Address) : IpvsStep;

    /// <summary>Take an address from the link.</summary>
    public sealed record Unbind(string Address) : IpvsStep;
}

/// <summary>What is to be done.</summary>
/// <param name="Before">Before the iptables rules are written: what they need, and what brings traffic to where it goes now.</param>
/// <param name="After">After that: what nothing uses any longer.</param>
/// <param name="Draining">Real servers that wait for their connections to end.</param>
public sealed record IpvsPlan(ImmutableArray<IpvsStep> Before, ImmutableArray<IpvsStep> After, int Draining);

/// <summary>
/// Compares what is wanted with what the kernel shows. A real server that is not wanted any longer and has TCP connections stays, with
/// weight 0, until a later look finds none: what the kernel shows is all there is to remember. Pure. Source: pkg/proxy/ipvs/proxier.go, graceful_termination.go.
/// </summary>
public static class IpvsPlanner
{
    /// <summary>The steps from what is there to what is wanted; none where nothing differs.</summary>
    public static IpvsPlan Plan(IpvsWanted wanted, IpvsObserved observed, IpvsOptions options)
    {
        List<IpvsStep> before = [], after = [];
        if (observed.Bound is null)
        {
            before.Add(new IpvsStep.MakeLink());
        }

        ImmutableSortedSet<string> bound = observed.Bound ?? [];
        List<IpvsStep> removals = Sets(wanted, observed, options.Family, before);
        int draining = 0;
        foreach ((VirtualServerKey key, (VirtualServer server, ImmutableSortedSet<RealServer> reals)) in wanted.Servers)
        {
            draining += Server(key, server, reals, observed.Servers.GetValueOrDefault(key), before);
        }

        before.AddRange(wanted.Bound.Except(bound).Select(a => new IpvsStep.Bind(a)));
        after.AddRange(bound.Except(wanted.Bound).Select(a => new IpvsStep.Unbind(a)));
        after.AddRange(observed.Servers.Keys
            .Where(k => !wanted.Servers.ContainsKey(k) && !options.ExcludeCidrs.Any(c => IpvsCompiler.Contains(c, k.Address)))
            .Select(k => new IpvsStep.RemoveServer(k)));
        after.AddRange(removals);
        return new IpvsPlan([.. before], [.. after], draining);
    }

    private static List<IpvsStep> Sets(IpvsWanted wanted, IpvsObserved observed, IPFamily family, List<IpvsStep> before)
    {
        List<IpvsStep> removals = [];
        foreach (IpvsSet set in IpvsSets.All)
        {
            string name = IpvsSets.NameIn(family, set.Name);
            if (!observed.Sets.TryGetValue(name, out ImmutableSortedSet<SetEntry>? there))
            {
                before.Add(new IpvsStep.MakeSet(name, set.Kind));
                there = [];
            }

            ImmutableSortedSet<SetEntry> entries = wanted.Sets[set.Name], missing = entries.Except(there), surplus = there.Except(entries);
            if (missing.Count > 0)
            {
                before.Add(new IpvsStep.AddEntries(name, set.Kind, [.. missing]));
            }

            if (surplus.Count > 0)
            {
                removals.Add(new IpvsStep.RemoveEntries(name, set.Kind, [.. surplus]));
            }
        }

        return removals;
    }

    /// <summary>Steps for one virtual server; gives how many of its real ones wait for their connections to end.</summary>
    private static int Server(VirtualServerKey key, VirtualServer server, ImmutableSortedSet<RealServer> reals, ObservedVirtualServer? observed, List<IpvsStep> steps)
    {
        if (observed is null)
        {
            steps.Add(new IpvsStep.AddServer(key, server));
        }
        else if (!observed.Server.WorksAs(server))
        {
            steps.Add(new IpvsStep.UpdateServer(key, server));
        }

        ImmutableArray<ObservedRealServer> there = observed?.RealServers ?? [];
        HashSet<RealServer> present = [.. there.Select(r => r.Server)];
        steps.AddRange(reals.Where(r => !present.Contains(r)).Select(r => new IpvsStep.AddReal(key, r)));
        int draining = 0;
        foreach (ObservedRealServer real in there)
        {
            if (reals.Contains(real.Server))
            {
                Weigh(key, real, 1, steps);
            }
            else if (key.Protocol == "tcp" && real.Connections > 0)
            {
                Weigh(key, real, 0, steps);
                draining++;
            }
            else
            {
                steps.Add(new IpvsStep.RemoveReal(key, real.Server));
            }
        }

        return draining;
    }

    private static void Weigh(VirtualServerKey key, ObservedRealServer real, int weight, List<IpvsStep> steps)
    {
        if (real.Weight != weight)
        {
            steps.Add(new IpvsStep.SetWeight(key, real.Server, weight));
        }
    }
}
