using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Allocation;

public sealed class ResizeMetricsTests
{
    private static Pod Pod(string? request, string? limit, string resource = "memory") => TestPods.Pod() is var p ? p with
    {
        Spec = p.Spec with { Containers = [p.Spec.Containers[0] with { Resources = new ResourceRequirements { Requests = Of(resource, request), Limits = Of(resource, limit) } }] },
    } : null!;

    private static Dictionary<string, Quantity> Of(string resource, string? amount) => amount is null ? [] : new() { [resource] = Quantity.Parse(amount) };

    [Theory]
    [InlineData("1", "2", "1", "2", "")]
    [InlineData("1", "2", "2", "2", "memory requests increase")]
    [InlineData("2", "2", "1", "2", "memory requests decrease")]
    [InlineData(null, "2", "1", null, "memory requests add, memory limits remove")]
    public void Each_resource_of_each_container_is_counted_by_what_changes(string? requestBefore, string? limitBefore, string? requestAfter, string? limitAfter, string expected) =>
        Assert.Equal(expected, string.Join(", ", ResizeMetrics.Operations(Pod(requestBefore, limitBefore), Pod(requestAfter, limitAfter)).Select(o => $"{o.Resource} {o.Requirement} {o.Operation}")));
}
