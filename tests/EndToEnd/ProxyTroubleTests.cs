using NodeAgent.Harness.Host;
using NodeAgent.Harness.Networks;

namespace NodeAgent.EndToEnd;

/// <summary>What fails around the proxy: it is told where one looks for it, and what works goes on.</summary>
[Collection(TrafficBed.Name)]
public sealed class ProxyTroubleTests(TrafficBed fixture)
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

    [WithoutIpvsFact]
    public async Task A_kernel_without_ipvs_ends_the_start_with_what_to_do()
    {
        await fixture.ClearAsync();
        ChildProcess proxy = Bed.StartProxy("ipvs");
        await Until.HoldsAsync("the proxy has ended", Soon, () => Task.FromResult(!proxy.IsAlive));
        Assert.Contains("mode: ipvs needs the kernel module ip_vs", proxy.LogTail(), StringComparison.Ordinal);
        await fixture.ClearAsync();
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class WithoutIpvsFactAttribute : FactAttribute
    {
        public WithoutIpvsFactAttribute() => Skip = ProxyBed.Missing()
            ?? (File.Exists("/proc/net/ip_vs") || (Directory.Exists("/lib/modules") && Directory.EnumerateDirectories("/lib/modules").Any(kernel => Directory.Exists(Path.Combine(kernel, "kernel/net/netfilter/ipvs")))) ? "this kernel has ip_vs" : null);
    }
}
