using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>What the iptables mode alone has to do with the kernel.</summary>
public sealed class IptablesPacketTests
{
    /// <summary>The iptables programs that are installed.</summary>
    public static TheoryData<string> Backends => [.. ((string[])["nft", "legacy"]).Where(b => File.Exists($"/usr/sbin/iptables-{b}"))];

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task A_restart_changes_nothing_in_the_kernel(string backend)
    {
        using var net = new NodeNetwork("iptables-" + backend);
        net.Service(external: "Local", sticky: 60);
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        string[] before = Rules(await net.Iptables.SaveAsync(null, default));
        net.Restart();
        await net.ProgramAsync();
        Assert.Equal(before, Rules(await net.Iptables.SaveAsync(null, default)));
        Assert.True(before.Length > 40, $"{before.Length} lines");
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task A_flush_is_noticed_and_repaired_and_cleanup_leaves_only_the_shared_firewall(string backend)
    {
        using var net = new NodeNetwork("iptables-" + backend);
        net.Service();
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        string[] before = Rules(await net.Iptables.SaveAsync(null, default));
        foreach (string table in (string[])["mangle", "nat", "filter"])
        {
            net.Node.Exec($"iptables-{backend}", "-t", table, "-F");
            net.Node.Exec($"iptables-{backend}", "-t", table, "-X");
        }

        Assert.True(await ((IptablesProxier)net.Proxier).CheckCanaryAsync(default));
        await net.ProgramAsync();
        Assert.Equal(before, Rules(await net.Iptables.SaveAsync(null, default)));
        await IptablesCleanup.RunAsync(net.Iptables, IPFamily.IPv4, default);
        Assert.All(Rules(await net.Iptables.SaveAsync(null, default)).Where(l => l.Contains("KUBE", StringComparison.Ordinal)),
            l => Assert.Contains("KUBE-FIREWALL", l, StringComparison.Ordinal));
    }

    [NetworkTheory]
    [MemberData(nameof(Backends))]
    public async Task The_host_is_asked_for_its_abilities_without_leaving_a_trace(string backend)
    {
        using var net = new NodeNetwork("iptables-" + backend);
        string before = string.Join('\n', Rules(await net.Iptables.SaveAsync("nat", default)));
        IptablesAbilities abilities = await net.Iptables.ProbeAsync(default);
        Assert.True(abilities.Statistic);
        Assert.True(abilities.Recent);
        Assert.DoesNotContain("KUBE-PROBE", string.Join('\n', Rules(await net.Iptables.SaveAsync("nat", default))), StringComparison.Ordinal);
        Assert.DoesNotContain("KUBE", before, StringComparison.Ordinal);
    }

    /// <summary>Chains and rules in order, without counters and dates.</summary>
    private static string[] Rules(string saved) =>
        [.. saved.Split('\n').Where(l => l.StartsWith('*') || l.StartsWith('-') || l.StartsWith(':')).Select(l => l.StartsWith(':') ? l.Split('[')[0] : l)];
}
