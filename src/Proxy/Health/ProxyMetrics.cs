using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Proxy.Conntrack;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Health;

/// <summary>kubeproxy_* metrics. Source: pkg/proxy/metrics/metrics.go.</summary>
public sealed class ProxyMetrics
{
    private static readonly double[] SyncBuckets = [.. Enumerable.Range(0, 15).Select(k => 0.001 * Math.Pow(2, k))];
    private static readonly double[] ProgrammingBuckets =
        [0.25, 0.5, .. Enumerable.Range(1, 59).Select(s => (double)s), .. Enumerable.Range(0, 12).Select(k => 60.0 + (5 * k)), .. Enumerable.Range(0, 7).Select(k => 120.0 + (30 * k))];
    private readonly MetricsRegistry _registry;
    private readonly TimeProvider _time;
    private readonly HistogramFamily _all;
    private readonly HistogramFamily _full;
    private readonly HistogramFamily _partial;
    private readonly HistogramFamily _programming;
    private readonly GaugeFamily _last;
    private readonly GaugeFamily _queued;
    private readonly GaugeFamily _noLocal;
    private readonly CounterFamily _healthz;
    private readonly CounterFamily _livez;

    /// <summary>Declares the metrics.</summary>
    public ProxyMetrics(MetricsRegistry registry, TimeProvider time)
    {
        (_registry, _time) = (registry, time);
        _all = registry.Histogram("kubeproxy_sync_proxy_rules_duration_seconds", "Time one pass over the rules took, in seconds.", SyncBuckets, "ip_family");
        _full = registry.Histogram("kubeproxy_sync_full_proxy_rules_duration_seconds", "Time one pass over all rules took, in seconds.", SyncBuckets, "ip_family");
        _partial = registry.Histogram("kubeproxy_sync_partial_proxy_rules_duration_seconds", "Time one pass over changed rules took, in seconds.", SyncBuckets, "ip_family");
        _programming = registry.Histogram(
            "kubeproxy_network_programming_duration_seconds", "Time from a change of endpoints to its rules, in seconds.", ProgrammingBuckets, "ip_family");
        _last = registry.Gauge("kubeproxy_sync_proxy_rules_last_timestamp_seconds", "When the rules were last in order.", "ip_family");
        _queued = registry.Gauge("kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "When a pass was last asked for.", "ip_family");
        _noLocal = registry.Gauge("kubeproxy_sync_proxy_rules_no_local_endpoints_total", "Service ports with policy Local and no endpoint on this node.", "traffic_policy", "ip_family");
        _healthz = registry.Counter("kubeproxy_proxy_healthz_total", "Answers of /healthz.", "code");
        _livez = registry.Counter("kubeproxy_proxy_livez_total", "Answers of /livez.", "code");
    }

    /// <summary>A health path was answered.</summary>
    public void HealthAnswered(bool livez, int code) =>
        (livez ? _livez : _healthz).With(code.ToString(System.Globalization.CultureInfo.InvariantCulture)).Increment();

    /// <summary>A pass was asked for.</summary>
    public void Queued(IPFamily family) => _queued.With(family.ToString()).Set(Now());

    /// <summary>Changes of endpoints are in the rules now.</summary>
    /// <param name="family">The family.</param>
    /// <param name="changes">When they happened.</param>
    public void Programmed(IPFamily family, IReadOnlyList<DateTimeOffset> changes)
    {
        HistogramFamily.Series series = _programming.With(family.ToString());
        foreach (DateTimeOffset change in changes)
        {
            series.Observe(Math.Max(0, (_time.GetUtcNow() - change).TotalSeconds));
        }
    }

    /// <summary>Measures passes in iptables mode.</summary>
    public void Follow(IptablesProxier proxier)
    {
        string family = proxier.Family.ToString();
        GaugeFamily rules = _registry.Gauge("kubeproxy_sync_proxy_rules_iptables_total", "iptables rules owned.", "table", "ip_family");
        GaugeFamily sent = _registry.Gauge("kubeproxy_sync_proxy_rules_iptables_last", "iptables rules written by the last pass.", "table", "ip_family");
        CounterFamily.Series failures = _registry.Counter("kubeproxy_sync_proxy_rules_iptables_restore_failures_total", "Failures of iptables-restore.", "ip_family").With(family);
        CounterFamily.Series partialFailures = _registry.Counter(
            "kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total", "Failures of iptables-restore in passes over changed rules.", "ip_family").With(family);
        proxier.Passed += pass =>
        {
            Passed(proxier, pass, family);
            if (!pass.Succeeded)
            {
                failures.Increment();
                partialFailures.Increment(pass.Full ? 0 : 1);
                return;
            }

            (int filter, int nat) = proxier.RuleCount;
            rules.With("filter", family).Set(filter);
            rules.With("nat", family).Set(nat);
            sent.With("filter", family).Set(pass.FilterRules);
            sent.With("nat", family).Set(pass.NatRules);
        };
    }

    /// <summary>Measures passes in nftables mode.</summary>
    public void Follow(NftablesProxier proxier)
    {
        string family = proxier.Family.ToString();
        CounterFamily.Series failures = _registry.Counter("kubeproxy_sync_proxy_rules_nftables_sync_failures_total", "Transactions of nftables the kernel refused.", "ip_family").With(family);
        CounterFamily.Series cleanup = _registry.Counter("kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total", "Unused chains of nftables that could not be deleted.", "ip_family").With(family);
        proxier.Passed += pass =>
        {
            cleanup.Increment(pass.CleanupFailed ? 1 : 0);
            failures.Increment(pass.Succeeded ? 0 : 1);
            Passed(proxier, pass, family);
        };
    }

    /// <summary>Measures passes in ipvs mode.</summary>
    public void Follow(IpvsProxier proxier)
    {
        string family = proxier.Family.ToString();
        CounterFamily.Series failures = _registry.Counter("kubeproxy_sync_proxy_rules_iptables_restore_failures_total", "Failures of iptables-restore.", "ip_family").With(family);
        proxier.Passed += pass =>
        {
            failures.Increment(pass.RestoreFailed ? 1 : 0);
            Passed(proxier, pass, family);
        };
    }

    /// <summary>Packets the kernel counts for rules of iptables mode, read at scrape time; a counter that is gone is left out.</summary>
    public void Follow(PacketCounters counters)
    {
        CounterFamily invalid = _registry.Counter("kubeproxy_iptables_ct_state_invalid_dropped_packets_total", "Packets dropped because conntrack called them invalid.");
        CounterFamily localhost = _registry.Counter("kubeproxy_iptables_localhost_nodeports_accepted_packets_total", "Packets taken for node ports on loopback addresses.");
        _registry.OnCollect(() =>
        {
            foreach ((CounterFamily family, string name) in (ReadOnlySpan<(CounterFamily, string)>)[(invalid, PacketCounters.InvalidDropped), (localhost, PacketCounters.LocalhostAccepted)])
            {
                if (counters.Read(name) is { } packets)
                {
                    family.With().Increment(Math.Max(0, packets - family.With().Value));
                }
            }
        });
    }

    /// <summary>Measures the deletion of stale flows.</summary>
    public void Follow(ConntrackCleaner cleaner, IPFamily family)
    {
        HistogramFamily duration = _registry.Histogram("kubeproxy_conntrack_reconciler_sync_duration_seconds", "Time one look at the flows took, in seconds.", SyncBuckets, "ip_family");
        CounterFamily deleted = _registry.Counter("kubeproxy_conntrack_reconciler_deleted_entries_total", "Stale flows deleted.", "ip_family");
        deleted.With(family.ToString());
        cleaner.Passed += pass =>
        {
            duration.With(family.ToString()).Observe(pass.Duration.TotalSeconds);
            deleted.With(family.ToString()).Increment(pass.Deleted);
        };
    }

    /// <summary>Counts of changes over all families, read at scrape time.</summary>
    public void Follow(IReadOnlyList<ProxyState> states)
    {
        GaugeFamily.Series slicesPending = _registry.Gauge("kubeproxy_sync_proxy_rules_endpoint_changes_pending", "Endpoint changes not yet in the rules.").With();
        GaugeFamily.Series servicesPending = _registry.Gauge("kubeproxy_sync_proxy_rules_service_changes_pending", "Service changes not yet in the rules.").With();
        CounterFamily.Series slices = _registry.Counter("kubeproxy_sync_proxy_rules_endpoint_changes_total", "Endpoint changes seen.").With();
        CounterFamily.Series services = _registry.Counter("kubeproxy_sync_proxy_rules_service_changes_total", "Service changes seen.").With();
        _registry.OnCollect(() =>
        {
            ChangeCounts[] counts = [.. states.Select(s => s.Counts)];
            slicesPending.Set(counts.Sum(c => c.SlicesPending));
            servicesPending.Set(counts.Sum(c => c.ServicesPending));
            slices.Increment(Math.Max(0, counts.Sum(c => c.Slices) - slices.Value));
            services.Increment(Math.Max(0, counts.Sum(c => c.Services) - services.Value));
        });
    }

    private void Passed(IProxier proxier, ProxyPass pass, string family)
    {
        _all.With(family).Observe(pass.Duration.TotalSeconds);
        (pass.Full ? _full : _partial).With(family).Observe(pass.Duration.TotalSeconds);
        if (!pass.Succeeded)
        {
            // Failed passes count in the durations alone, as upstream.
            return;
        }

        _last.With(family).Set(Now());
        (int @internal, int external) = proxier.Dropped;
        _noLocal.With("internal", family).Set(@internal);
        _noLocal.With("external", family).Set(external);
    }

    private double Now() => _time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;
}
