using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Tests.Sync;
using NodeAgent.Kubernetes.Objects;
using Container = NodeAgent.Kubernetes.Objects.Container;
using ContainerStatus = NodeAgent.Kubernetes.Objects.ContainerStatus;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.Kubelet.Tests.Status;

public sealed class ObservedResourcesTests
{
    private static Dictionary<string, Quantity> List(string? cpu, string? memory)
    {
        var list = new Dictionary<string, Quantity>();
        if (cpu is not null)
        {
            list["cpu"] = Quantity.Parse(cpu);
        }

        if (memory is not null)
        {
            list["memory"] = Quantity.Parse(memory);
        }

        return list;
    }

    private static Pod Pod(Dictionary<string, Quantity> requests, Dictionary<string, Quantity> limits) => TestPods.Pod() is var p
        ? p with { Spec = p.Spec with { Containers = [new Container { Name = "main", Image = "busybox", Resources = new ResourceRequirements { Requests = requests, Limits = limits } }] } }
        : null!;

    private static RuntimeContainerStatus Running(LinuxContainerResources? resources) =>
        RuntimeStates.Container("main", RuntimeContainerState.Running) with { Resources = resources is null ? null : new ContainerResources { Linux = resources } };

    [Fact]
    public void What_the_runtime_reports_counts_and_the_memory_request_is_what_was_given()
    {
        Pod pod = Pod(List("300m", "30Mi"), List("400m", "40Mi"));
        ResourceRequirements seen = Observed.Resources(
            pod, Running(new LinuxContainerResources { CpuShares = 204, CpuQuota = 20_000, CpuPeriod = 100_000, MemoryLimitInBytes = 20 << 20 }),
            new ResourceRequirements { Requests = List("200m", "15Mi") }, null);
        Assert.Equal(("200m", "15Mi"), (seen.Requests["cpu"].ToString(), seen.Requests["memory"].ToString()));
        Assert.Equal(("200m", "20Mi"), (seen.Limits["cpu"].ToString(), seen.Limits["memory"].ToString()));
    }

    [Fact]
    public void The_least_the_kernel_takes_does_not_hide_what_is_allocated()
    {
        Pod pod = Pod(List("1m", null), List("5m", null));
        ResourceRequirements seen = Observed.Resources(pod, Running(new LinuxContainerResources { CpuShares = 2, CpuQuota = 1000, CpuPeriod = 100_000 }), null, null);
        Assert.Equal(("1m", "5m"), (seen.Requests["cpu"].ToString(), seen.Limits["cpu"].ToString()));
    }

    [Fact]
    public void Without_requests_or_limits_none_appear()
    {
        ResourceRequirements seen = Observed.Resources(
            Pod([], []), Running(new LinuxContainerResources { CpuShares = 2, CpuQuota = 50_000, CpuPeriod = 100_000, MemoryLimitInBytes = 1 << 20 }), null, null);
        Assert.Empty(seen.Requests);
        Assert.Empty(seen.Limits);
    }

    [Fact]
    public void A_runtime_that_reports_nothing_leaves_what_was_given_or_told()
    {
        Pod pod = Pod(List("300m", "30Mi"), List("300m", "30Mi"));
        ResourceRequirements seen = Observed.Resources(pod, Running(null), new ResourceRequirements { Requests = List("100m", "10Mi"), Limits = List("100m", "10Mi") }, null);
        Assert.Equal(("100m", "10Mi"), (seen.Requests["cpu"].ToString(), seen.Limits["memory"].ToString()));
        var told = new ContainerStatus
        {
            Name = "main",
            ContainerID = "fake://main-0",
            State = new Kubernetes.Objects.ContainerState { Running = new ContainerStateRunning() },
            Resources = new ResourceRequirements { Requests = List("200m", "20Mi"), Limits = List("200m", "20Mi") },
        };
        seen = Observed.Resources(pod, Running(null), null, told);
        Assert.Equal(("200m", "20Mi"), (seen.Requests["cpu"].ToString(), seen.Limits["memory"].ToString()));
    }

    [Fact]
    public void What_does_not_run_has_what_is_allocated()
    {
        ResourceRequirements seen = Observed.Resources(
            Pod(List("300m", null), []), Running(new LinuxContainerResources { CpuShares = 204 }) with { State = RuntimeContainerState.Exited }, null, null);
        Assert.Equal("300m", seen.Requests["cpu"].ToString());
    }
}
