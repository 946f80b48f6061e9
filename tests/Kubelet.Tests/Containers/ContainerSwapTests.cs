using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubernetes.Objects;
using Container = NodeAgent.Kubernetes.Objects.Container;

namespace NodeAgent.Kubelet.Tests.Containers;

public sealed class ContainerSwapTests
{
    private static LinuxContainerResources Build(bool v2, SwapOptions? swap, string request, string? limit)
    {
        Container c = RuntimeManagerFixture.Container("main") with
        {
            Resources = new ResourceRequirements
            {
                Requests = new Dictionary<string, Quantity> { ["memory"] = Quantity.Parse(request) },
                Limits = limit is null ? new Dictionary<string, Quantity>() : new Dictionary<string, Quantity> { ["memory"] = Quantity.Parse(limit) },
            },
        };
        return ContainerResourcesBuilder.Build(
            RuntimeManagerFixture.Pod("Always", c), c, new ContainerLimitsOptions(8L << 30, true, 100_000, v2, true, []) { Swap = swap });
    }

    [Theory]
    [InlineData(true, "1Gi", null, "268435456")]
    [InlineData(true, "1Gi", "2Gi", "268435456")]
    [InlineData(true, "1Gi", "1Gi", "0")]
    [InlineData(false, "1Gi", null, "0")]
    public void On_cgroup_v2_a_burstable_container_gets_its_share_of_the_swap_and_others_none(bool limited, string request, string? limit, string swap) =>
        Assert.Equal(swap, Build(true, new SwapOptions(limited, 2L << 30), request, limit).Unified["memory.swap.max"]);

    [Fact]
    public void On_cgroup_v1_memory_and_swap_together_are_no_more_than_memory() =>
        Assert.Equal(1L << 30, Build(false, new SwapOptions(true, 2L << 30), "1Gi", "1Gi").MemorySwapLimitInBytes);

    [Fact]
    public void Where_the_kernel_does_not_account_for_swap_nothing_is_said()
    {
        Assert.Empty(Build(true, null, "1Gi", null).Unified);
        Assert.Equal(0, Build(false, null, "1Gi", "1Gi").MemorySwapLimitInBytes);
    }
}
