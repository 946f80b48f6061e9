using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using NodeAgent.Harness.Networks;
using NodeAgent.Linux.Netlink;
using NodeAgent.Linux.Netlink.Ipset;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Kernel.Ipvs;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Rulesets.Ipvs;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Kernel;

/// <summary>Sets as the kernel and the ipset program see them. In network namespaces of their own.</summary>
public sealed class IpsetTests : IDisposable
{
    private static readonly IPAddress V4 = IPAddress.Parse("10.96.0.1"), V6 = IPAddress.Parse("fd00::a");
    private static int _count;
    private readonly NetworkNamespace _ns = new($"is{Environment.ProcessId % 10000}n{Interlocked.Increment(ref _count)}");

    public static TheoryData<IpsetType, AddressFamily, string, string> Kinds => new()
    {
        { IpsetType.BitmapPort, AddressFamily.InterNetwork, "create S bitmap:port range 0-65535", "30080" },
        { IpsetType.BitmapPort, AddressFamily.InterNetworkV6, "create S bitmap:port range 0-65535", "30080" },
        { IpsetType.HashIp, AddressFamily.InterNetwork, "create S hash:ip family inet hashsize 1024 maxelem 65536", "10.96.0.1" },
        { IpsetType.HashIp, AddressFamily.InterNetworkV6, "create S hash:ip family inet6 hashsize 1024 maxelem 65536", "fd00::a" },
        { IpsetType.HashIpPort, AddressFamily.InterNetwork, "create S hash:ip,port family inet hashsize 1024 maxelem 65536", "10.96.0.1,tcp:80" },
        { IpsetType.HashIpPortIp, AddressFamily.InterNetwork, "create S hash:ip,port,ip family inet hashsize 1024 maxelem 65536", "10.96.0.1,udp:80,10.96.0.1" },
        { IpsetType.HashIpPortIp, AddressFamily.InterNetworkV6, "create S hash:ip,port,ip family inet6 hashsize 1024 maxelem 65536", "fd00::a,udp:80,fd00::a" },
        { IpsetType.HashIpPortNet, AddressFamily.InterNetwork, "create S hash:ip,port,net family inet hashsize 1024 maxelem 65536", "10.96.0.1,sctp:80,203.0.113.0/24" },
        { IpsetType.HashIpPortNet, AddressFamily.InterNetworkV6, "create S hash:ip,port,net family inet6 hashsize 1024 maxelem 65536", "fd00::a,sctp:80,fd00:1::/64" },
    };

    public void Dispose() => _ns.Dispose();

    [IpsetTheory]
    [MemberData(nameof(Kinds))]
    public void The_ipset_program_shows_what_we_make_and_we_read_what_it_shows(IpsetType type, AddressFamily family, string created, string element)
    {
        using IpsetConnection sets = Open();
        IpsetEntry entry = Entry(type, family == AddressFamily.InterNetwork ? V4 : V6);
        Assert.Null(sets.List("S"));
        sets.Create("S", type, family);
        sets.Create("S", type, family);
        sets.Add("S", type, [entry]);
        sets.Add("S", type, [entry]);
        Assert.Equal($"{created}\nadd S {element}", Program(created));
        IpsetListing listing = sets.List("S")!;
        Assert.Equal(IpsetConnection.NameOf(type), listing.Type);
        Assert.Equal([entry], listing.Entries);
        sets.Remove("S", type, [entry]);
        sets.Remove("S", type, [entry]);
        Assert.Empty(sets.List("S")!.Entries);
        sets.Destroy("S");
        Assert.Null(sets.List("S"));
        sets.Destroy("S");
    }

    [IpsetTheory]
    [InlineData(3000)]
    public void Many_entries_go_and_come_in_several_messages(int count)
    {
        using IpsetConnection sets = Open();
        IpsetEntry[] entries = [.. Enumerable.Range(0, count).Select(i => new IpsetEntry(new IPAddress((byte[])[10, 96, (byte)(i >> 8), (byte)i]), 6, 80))];
        sets.Create("S", IpsetType.HashIpPort, AddressFamily.InterNetwork);
        sets.Add("S", IpsetType.HashIpPort, entries);
        Assert.Equal(entries.ToHashSet(), sets.List("S")!.Entries.ToHashSet());
        sets.Remove("S", IpsetType.HashIpPort, entries[1..]);
        Assert.Equal(entries[..1], sets.List("S")!.Entries);
    }

