using System.Diagnostics;

namespace NodeAgent.Harness.Networks;

/// <summary>How much a <see cref="TrafficScript"/> does.</summary>
public sealed record TrafficOptions
{
    /// <summary>Seed of the changes.</summary>
    public int Seed { get; init; } = 4;

    /// <summary>Changes of endpoints in the first part.</summary>
    public int Changes { get; init; } = 10_000;

    /// <summary>Changes in a second, where the API server keeps up.</summary>
    public int ChangesPerSecond { get; init; } = 100;

    /// <summary>Short connections in a second.</summary>
    public int Connections { get; init; } = 100;

    /// <summary>Long connections in each part.</summary>
    public int Open { get; init; } = 40;

    /// <summary>An endpoint that is not ready any more may get new connections for so long.</summary>
    public TimeSpan Allowed { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A foreign change that is not repaired after so long is not waited for.</summary>
    public TimeSpan LongestRepair { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Foreign changes of the rules to make, by mode; null makes all of <see cref="TrafficScript.ForeignChanges"/>.</summary>
    public Func<string, IReadOnlyList<string>>? Foreign { get; init; }

    /// <summary>Go to the other mode and back.</summary>
    public bool Switches { get; init; } = true;

    /// <summary>The proxies' sync period: in iptables mode they look for foreign changes once in it.</summary>
    public TimeSpan SyncPeriod { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Told at each step.</summary>
    public Action<string> Announce { get; init; } = _ => { };
}

/// <summary>
/// One script for every proxy: steady connections while endpoints change at random, while the proxy is killed and started again, while it
/// goes to the other mode and back, and while others change its rules.
/// </summary>
public sealed class TrafficScript(ProxyBed bed, TrafficServices services, TrafficOptions options)
{
    private const int ChangesBeside = 20;
    private static readonly TimeSpan Down = TimeSpan.FromSeconds(1), Started = TimeSpan.FromSeconds(120), OneTry = TimeSpan.FromMilliseconds(500);

    /// <summary>What others do to the rules of a mode: a program and its arguments.</summary>
    public static IReadOnlyList<string> ForeignChanges(string mode) => mode == "nftables"
        ? ["nft flush map ip kube-proxy service-ips", "nft flush chain ip kube-proxy services", "nft delete table ip kube-proxy", "nft flush ruleset"]
        : ["iptables -t nat -F KUBE-SERVICES", "iptables -t nat -F", "iptables-restore " + NoRules];

    private const string NoRules = "no-rules";

    /// <summary>Does all of it; the node has no rules before and afterwards.</summary>
    /// <param name="subject">A name for the report.</param>
    /// <param name="mode">iptables or nftables.</param>
    /// <param name="program">A proxy other than ours.</param>
    public async Task<TrafficReport> RunAsync(string subject, string mode, string? program)
    {
        List<TrafficPart> parts = [];
        void Add(TrafficPart part)
        {
            parts.Add(part);
            options.Announce(part.ToString());
        }

        bed.Flush();
        await StartAsync(mode, program);
        await services.SettleAsync();
        Add(await PartAsync("random endpoint changes", options.Changes, options.ChangesPerSecond, async changes => _ = await changes));
        Add(await PartAsync("killed and started again", int.MaxValue, ChangesBeside, async _ =>
        {
            await bed.Proxy!.KillAsync();
            await Task.Delay(Down);
            await StartAsync(mode, program);
        }));
        if (options.Switches)
        {
            string other = mode == "nftables" ? "iptables" : "nftables";
            Add(await PartAsync($"to {other} and back", int.MaxValue, ChangesBeside, async _ =>
            {
                foreach (string next in (string[])[other, mode])
                {
                    await bed.StopProxyAsync();
                    await StartAsync(next, program);
                    await services.SettleAsync();
                }
            }));
        }

        foreach (string foreign in options.Foreign?.Invoke(mode) ?? ForeignChanges(mode))
            Add(await ForeignAsync(foreign, mode, program));
        await bed.StopProxyAsync();
        bed.Flush();
        return new TrafficReport(subject, mode, parts, services.Late.Longest);
    }

    private async Task StartAsync(string mode, string? program)
    {
        bed.StartProxy(mode, program, $"{options.SyncPeriod.TotalSeconds:0}s");
        _ = await services.AnsweringAsync(Stopwatch.GetTimestamp(), Started, OneTry)
            ?? throw new TimeoutException($"not every Service answers within {Started.TotalSeconds:0} s of the start of {program ?? "node-agent"} in mode {mode}; {bed.Proxy?.LogTail()}");
    }

    private async Task<TrafficPart> ForeignAsync(string foreign, string mode, string? program)
    {
        TimeSpan? repaired = null;
        string noRules = Path.Combine(bed.Folder, NoRules);
        await File.WriteAllTextAsync(noRules, "*mangle\nCOMMIT\n*nat\nCOMMIT\n*filter\nCOMMIT\n");
        TrafficPart part = await PartAsync(foreign, int.MaxValue, ChangesBeside, async _ =>
        {
            long begin = Stopwatch.GetTimestamp();
            bed.Node.Exec([.. foreign.Split(' ').Select(word => word == NoRules ? noRules : word)]);
            repaired = await services.AnsweringAsync(begin, options.LongestRepair, OneTry);
            if (repaired is null)
            {
                await bed.StopProxyAsync();
                await StartAsync(mode, program);
            }
        });
        return part with { Repaired = repaired, GivenUp = repaired is null };
    }

    /// <summary>Connections and changes while something is done; then all is settled and every target asked.</summary>
    private async Task<TrafficPart> PartAsync(string name, int changes, int perSecond, Func<Task<int>, Task> act)
    {
        options.Announce(name);
        using CancellationTokenSource end = new();
        await using SteadyLoad load = await SteadyLoad.StartAsync(bed.Clients, services.Targets, options.Connections, options.Open, services.Judge(options.Allowed));
        Task<int> changing = services.ChangeAsync(changes, perSecond, end.Token);
        try
        {
            await act(changing);
        }
        finally
        {
            await end.CancelAsync();
            await changing;
        }

        await services.SettleAsync();
        LoadResult result = await load.StopAsync();
        return new TrafficPart(name, await changing, result) { Wrong = await services.SweepAsync() };
    }
}
