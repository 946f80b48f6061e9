using NodeAgent.Harness.Host;
using NodeAgent.Harness.Networks;

namespace NodeAgent.EndToEnd;

/// <summary>What fails around the proxy: it is told where one looks for it, what works goes on, and it passes by itself.</summary>
[Collection(TrafficBed.Name)]
public sealed class ProxyTroubleTests(TrafficBed fixture)
{
    private const int HealthPort = 10256, MetricsPort = 10249;
    private const string Failures = "kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family=\"IPv4\"} ";
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(60), Outage = TimeSpan.FromSeconds(2);

    private ProxyBed Bed => fixture.Bed;

    [ProxyFact]
    public async Task No_rule_goes_while_the_API_server_is_away_or_unheard_and_its_changes_arrive_afterwards()
    {
        await fixture.StartAsync("nftables");
        await using SteadyLoad load = await fixture.LoadAsync();
        await Bed.Control.KillApiServerAsync();
        // Nothing may happen in this time, so nothing can be waited for.
        await Task.Delay(Outage);
        await Bed.Control.StartApiServerAsync();
        await fixture.Services.SettleAsync();
        Bed.CutOff(true);
        await Task.Delay(Outage);
        Bed.CutOff(false);
        await fixture.Services.SettleAsync();
        LoadResult result = await load.StopAsync();
        await fixture.ClearAsync();
        Assert.True(result.IsClean, result.ToString());
    }

    [ProxyFact]
    public async Task A_lock_in_other_hands_is_seen_in_health_metrics_and_an_event_breaks_no_connection_and_passes()
    {
        string held = Path.Combine(Bed.Folder, "held");
        await fixture.StartAsync("iptables", "1s", LockedBy(held));
        await fixture.Services.SettleAsync();
        Assert.Equal(200, (await Bed.GetAsync(HealthPort, "/livez"))?.Status);
        await using SteadyLoad load = await fixture.LoadAsync();
        await File.WriteAllTextAsync(held, "");
        Task settling = fixture.Services.SettleAsync();
        foreach (string path in (string[])["/livez", "/healthz"])
        {
            await Until.NothingMissesAsync($"{path} tells that changes wait", Soon, async () => await Bed.GetAsync(HealthPort, path) is (503, _) ? null : "it does not");
        }

        string[] counted = [.. (await Bed.GetAsync(MetricsPort, "/metrics"))!.Value.Body.Split('\n').Where(line => line.StartsWith(Failures, StringComparison.Ordinal))];
        Assert.True(double.Parse(Assert.Single(counted)[Failures.Length..], System.Globalization.CultureInfo.InvariantCulture) >= 1, counted[0]);
        await Until.HoldsAsync("the event is there", Soon, async () => (await EventsAsync()).Contains("FailedToProgramServices", StringComparison.Ordinal));
        Assert.Contains("xtables lock", await EventsAsync(), StringComparison.Ordinal);
        Assert.False(settling.IsCompleted);

        File.Delete(held);
        await settling;
        await Until.NothingMissesAsync("/livez is good again", Soon, async () => await Bed.GetAsync(HealthPort, "/livez") is (200, _) ? null : "it is not");
        LoadResult result = await load.StopAsync();
        await fixture.ClearAsync();
        Assert.True(result.IsClean, result.ToString());
    }

    [ProxyFact]
    public async Task Without_IPv6_the_other_family_is_served_and_the_log_says_so()
    {
        Bed.Node.Exec("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1");
        try
        {
            await fixture.StartAsync("nftables");
            Assert.Equal(["table ip kube-proxy"], Bed.Node.Exec("nft", "list", "tables").Split('\n', StringSplitOptions.RemoveEmptyEntries));
            Assert.Contains("IPv6 is not programmed: it is switched off on this host", Bed.Proxy!.LogTail(), StringComparison.Ordinal);
        }
        finally
        {
            Bed.Node.Exec("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0");
            await fixture.ClearAsync();
        }
    }

    [WithoutIpvsFact]
    public async Task A_kernel_without_ipvs_ends_the_start_with_what_to_do()
    {
        await fixture.ClearAsync();
        ChildProcess proxy = Bed.StartProxy("ipvs");
        await Until.HoldsAsync("the proxy has ended", Soon, () => Task.FromResult(!proxy.IsAlive));
        Assert.Contains("mode: ipvs needs the kernel module ip_vs", proxy.LogTail(), StringComparison.Ordinal);
        await fixture.ClearAsync();
    }

    private async Task<string> EventsAsync() =>
        System.Text.Encoding.UTF8.GetString(await Bed.Api.RawAsync(HttpMethod.Get, "/apis/events.k8s.io/v1/namespaces/default/events"));

    // A program of the same name before the real one: it does not get the lock while a file is there.
    private Dictionary<string, string> LockedBy(string file)
    {
        string folder = Path.Combine(Bed.Folder, "locked"), program = Path.Combine(folder, "iptables-restore");
        Directory.CreateDirectory(folder);
        File.WriteAllText(program, $"#!/bin/sh\n[ -e {file} ] || exec {Tool.Find("iptables-restore")} \"$@\"\necho 'Another app is currently holding the xtables lock.' >&2\nexit 4\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new Dictionary<string, string> { ["PATH"] = $"{folder}:{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin:/usr/bin:/bin" };
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class WithoutIpvsFactAttribute : FactAttribute
    {
        public WithoutIpvsFactAttribute() => Skip = ProxyBed.Missing()
            ?? (File.Exists("/proc/net/ip_vs") || (Directory.Exists("/lib/modules") && Directory.EnumerateDirectories("/lib/modules").Any(kernel => Directory.Exists(Path.Combine(kernel, "kernel/net/netfilter/ipvs")))) ? "this kernel has ip_vs" : null);
    }
}
