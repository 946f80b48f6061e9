using NodeAgent.Harness.Networks;
using Xunit.Abstractions;

namespace NodeAgent.EndToEnd;

/// <summary>The script of <c>make bench-traffic</c> in short, for our proxy, and with what it may not do.</summary>
[Collection(TrafficBed.Name)]
public sealed class TrafficTests(TrafficBed fixture, ITestOutputHelper output)
{
    [ProxyTheory]
    [InlineData("nftables", 1, "nft flush map ip kube-proxy service-ips", "nft delete table ip kube-proxy")]
    [InlineData("iptables", 7, "iptables -t nat -F KUBE-SERVICES", "iptables-restore no-rules")]
    public async Task No_connection_fails_while_endpoints_change_and_the_proxy_is_killed_and_what_others_break_is_repaired(string mode, int seconds, params string[] foreign)
    {
        TrafficOptions options = new()
        {
            Changes = 300,
            Switches = false,
            SyncPeriod = TimeSpan.FromSeconds(2),
            // Whether an endpoint that is gone is still used is asked once all is settled; a busy machine may be late before.
            Allowed = TimeSpan.FromSeconds(60),
            LongestRepair = TimeSpan.FromSeconds((2 * seconds) + 10),
            Foreign = _ => foreign,
            Announce = output.WriteLine,
        };
        TrafficReport report = await new TrafficScript(fixture.Bed, fixture.Services, options).RunAsync("ours", mode, null);
        Assert.All(report.Parts, part => Assert.Empty(part.Wrong));
        Assert.All(report.Parts.Take(2), part => Assert.True(part.Failures == 0, part.ToString()));
        Assert.Equal(options.Changes, report.Parts[0].Changes);
        Assert.All(report.Parts.Skip(2), part => Assert.False(part.GivenUp, part.ToString()));
    }
}
