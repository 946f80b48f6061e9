using System.Diagnostics;
using System.Globalization;
using System.Net;
using NodeAgent.Harness.Host;
using NodeAgent.Harness.Networks;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using Xunit.Abstractions;

namespace NodeAgent.EndToEnd;

/// <summary>What fails around the proxy: it is told where one looks for it, and what works goes on.</summary>
[Collection(TrafficBed.Name)]
public sealed class ProxyTroubleTests(TrafficBed fixture, ITestOutputHelper output)
{
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

    [ProxyFact]
    public async Task What_others_take_out_of_the_nftables_rules_is_there_again_before_long_twice_in_a_row_too()
    {
        await fixture.StartAsync("nftables");
        LoadTarget target = fixture.Services.Targets[0];
        using ServiceClient client = new(Bed.Clients);
        string element = $"nft delete element ip kube-proxy service-ips {{ {target.IP} . tcp . {target.Port} }}";
        foreach (string foreign in from change in (string[])["nft flush ruleset", "nft delete table ip kube-proxy", element, "nft flush chain ip kube-proxy services"] from _ in Enumerable.Range(0, 2) select change)
        {
            long begun = Stopwatch.GetTimestamp();
            Bed.Node.Exec(foreign.Split(' '));
            ServiceAnswer answer;
            int failed = -1;
            do
            {
                failed++;
                // The kernel refuses some at once and is silent to more of them (icmp_ratelimit): a client's own next try comes a second later. Patience grows, for slow machines.
                answer = await client.AskAsync(target.IP, target.Port, TimeSpan.FromMilliseconds(50 + (10 * failed)));
            }
            while (answer.Endpoint is null && Stopwatch.GetElapsedTime(begun) < Soon);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{foreign}: answers again {Stopwatch.GetElapsedTime(begun).TotalMilliseconds:0} ms after its start, {failed} connections failed"));
            Assert.True(answer.Endpoint is not null, $"{foreign}: {answer.Failure}; {Bed.Proxy!.LogTail()}");
        }

        await fixture.ClearAsync();
    }

    [LegacyIptablesFact]
    public async Task While_others_hold_the_xtables_lock_health_metrics_and_an_event_tell_and_without_it_all_is_programmed_by_itself()
    {
        string file = Path.Combine(Bed.Folder, "xtables.lock");
        await fixture.StartAsync("iptables", "1s", LegacyPrograms(file));
        await using SteadyLoad load = await fixture.LoadAsync();
        using HttpClient http = Bed.OnNode();
        // The ports open once the rules are there.
        await Until.HoldsAsync("health answers", Soon, async () => await HealthAsync(http) == HttpStatusCode.OK);
        await Until.HoldsAsync("metrics tell of no failure", Soon, async () => await FailuresAsync(http) == 0);
        Task settled;
        // .NET's exclusive share is flock(2), the same that the programs take.
        using (FileStream held = new(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
        {
            settled = fixture.Services.SettleAsync();
            await Until.HoldsAsync("health tells of the change that waits", Soon, async () => await HealthAsync(http) == HttpStatusCode.ServiceUnavailable);
            await Until.HoldsAsync("a pass has failed", Soon, async () => await FailuresAsync(http) > 0);
            await Until.HoldsAsync("an event tells", Soon, async () => (await EventsAsync("FailedToProgramServices")).Contains("xtables lock", StringComparison.Ordinal));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, await HealthAsync(http));
            Assert.False(settled.IsCompleted);
        }

        // Nobody changes anything any more.
        await settled;
        await Until.HoldsAsync("health is well again", Soon, async () => await HealthAsync(http) == HttpStatusCode.OK);
        LoadResult result = await load.StopAsync();
        await fixture.ClearAsync();
        Assert.True(result.IsClean, result.ToString());
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

    /// <summary>An environment in which iptables is the program that takes the lock, whatever the host has chosen, and the lock is a file of the bed's.</summary>
    private Dictionary<string, string> LegacyPrograms(string file)
    {
        string folder = Directory.CreateDirectory(Path.Combine(Bed.Folder, "legacy")).FullName;
        foreach (string name in from family in (string[])["iptables", "ip6tables"] from kind in (string[])["", "-save", "-restore"] select family + kind)
        {
            if (!File.Exists(Path.Combine(folder, name)))
            {
                File.CreateSymbolicLink(Path.Combine(folder, name), LegacyIptablesFactAttribute.Program);
            }
        }

        return new Dictionary<string, string> { ["PATH"] = $"{folder}:{Environment.GetEnvironmentVariable("PATH")}", ["XTABLES_LOCKFILE"] = file };
    }

    private static async Task<HttpStatusCode> HealthAsync(HttpClient http)
    {
        using HttpResponseMessage answer = await http.GetAsync(new Uri("http://127.0.0.1:10256/healthz"));
        return answer.StatusCode;
    }

    /// <summary>Passes of IPv4 that failed, as the proxy counts them.</summary>
    private static async Task<double> FailuresAsync(HttpClient http)
    {
        const string name = "kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family=\"IPv4\"} ";
        string metrics = await http.GetStringAsync(new Uri("http://127.0.0.1:10249/metrics"));
        return double.Parse(metrics.Split('\n').Single(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..], CultureInfo.InvariantCulture);
    }

    /// <summary>The notes of the proxy's events of a reason, one a line.</summary>
    private async Task<string> EventsAsync(string reason)
    {
        KubernetesList<EventsV1Event> events = await Bed.Api.ListAsync<EventsV1Event>("default");
        return string.Join('\n', events.Items.Where(e => e.Reason == reason).Select(e => e.Note));
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class LegacyIptablesFactAttribute : FactAttribute
    {
        internal const string Program = "/usr/sbin/xtables-legacy-multi";

        public LegacyIptablesFactAttribute() => Skip = ProxyBed.Missing() ?? (File.Exists(Program) ? null : $"needs {Program} of the iptables package");
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class WithoutIpvsFactAttribute : FactAttribute
    {
        public WithoutIpvsFactAttribute() => Skip = ProxyBed.Missing()
            ?? (File.Exists("/proc/net/ip_vs") || (Directory.Exists("/lib/modules") && Directory.EnumerateDirectories("/lib/modules").Any(kernel => Directory.Exists(Path.Combine(kernel, "kernel/net/netfilter/ipvs")))) ? "this kernel has ip_vs" : null);
    }
}
