using NodeAgent.Cri;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Server;
using NodeAgent.Kubernetes.Metrics;

namespace NodeAgent.Kubelet.Tests.Server;

public sealed class KubeletMetricsTests
{
    [Fact]
    public void Calls_and_what_runs_are_counted_under_upstreams_names()
    {
        RuntimePodStatus[] observed =
        [
            new() { Pod = TestPods.Pod().Ref, Containers = [Container(RuntimeContainerState.Running), Container(RuntimeContainerState.Running), Container(RuntimeContainerState.Exited)] },
        ];
        MetricsRegistry registry = new();
        KubeletMetrics metrics = new(registry, "n1", () => observed);
        metrics.Ended("run_podsandbox", TimeSpan.FromMilliseconds(40), null);
        metrics.Ended("run_podsandbox", TimeSpan.FromSeconds(3), CriErrorKind.Unavailable);
        string[] lines = registry.Write().Split('\n');
        Assert.Contains("kubelet_runtime_operations_total{operation_type=\"run_podsandbox\"} 2", lines);
        Assert.Contains("kubelet_runtime_operations_errors_total{operation_type=\"run_podsandbox\"} 1", lines);
        Assert.Contains("kubelet_runtime_operations_duration_seconds_bucket{operation_type=\"run_podsandbox\",le=\"0.078125\"} 1", lines);
        Assert.Contains("kubelet_node_name{node=\"n1\"} 1", lines);
        Assert.Contains("kubelet_running_pods 0", lines);
        Assert.Contains("kubelet_running_containers{container_state=\"running\"} 2", lines);
        Assert.Contains("kubelet_running_containers{container_state=\"exited\"} 1", lines);
        observed = [];
        Assert.DoesNotContain(registry.Write().Split('\n'), l => l.StartsWith("kubelet_running_containers{", StringComparison.Ordinal));
    }

    private static RuntimeContainerStatus Container(RuntimeContainerState state) => new() { Id = new ContainerId("containerd", "c"), Name = "c", SandboxId = "s", RestartCount = 0, State = state };
}
