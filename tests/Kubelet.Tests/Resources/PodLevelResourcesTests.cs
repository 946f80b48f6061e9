using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;
using static NodeAgent.Kubelet.Tests.Resources.PodResourcesTests;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.Kubelet.Tests.Resources;

/// <summary>spec.resources.</summary>
public sealed class PodLevelResourcesTests
{
    private static readonly ContainerLimitsOptions Node = new(8L << 30, true, 100_000, false, true, [2L << 20, 1L << 30]);

    internal static Pod Whole(Pod pod, string requests, string limits) => pod with
    {
        Spec = pod.Spec with { Resources = With("", requests, limits).Resources },
    };

    [Theory]
    [InlineData("cpu=1 memory=1Gi", "cpu=1 memory=1Gi", QosClass.Guaranteed)]
    [InlineData("cpu=1 memory=1Gi", "cpu=1 memory=2Gi", QosClass.Burstable)]
    [InlineData("cpu=1", "cpu=1", QosClass.Burstable)]
    [InlineData("cpu=1 memory=1Gi", "", QosClass.Burstable)]
    [InlineData("hugepages-2Mi=2Mi", "hugepages-2Mi=2Mi", QosClass.BestEffort)]
    public void The_class_comes_from_the_pod_as_a_whole_whatever_its_containers_have(string requests, string limits, QosClass expected) =>
        Assert.Equal(expected, PodQos.Compute(Whole(PodOf([With("a", "cpu=100m", ""), With("b", "", "")]), requests, limits)));

    [Fact]
    public void The_pods_cgroup_has_the_limits_of_the_whole_though_its_containers_have_none()
    {
        CgroupLimits limits = PodCgroupLimits.ForPod(
            Whole(PodOf([With("a", "cpu=100m", ""), With("b", "", "")]), "cpu=500m memory=64Mi hugepages-2Mi=4Mi", "cpu=1 memory=128Mi hugepages-2Mi=4Mi"), true, 100_000, -1);
        Assert.Equal((512, 100_000, 128L << 20), (limits.CpuShares, limits.CpuQuota, limits.Memory));
        Assert.Equal(4L << 20, limits.HugePages["2MB"]);
    }

    [Fact]
    public void A_container_without_limits_gets_the_pods_and_one_with_limits_keeps_its_own()
    {
        Pod pod = Whole(PodOf([With("a", "", ""), With("b", "cpu=100m", "cpu=200m memory=16Mi hugepages-2Mi=2Mi")]), "cpu=500m", "cpu=1 memory=128Mi hugepages-2Mi=4Mi");
        LinuxContainerResources none = ContainerResourcesBuilder.Build(pod, pod.Spec.Containers[0], Node), own = ContainerResourcesBuilder.Build(pod, pod.Spec.Containers[1], Node);
        Assert.Equal((1024, 100_000, 128L << 20), (none.CpuShares, none.CpuQuota, none.MemoryLimitInBytes));
        Assert.Equal([("2MB", 4UL << 20), ("1GB", 0UL)], none.HugepageLimits.Select(h => (h.PageSize, h.Limit)));
        Assert.Equal((102, 20_000, 16L << 20), (own.CpuShares, own.CpuQuota, own.MemoryLimitInBytes));
        Assert.Equal([("2MB", 2UL << 20), ("1GB", 0UL)], own.HugepageLimits.Select(h => (h.PageSize, h.Limit)));
        LinuxContainerResources sandbox = ContainerResourcesBuilder.ForPod(pod, Node);
        Assert.Equal((512, 100_000, 128L << 20), (sandbox.CpuShares, sandbox.CpuQuota, sandbox.MemoryLimitInBytes));
    }

    [Fact]
    public void Memory_of_the_whole_that_no_container_requests_counts_for_all_of_them_when_memory_runs_out()
    {
        Pod pod = PodOf([With("a", "memory=1Gi", ""), With("b", "", "")]);
        Assert.Equal((875, 999), (Score(pod, 0), Score(pod, 1)));
        pod = Whole(pod, "memory=3Gi", "");
        Assert.Equal((750, 875), (Score(pod, 0), Score(pod, 1)));
        Pod sidecar = Whole(PodOf([With("a", "memory=1Gi", "")], [With("s", "", "", "Always")]), "memory=3Gi", "");
        Assert.Equal(750, ContainerResourcesBuilder.OomScore(sidecar, sidecar.Spec.InitContainers[0], 8L << 30));

        static long Score(Pod pod, int index) => ContainerResourcesBuilder.OomScore(pod, pod.Spec.Containers[index], 8L << 30);
    }

    [Theory]
    [InlineData("limits.cpu", "2")]
    [InlineData("limits.memory", "134217728")]
    [InlineData("limits.ephemeral-storage", "10")]
    [InlineData("requests.cpu", "0")]
    public void A_limit_that_a_container_asks_for_and_has_not_is_the_pods_and_then_the_nodes(string resource, string expected)
    {
        Pod pod = Whole(PodOf([With("a", "", "")]), "cpu=1", "cpu=2 memory=128Mi");
        Assert.Equal(expected, FieldReferences.Resource(pod, pod.Spec.Containers[0], new ResourceFieldSelector { Resource = resource }, List("cpu=8", "memory=8Gi", "ephemeral-storage=10")));
    }

    [Theory]
    [InlineData("", "cpu=2", "cpu=300m memory=64Mi", "cpu=2 hugepages-2Mi=2Mi", "cpu=300m memory=64Mi hugepages-2Mi=2Mi")]
    [InlineData("cpu=1", "cpu=2 memory=1Gi", "", "cpu=2 memory=1Gi hugepages-2Mi=2Mi", "cpu=1 memory=1Gi hugepages-2Mi=2Mi")]
    [InlineData("hugepages-2Mi=4Mi", "", "cpu=300m", "", "hugepages-2Mi=4Mi")]
    [InlineData("", "", "cpu=300m", "", "")]
    public void A_static_pod_gets_the_defaults_that_the_API_server_would_give_it(string requests, string limits, string container, string expectedLimits, string expectedRequests)
    {
        Pod pod = PodDefaults.Apply(Whole(PodOf([With("a", container, ""), With("b", "", "hugepages-2Mi=2Mi")]), requests, limits));
        Assert.Equal(Sorted(List(expectedLimits.Split(' ', StringSplitOptions.RemoveEmptyEntries))), Sorted(pod.Spec.Resources!.Limits));
        Assert.Equal(Sorted(List(expectedRequests.Split(' ', StringSplitOptions.RemoveEmptyEntries))), Sorted(pod.Spec.Resources.Requests));

        static IEnumerable<(string, string)> Sorted(IReadOnlyDictionary<string, Quantity> list) => list.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => (p.Key, p.Value.ToString()));
    }
}