    [IpsetTheory]
    [InlineData(AddressFamily.InterNetwork)]
    public void A_refusal_tells_set_and_reason(AddressFamily family)
    {
        using IpsetConnection sets = Open();
        sets.Create("S", IpsetType.HashIp, family);
        NetlinkException other = Assert.Throws<NetlinkException>(() => sets.Create("S", IpsetType.HashIpPort, family));
        Assert.Contains("create S", other.Message, StringComparison.Ordinal);
        NetlinkException wrong = Assert.Throws<NetlinkException>(() => sets.Add("S", IpsetType.HashIp, [new IpsetEntry(V6, 0, 0)]));
        Assert.Contains("add to S", wrong.Message, StringComparison.Ordinal);
    }

    [IpsetTheory]
    [InlineData(IPFamily.IPv4)]
    [InlineData(IPFamily.IPv6)]
    public async Task The_iptables_program_takes_the_rules_around_the_sets_we_find_them_again_and_cleanup_lets_go_of_the_sets(IPFamily family)
    {
        using IpsetConnection sets = Open();
        foreach (IpvsSet set in IpvsSets.All)
        {
            sets.Create(IpvsSets.NameIn(family, set.Name), Enum.Parse<IpsetType>(set.Kind == SetKind.Port ? "BitmapPort" : $"Hash{set.Kind}"),
                family == IPFamily.IPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6);
        }

        var iptables = new IptablesCommands(family, TimeSpan.FromMinutes(2), "nft") { Through = ["ip", "netns", "exec", _ns.Name] };
        HashSet<string> filled = [.. IpvsSets.All.Select(s => s.Name)];
        foreach (bool all in (bool[])[false, true])
        {
            ImmutableArray<ChainRule> rules = IpvsRules.Rules(filled, [], new IpvsOptions { Family = family, MasqueradeAll = all });
            await iptables.RestoreAsync(IpvsRules.Render(rules, IptablesObserved.Parse(await iptables.SaveAsync(null, default))), default);
            IptablesObserved observed = IptablesObserved.Parse(await iptables.SaveAsync(null, default));
            Assert.True(IpvsRules.AreIn(observed, rules));
            Assert.False(IpvsRules.AreIn(observed, rules.RemoveAt(3)));
        }

        await iptables.RestoreAsync(IpvsCleanup.Render(IptablesObserved.Parse(await iptables.SaveAsync(null, default))), default);
        await IptablesCleanup.RunAsync(iptables, family, default);
        Assert.DoesNotContain("KUBE-", await iptables.SaveAsync(null, default), StringComparison.Ordinal);
        await IpvsCleanup.DestroySetsAsync(() => _ns.Within(() => NetlinkSocket.Open()), family, TimeProvider.System, default);
        Assert.Equal("", _ns.Exec("ipset", "list", "-name").Trim());
    }

    private static IpsetEntry Entry(IpsetType type, IPAddress address) => type switch
    {
        IpsetType.BitmapPort => new IpsetEntry(null, 0, 30080),
        IpsetType.HashIp => new IpsetEntry(address, 0, 0),
        IpsetType.HashIpPort => new IpsetEntry(address, 6, 80),
        IpsetType.HashIpPortIp => new IpsetEntry(address, 17, 80, address),
        _ => address.AddressFamily == AddressFamily.InterNetwork
            ? new IpsetEntry(address, 132, 80, IPAddress.Parse("203.0.113.0"), 24) : new IpsetEntry(address, 132, 80, IPAddress.Parse("fd00:1::"), 64),
    };

    /// <summary>The set as `ipset save` prints it, without what kernels choose themselves.</summary>
    private string Program(string created) => string.Join('\n', _ns.Exec("ipset", "save", "S").Trim().Split('\n')
        .Select(l => l.StartsWith(created + " ", StringComparison.Ordinal) ? created : l));

    private IpsetConnection Open() => new(_ns.Within(() => NetlinkSocket.Open()));
}
