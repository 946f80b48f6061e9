using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Proxy.Conntrack;
using NodeAgent.Proxy.Health;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Tests.Rulesets;
using NodeAgent.Proxy.Tracking;
using NodeAgent.Testing;

namespace NodeAgent.Proxy.Tests.Health;

/// <summary>Names, kinds, labels and buckets of upstream's pkg/proxy/metrics/metrics.go.</summary>
public sealed class ProxyMetricsTests
{
    private const string Family = "ip_family=\"IPv4\"";
    private readonly MetricsRegistry _registry = new();
    private readonly FakeTimeProvider _time = new();
    private readonly FakeIptables _iptables = new();
    private readonly FakeNftKernel _nft = new(IPFamily.IPv4);
    private readonly ProxyState _state = new(IPFamily.IPv4);
    private readonly IptablesProxier _iptablesProxier;
    private readonly NftablesProxier _nftProxier;
    private readonly ProxyMetrics _metrics;

    public ProxyMetricsTests()
    {
        _metrics = new ProxyMetrics(_registry, _time);
        IptablesOptions options = new() { Family = IPFamily.IPv4, LocalTraffic = LocalTrafficDetector.ByCidr("10.244.0.0/16"), LocalhostNodePorts = true };
        _iptablesProxier = new IptablesProxier(_state, options, _iptables, "node1", _time, NullLogger<IptablesProxier>.Instance);
        _nftProxier = new NftablesProxier(_state, NftCorpus.Options(IPFamily.IPv4), _nft, "node1", _time, NullLogger<NftablesProxier>.Instance);
        _metrics.Follow(_iptablesProxier);
        _metrics.Follow(_nftProxier);
        _metrics.Follow([_state]);
        _metrics.Follow(new ConntrackCleaner(_state, () => throw new InvalidOperationException("nothing of UDP"), _time, NullLogger<ConntrackCleaner>.Instance), IPFamily.IPv4);
        _state.SetService(TestServices.Service("web"));
        _state.SetSlice(TestServices.Slice("web", "10.244.0.5"));
    }

    [Theory]
    [InlineData("sync_proxy_rules_duration_seconds", "histogram", Family)]
    [InlineData("sync_full_proxy_rules_duration_seconds", "histogram", Family)]
    [InlineData("sync_partial_proxy_rules_duration_seconds", "histogram", Family)]
    [InlineData("sync_proxy_rules_last_timestamp_seconds", "gauge", Family)]
    [InlineData("sync_proxy_rules_last_queued_timestamp_seconds", "gauge", Family)]
    [InlineData("network_programming_duration_seconds", "histogram", Family)]
    [InlineData("sync_proxy_rules_endpoint_changes_pending", "gauge", "")]
    [InlineData("sync_proxy_rules_endpoint_changes_total", "counter", "")]
    [InlineData("sync_proxy_rules_service_changes_pending", "gauge", "")]
    [InlineData("sync_proxy_rules_service_changes_total", "counter", "")]
    [InlineData("sync_proxy_rules_no_local_endpoints_total", "gauge", "traffic_policy=\"internal\"," + Family)]
    [InlineData("sync_proxy_rules_no_local_endpoints_total", "gauge", "traffic_policy=\"external\"," + Family)]
    [InlineData("proxy_healthz_total", "counter", "code=\"200\"")]
    [InlineData("proxy_livez_total", "counter", "code=\"503\"")]
    [InlineData("sync_proxy_rules_iptables_total", "gauge", "table=\"filter\"," + Family)]
    [InlineData("sync_proxy_rules_iptables_last", "gauge", "table=\"nat\"," + Family)]
    [InlineData("sync_proxy_rules_iptables_restore_failures_total", "counter", Family)]
    [InlineData("sync_proxy_rules_iptables_partial_restore_failures_total", "counter", Family)]
    [InlineData("sync_proxy_rules_nftables_sync_failures_total", "counter", Family)]
    [InlineData("sync_proxy_rules_nftables_cleanup_failures_total", "counter", Family)]
    [InlineData("conntrack_reconciler_deleted_entries_total", "counter", Family)]
    public async Task Each_metric_has_upstreams_kind_and_labels(string name, string kind, string labels)
    {
        await ProgramAsync();
        string text = Page();
        Assert.Contains($"# TYPE kubeproxy_{name} {kind}\n", text, StringComparison.Ordinal);
        string suffix = kind == "histogram" ? "_count" : "", braces = labels.Length == 0 ? "" : "{" + labels + "}";
        Assert.Contains($"\nkubeproxy_{name}{suffix}{braces} ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Passes_have_buckets_that_double_from_a_millisecond_and_programming_those_up_to_five_minutes()
    {
        await ProgramAsync();
        Assert.Equal([.. Enumerable.Range(0, 15).Select(k => 0.001 * (1 << k)), double.PositiveInfinity], Buckets("sync_proxy_rules_duration_seconds"), Near);
        Assert.Equal(
            [
                0.25, 0.5, .. Enumerable.Range(1, 59).Select(s => (double)s), .. Enumerable.Range(0, 12).Select(k => 60.0 + (5 * k)),
                .. Enumerable.Range(0, 7).Select(k => 120.0 + (30 * k)), double.PositiveInfinity,
            ],
            Buckets("network_programming_duration_seconds"), Near);
    }

    [Fact]
    public async Task Failed_passes_count_in_the_durations_and_not_as_the_last_success()
    {
        _iptables.Fail = true;
        Assert.False(await _iptablesProxier.SyncAsync(default));
        string text = Page();
        Assert.Contains($"\nkubeproxy_sync_full_proxy_rules_duration_seconds_count{{{Family}}} 1\n", text, StringComparison.Ordinal);
        Assert.Contains($"\nkubeproxy_sync_proxy_rules_iptables_restore_failures_total{{{Family}}} 1\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("\nkubeproxy_sync_proxy_rules_last_timestamp_seconds{", text, StringComparison.Ordinal);
    }

    /// <summary>A full and a partial pass of each mode, and what the servers and the runner tell.</summary>
    private async Task ProgramAsync()
    {
        Assert.True(await _iptablesProxier.SyncAsync(default));
        _state.RequestFull();
        Assert.True(await _nftProxier.SyncAsync(default));
        _state.SetSlice(TestServices.Slice("web", "10.244.0.6"));
        Assert.True(await _nftProxier.SyncAsync(default));
        _metrics.Queued(IPFamily.IPv4);
        _metrics.Programmed(IPFamily.IPv4, [_time.GetUtcNow()]);
        _metrics.HealthAnswered(livez: false, 200);
        _metrics.HealthAnswered(livez: true, 503);
    }

    private static bool Near(double one, double other) => one.Equals(other) || Math.Abs(one - other) < 1e-9;

    private string Page() => "\n" + _registry.Write();

    private double[] Buckets(string name) =>
        [.. Regex.Matches(Page(), $"\nkubeproxy_{name}_bucket{{[^}}]*le=\"([^\"]+)\"}}").Select(m => m.Groups[1].Value == "+Inf"
            ? double.PositiveInfinity : double.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture))];
}
