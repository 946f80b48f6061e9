using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Metrics;

namespace NodeAgent.Kubelet.Probes;

/// <summary>Upstream's metrics of probes. Source: pkg/kubelet/prober/prober_manager.go.</summary>
public sealed class ProbeMetrics
{
    private readonly CounterFamily _total;
    private readonly HistogramFamily _duration;

    /// <summary>Registers prober_probe_total and prober_probe_duration_seconds.</summary>
    public ProbeMetrics(MetricsRegistry registry)
    {
        ArgumentNullException.ThrowIfNull(registry);
        _total = registry.Counter(
            "prober_probe_total", "Cumulative number of a liveness, readiness or startup probe for a container by result.",
            "probe_type", "result", "container", "pod", "namespace", "pod_uid");
        _duration = registry.Histogram(
            "prober_probe_duration_seconds", "Duration in seconds for a probe response.", MetricsRegistry.DefaultBuckets, "probe_type", "container", "pod", "namespace");
    }

    internal void Observed(PodRef pod, string container, ProbeType type, bool success, TimeSpan took)
    {
        _total.With(type.ToString(), success ? "successful" : "failed", container, pod.Name, pod.Namespace, pod.Uid.Value).Increment();
        if (success)
        {
            _duration.With(type.ToString(), container, pod.Name, pod.Namespace).Observe(took.TotalSeconds);
        }
    }

    internal void Forget(PodRef pod, string container, ProbeType type)
    {
        foreach (string result in (ReadOnlySpan<string>)["successful", "failed", "unknown"])
        {
            _total.Remove(type.ToString(), result, container, pod.Name, pod.Namespace, pod.Uid.Value);
        }

        _duration.Remove(type.ToString(), container, pod.Name, pod.Namespace);
    }
}
