using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Allocation;

/// <summary>What in-place resizes come to. Source: pkg/kubelet/metrics/metrics.go.</summary>
public sealed class ResizeMetrics
{
    private static readonly double[] DurationBuckets = [10, 50, 100, 500, 1000, 2000, 5000, 10000, 20000, 30000, 60000, 120000, 300000, 600000];
    private readonly CounterFamily _requested, _accepted, _infeasible;
    private readonly HistogramFamily _durations;

    /// <summary>Registers them.</summary>
    /// <param name="registry">/metrics.</param>
    /// <param name="conditions">What waits and what is under way.</param>
    public ResizeMetrics(MetricsRegistry registry, ResizeConditions conditions)
    {
        ArgumentNullException.ThrowIfNull(registry);
        _requested = registry.Counter(
            "kubelet_container_requested_resizes_total", "Number of requested resizes, counted at the container level. Different resources on the same container are counted separately.",
            "resource", "requirement", "operation");
        _accepted = registry.Counter("kubelet_pod_deferred_accepted_resizes_total", "Cumulative number of resizes that were accepted after being deferred.", "retry_trigger");
        _infeasible = registry.Counter("kubelet_pod_infeasible_resizes_total", "Number of infeasible resizes for pods.", "reason_detail");
        _durations = registry.Histogram("kubelet_pod_resize_duration_milliseconds", "Duration in milliseconds to actuate a pod resize", DurationBuckets, "success");
        GaugeFamily pending = registry.Gauge("kubelet_pod_pending_resizes", "Number of pending resizes for pods.", "reason");
        GaugeFamily inProgress = registry.Gauge("kubelet_pod_in_progress_resizes", "Number of in-progress resizes for pods.");
        registry.OnCollect(() =>
        {
            pending.Clear();
            foreach (IGrouping<string, PodCondition> reason in conditions.AllPending.GroupBy(c => c.Reason ?? ""))
            {
                pending.With(reason.Key.ToLowerInvariant()).Set(reason.Count());
            }

            inProgress.With().Set(conditions.InProgressCount);
        });
    }

    /// <summary>Other resources were asked for.</summary>
    public void Requested(Pod before, Pod after)
    {
        foreach ((string resource, string requirement, string operation) in Operations(before, after))
        {
            _requested.With(resource, requirement, operation).Increment();
        }
    }

    /// <summary>A resize that had to wait is carried out.</summary>
    /// <param name="trigger">What made room.</param>
    public void Accepted(string trigger) => _accepted.With(trigger).Increment();

    /// <summary>A resize can never be carried out here.</summary>
    /// <param name="detail">Why, in upstream's word for it.</param>
    public void Infeasible(string detail) => _infeasible.With(detail).Increment();

    /// <summary>A resize was carried out or broke off.</summary>
    public void Actuated(bool success, TimeSpan took) => _durations.With(success ? "true" : "false").Observe(Math.Floor(took.TotalMilliseconds));

    /// <summary>What changes: resource, requests or limits, and add, remove, increase or decrease. Pure.</summary>
    internal static IEnumerable<(string Resource, string Requirement, string Operation)> Operations(Pod before, Pod after) =>
        from pair in PodResources.AllContainers(before).Join(PodResources.AllContainers(after), c => c.Name, c => c.Name, (b, a) => (Before: b.Resources, After: a.Resources))
        from resource in new[] { PodResources.Memory, PodResources.Cpu }
        from change in new[]
        {
            (Requirement: "requests", Before: PodResources.Amount(pair.Before?.Requests, resource) ?? Quantity.Zero, After: PodResources.Amount(pair.After?.Requests, resource) ?? Quantity.Zero),
            (Requirement: "limits", Before: PodResources.Amount(pair.Before?.Limits, resource) ?? Quantity.Zero, After: PodResources.Amount(pair.After?.Limits, resource) ?? Quantity.Zero),
        }
        where change.Before != change.After
        select (resource, change.Requirement, change.After.IsZero ? "remove" : change.Before.IsZero ? "add" : change.After > change.Before ? "increase" : "decrease");
}
