using NodeAgent.Cri;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Kubelet.Server;

/// <summary>Upstream's metrics of the node, the runtime's calls and what runs. Source: pkg/kubelet/metrics/metrics.go.</summary>
public sealed class KubeletMetrics : IRuntimeOperationObserver
{
    // 5 ms, each further two and a half times as long.
    private static readonly double[] OperationBuckets = [.. Enumerable.Range(0, 14).Select(i => 0.005 * Math.Pow(2.5, i))];
    private readonly CounterFamily _operations, _errors;
    private readonly HistogramFamily _durations;

    private readonly GaugeFamily _cgroupVersion;

    /// <summary>Registers them.</summary>
    /// <param name="registry">/metrics.</param>
    /// <param name="nodeName">Value of kubelet_node_name.</param>
    /// <param name="observed">What the runtime has, when asked.</param>
    public KubeletMetrics(MetricsRegistry registry, string nodeName, Func<IEnumerable<RuntimePodStatus>> observed)
    {
        ArgumentNullException.ThrowIfNull(registry);
        ProcessMetrics.Register(registry);
        _operations = registry.Counter("kubelet_runtime_operations_total", "Cumulative number of runtime operations by operation type.", "operation_type");
        _errors = registry.Counter("kubelet_runtime_operations_errors_total", "Cumulative number of runtime operation errors by operation type.", "operation_type");
        _durations = registry.Histogram(
            "kubelet_runtime_operations_duration_seconds", "Duration in seconds of runtime operations. Broken down by operation type.", OperationBuckets, "operation_type");
        registry.Gauge("kubelet_node_name", "The node's name. The count is always 1.", "node").With(nodeName).Set(1);
        _cgroupVersion = registry.Gauge("kubelet_cgroup_version", "cgroup version on the hosts.");
        GaugeFamily pods = registry.Gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox");
        GaugeFamily containers = registry.Gauge("kubelet_running_containers", "Number of containers currently running", "container_state");
        registry.OnCollect(() => Count([.. observed()], pods, containers));
    }

    /// <summary>Tells the host's cgroup version.</summary>
    public void OfHost(CgroupVersion version) => _cgroupVersion.With().Set((int)version);

    /// <inheritdoc/>
    public void Ended(string operation, TimeSpan elapsed, CriErrorKind? error)
    {
        _operations.With(operation).Increment();
        _durations.With(operation).Observe(elapsed.TotalSeconds);
        if (error is not null)
        {
            _errors.With(operation).Increment();
        }
    }

    private static void Count(RuntimePodStatus[] all, GaugeFamily pods, GaugeFamily containers)
    {
        pods.With().Set(all.Count(p => p.Sandboxes.Any(s => s.State == RuntimeSandboxState.Ready)));
        containers.Clear();
        foreach (IGrouping<RuntimeContainerState, RuntimeContainerStatus> group in all.SelectMany(p => p.Containers).GroupBy(c => c.State))
        {
            containers.With(group.Key.ToString().ToLowerInvariant()).Set(group.Count());
        }
    }
}
