using NodeAgent.Harness;
using NodeAgent.Harness.Host;
using NodeAgent.Harness.Networks;
using Xunit.Abstractions;

namespace NodeAgent.EndToEnd;

/// <summary>Connections at a steady rate while proxies take over from each other.</summary>
public sealed class ProxySwitchTests(ProxyBedFixture fixture, ITestOutputHelper output) : IClassFixture<ProxyBedFixture>
{
    private const int PerSecond = 100, Open = 30;
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(40);

    public static TheoryData<string, string> Switches()
    {
        TheoryData<string, string> rows = new() { { "ours iptables", "ours nftables" }, { "ours nftables", "ours iptables" } };
        if (Requirements.Kubernetes("kube-proxy") is not null)
        {
            foreach (string mode in (string[])["iptables", "nftables"])
            {
                rows.Add("Go " + mode, "ours " + mode);
                rows.Add("ours " + mode, "Go " + mode);
            }

            rows.Add("Go iptables", "ours nftables");
            rows.Add("Go nftables", "ours iptables");
        }

        return rows;
    }

    [ProxyTheory]
    [MemberData(nameof(Switches))]
    public async Task A_proxy_takes_over_from_another_and_no_connection_notices(string before, string after)
    {
        await fixture.ClearAsync();
        await fixture.StartAsync(before);
        await using SteadyLoad load = await SteadyLoad.StartAsync(fixture.Bed.Clients, ProxyBedFixture.Services, PerSecond, Open);
        await fixture.Bed.StopProxyAsync();
        await fixture.StartAsync(after);
        await Until.NothingMissesAsync($"nothing is left of {before}", Settled, () => Task.FromResult(Leftover(after)));
        await fixture.RoutesAsync(1);
        LoadResult result = await load.StopAsync();
        output.WriteLine($"{before} → {after}: {result}");
        await fixture.ClearAsync();
        Assert.True(result.IsClean, result.ToString());
    }

    /// <summary>What is left of the other mode; null where nothing is.</summary>
    private string? Leftover(string after)
    {
        if (after.EndsWith("iptables", StringComparison.Ordinal))
        {
            return fixture.Bed.Node.Exec("nft", "list", "tables").Split('\n').FirstOrDefault(l => l.EndsWith("kube-proxy", StringComparison.Ordinal));
        }

        return fixture.Bed.Node.Exec("iptables-save").Split('\n').FirstOrDefault(l => l.Contains("KUBE-S", StringComparison.Ordinal) || l.Contains("KUBE-EXT", StringComparison.Ordinal)
            || l.Contains("KUBE-POSTROUTING", StringComparison.Ordinal) || l.Contains("KUBE-NODEPORTS", StringComparison.Ordinal));
    }
}
