using System.Diagnostics;
using NodeAgent.Harness;
using NodeAgent.Harness.Host;
using NodeAgent.Harness.Networks;
using Xunit.Abstractions;

namespace NodeAgent.EndToEnd;

/// <summary>Connections at a steady rate while proxies take over from each other, are killed, are told of very many changes, and while others flush the rules.</summary>
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

    [ProxyTheory]
    [InlineData("ours nftables")]
    [InlineData("ours iptables")]
    public async Task Very_many_endpoint_changes_and_a_killed_proxy_break_no_connection(string proxy)
    {
        await fixture.ClearAsync();
        await fixture.StartAsync(proxy);
        await using SteadyLoad load = await SteadyLoad.StartAsync(fixture.Bed.Clients, ProxyBedFixture.Services, PerSecond, Open);
        var random = new Random(4);
        int changes = await ChangeAsync(random, TimeSpan.FromSeconds(5));
        await fixture.Bed.Proxy!.KillAsync();
        changes += await ChangeAsync(random, TimeSpan.FromSeconds(1));
        await fixture.StartAsync(proxy);
        changes += await ChangeAsync(random, TimeSpan.FromSeconds(3));
        await Task.WhenAll(Enumerable.Range(0, ProxyBedFixture.Services).Select(fixture.RoutesAsync));

        LoadResult result = await load.StopAsync();
        output.WriteLine($"{proxy}, {changes} changes: {result}");
        await fixture.ClearAsync();
        Assert.True(result.IsClean, result.ToString());
        Assert.InRange(changes, 100, int.MaxValue);
    }

    [ProxyTheory]
    [InlineData("ours nftables", 1)]
    [InlineData("ours iptables", 7)]
    public async Task Rules_flushed_by_others_are_back_in_time(string proxy, int seconds)
    {
        await fixture.ClearAsync();
        await fixture.StartAsync(proxy, "2s");
        await using SteadyLoad load = await SteadyLoad.StartAsync(fixture.Bed.Clients, ProxyBedFixture.Services, PerSecond, Open);
        long begin = Stopwatch.GetTimestamp();
        fixture.Bed.Flush();
        await fixture.RoutesAsync(2);
        TimeSpan repaired = Stopwatch.GetElapsedTime(begin);
        LoadResult result = await load.StopAsync();
        output.WriteLine($"{proxy}: back after {repaired.TotalSeconds:0.00} s; {result}");
        await fixture.ClearAsync();
        // Without rules the kernel does not translate packets of long connections either: those that were sent meanwhile may be reset.
        // The machine may be busy: what is promised, and as much again.
        Assert.InRange(result.Gap.TotalSeconds, 0, (2 * seconds) + 3);
    }

    /// <summary>Random endpoints for random Services, as fast as the API server takes them; each always has one.</summary>
    private async Task<int> ChangeAsync(Random random, TimeSpan time)
    {
        int changes = 0;
        for (long begin = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begin) < time;)
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ =>
            {
                changes++;
                string[] endpoints = [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => ProxyBed.Endpoint(random.Next(120_000))).Distinct()];
                return fixture.Bed.SetEndpointsAsync(random.Next(ProxyBedFixture.Services), endpoints);
            }));
        }

        return changes;
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
