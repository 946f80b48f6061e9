using System.Text;
using NodeAgent.Linux.Netlink;
using NodeAgent.Linux.Netlink.Ipset;
using NodeAgent.Linux.Netlink.Ipvs;
using NodeAgent.Linux.Netlink.Links;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Rulesets.Ipvs;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Kernel.Ipvs;

/// <summary>
/// Takes away what ipvs mode made. Chains that iptables mode has too are emptied here and removed with that mode's. Nothing is touched on a
/// host where ipvs mode was never used: upstream flushes its virtual servers all the same. Source: pkg/proxy/ipvs/cleanup.go.
/// </summary>
public static class IpvsCleanup
{
    private static readonly (string Table, string Name)[] Shared =
        [("nat", "KUBE-SERVICES"), ("nat", "KUBE-POSTROUTING"), ("nat", "KUBE-MARK-MASQ"), ("filter", "KUBE-FORWARD"), ("filter", "KUBE-PROXY-FIREWALL")];

    private static readonly TimeSpan SetsPatience = TimeSpan.FromSeconds(10), Again = TimeSpan.FromMilliseconds(50);

    /// <summary>Removes virtual servers and link, then one family's rules, then its sets, which rules must not use any longer.</summary>
    /// <exception cref="NetlinkException">Something could not be removed.</exception>
    /// <exception cref="IptablesException">The rules could not be removed.</exception>
    public static async Task RunAsync(IIptablesCommands? iptables, IPFamily family, TimeProvider time, CancellationToken cancellationToken)
    {
        RemoveServersAndLink();
        if (iptables is not null)
        {
            string input = Render(IptablesObserved.Parse(await iptables.SaveAsync(null, cancellationToken)));
            if (input.Length > 0)
            {
                await iptables.RestoreAsync(input, CancellationToken.None);
            }
        }

        await DestroySetsAsync(() => NetlinkSocket.Open(), family, time, cancellationToken);
    }

    /// <summary>The input for iptables-restore; "" where no chain of ipvs mode alone is there.</summary>
    internal static string Render(IptablesObserved observed)
    {
        (string Table, string Name)[] there = [.. IpvsRules.Chains.Where(c => observed.HasChain(c.Table, c.Name))];
        if (there.All(Shared.Contains))
        {
            return "";
        }

        var text = new StringBuilder();
        foreach (IGrouping<string, (string Table, string Name)> table in there.GroupBy(c => c.Table))
        {
            text.Append('*').Append(table.Key).Append('\n');
            foreach ((_, string name) in table)
            {
                text.Append(':').Append(name).Append(" - [0:0]\n");
            }

            foreach (JumpRule jump in IpvsRules.Jumps.Where(j => j.Table == table.Key && observed.HasRule(j.Table, j.From, j.Rule)))
            {
                text.Append("-D ").Append(jump.From).Append(' ').Append(jump.Rule).Append('\n');
            }

            foreach ((string Table, string Name) chain in table.Where(c => !Shared.Contains(c)))
            {
                text.Append("-X ").Append(chain.Name).Append('\n');
            }

            text.Append("COMMIT\n");
        }

        return text.ToString();
    }

    private static void RemoveServersAndLink()
    {
        using var links = new LinkConnection(NetlinkSocket.Open(protocol: NetlinkProtocol.Route));
        if (links.Find(IpvsKernel.LinkName) is not { } link)
        {
            return;
        }

        using IpvsConnection? ipvs = IpvsConnection.Open(NetlinkSocket.Open(protocol: NetlinkProtocol.Generic));
        ipvs?.Flush();
        links.Remove(link);
    }

    /// <summary>The kernel lets go of a set a moment after the rule that used it: what is busy is tried again.</summary>
    internal static async Task DestroySetsAsync(Func<NetlinkSocket> open, IPFamily family, TimeProvider time, CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        using var sets = new IpsetConnection(open());
        foreach (IpvsSet set in IpvsSets.All)
        {
            while (!TryDestroy(sets, IpvsSets.NameIn(family, set.Name), last: time.GetElapsedTime(start) > SetsPatience))
            {
                await Task.Delay(Again, time, cancellationToken);
            }
        }
    }

    private static bool TryDestroy(IpsetConnection sets, string name, bool last)
    {
        try
        {
            sets.Destroy(name);
            return true;
        }
        catch (NetlinkException e) when (e.Errno == IpsetConnection.Busy && !last)
        {
            return false;
        }
        catch (NetlinkException e) when (e.Errno == Linux.Syscalls.Errno.EINVAL)
        {
            // The kernel has no ipset at all.
            return true;
        }
    }
}
