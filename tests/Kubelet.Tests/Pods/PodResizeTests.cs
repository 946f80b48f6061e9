using NodeAgent.Cri.V1;
using NodeAgent.FakeCriRuntime;
using NodeAgent.Grpc;
using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;
using Container = NodeAgent.Kubernetes.Objects.Container;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.Kubelet.Tests.Pods;

/// <summary>In-place resizes, the pods' whole way.</summary>
public sealed class PodResizeTests
{
    private static Pod Of(long generation, params (string Name, string Cpu, string Memory)[] containers) => PodCore.Pod(containers: [.. containers.Select(c => c.Name)]) is var p
        ? p with
        {
            Metadata = p.Metadata with { Generation = generation },
            Spec = p.Spec with { Containers = [.. p.Spec.Containers.Zip(containers, (c, r) => c with { Resources = Resources(r.Cpu, r.Memory) })] },
        }
        : null!;

    private static ResourceRequirements Resources(string cpu, string memory)
    {
        var list = new Dictionary<string, Quantity> { ["cpu"] = Quantity.Parse(cpu), ["memory"] = Quantity.Parse(memory) };
        return new ResourceRequirements { Requests = list, Limits = list };
    }

    private static async Task<PodCore> RunningAsync(Pod pod)
    {
        PodCore core = await PodCore.StartAsync();
        core.Api.Put(pod);
        await core.UntilAsync(() => core.Runs("web"), "the pod runs");
        return core;
    }

    private static void Resize(PodCore core, Pod to) => core.Api.Put(core.Api.Find("web")! with { Metadata = to.Metadata, Spec = to.Spec });

    private static bool Settled(PodCore core, long generation) => core.Api.Find("web") is { Status.ObservedGeneration: var seen } p && seen >= generation
        && !p.Status.Conditions.Any(c => c.Type.StartsWith("PodResize", StringComparison.Ordinal));

    private static UpdateContainerResourcesRequest[] Updates(PodCore core) => [.. core.Fake.Calls.Select(c => c.Request).OfType<UpdateContainerResourcesRequest>()];

    [Fact]
    public async Task A_resize_reaches_runtime_cgroup_and_status_and_restarts_nothing()
    {
        await using PodCore core = await RunningAsync(Of(1, ("a", "100m", "10Mi"), ("b", "200m", "20Mi")));
        Resize(core, Of(2, ("a", "300m", "30Mi"), ("b", "100m", "10Mi")));
        await core.UntilAsync(() => Settled(core, 2) && core.Agent.Events.All.Any(e => e.Reason == "ResizeCompleted"), "the resize is done");
        PodStatus status = core.Api.Find("web")!.Status;
        Assert.Equal(["300m", "100m"], status.ContainerStatuses.Select(s => s.Resources!.Limits["cpu"].ToString()));
        Assert.Equal(["30Mi", "10Mi"], status.ContainerStatuses.Select(s => s.Resources!.Requests["memory"].ToString()));
        Assert.Equal(["300m", "100m"], status.ContainerStatuses.Select(s => s.AllocatedResources["cpu"].ToString()));
        Assert.All(status.ContainerStatuses, s => Assert.Equal(0, s.RestartCount));
        Assert.Equal(4, Updates(core).Length);
        // Memory first, b before a as it gets less; the pod, which gets more, before both.
        Assert.Equal(10 << 20, Updates(core)[0].Linux.MemoryLimitInBytes);
        Assert.Equal([(40L << 20, null), (null, 40_000L), (null, null)], core.Cgroups.Writes.Select(w => (w.Memory, w.CpuQuota)));
        Assert.Equal(["ResizeStarted", "ResizeCompleted"], core.Agent.Events.All.Select(e => e.Reason).Where(r => r.StartsWith("Resize", StringComparison.Ordinal)));
        Assert.Single(core.Changes(), c => c == "RunPodSandbox");
        Assert.Equal(2, core.Changes().Count(c => c == "StartContainer"));
    }

    [Fact]
    public async Task What_a_pod_has_as_a_whole_is_resized_with_its_containers_that_have_nothing_and_told()
    {
        Pod Whole(long generation, string cpu, string memory) => Of(generation, ("main", "0", "0")) is var p
            ? p with { Spec = p.Spec with { Resources = Resources(cpu, memory), Containers = [p.Spec.Containers[0] with { Resources = null }] } } : null!;
        await using PodCore core = await RunningAsync(Whole(1, "200m", "20Mi"));
        await core.UntilAsync(() => core.Api.Find("web")!.Status is { Phase: "Running", Resources: not null }, "it is told");
        Assert.Equal("20Mi", core.Api.Find("web")!.Status.Resources!.Limits["memory"].ToString());
        Resize(core, Whole(2, "400m", "40Mi"));
        await core.UntilAsync(() => Settled(core, 2) && core.Agent.Events.All.Any(e => e.Reason == "ResizeCompleted"), "the resize is done");
        PodStatus status = core.Api.Find("web")!.Status;
        Assert.Equal(("400m", "40Mi"), (status.Resources!.Limits["cpu"].ToString(), status.Resources.Limits["memory"].ToString()));
        Assert.Equal(("400m", "40Mi"), (status.Resources.Requests["cpu"].ToString(), status.Resources.Requests["memory"].ToString()));
        Assert.Equal(("400m", "40Mi"), (status.AllocatedResources["cpu"].ToString(), status.AllocatedResources["memory"].ToString()));
        Assert.Equal([(40L << 20, 0L), (0L, 40_000L)], Updates(core).Select(u => (u.Linux.MemoryLimitInBytes == 40 << 20 && u.Linux.CpuQuota == 20_000 ? 40L << 20 : 0, u.Linux.CpuQuota == 40_000 ? 40_000L : 0)));
        CgroupLimits limits = core.Cgroups.Set[new PodUid("uid-web")];
        Assert.Equal((40L << 20, 40_000L, 409L), (limits.Memory, limits.CpuQuota, limits.CpuShares));
        Assert.Equal(0, status.ContainerStatuses[0].RestartCount);
        Assert.Contains("40Mi", System.Text.Encoding.UTF8.GetString(core.Files[PodResourceState.ActuatedFile]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pod_that_gets_less_is_resized_after_its_containers()
    {
        await using PodCore core = await RunningAsync(Of(1, ("main", "200m", "20Mi")));
        int updatesBefore = -1;
        core.Cgroups.Setting = _ => updatesBefore = Updates(core).Length;
        Resize(core, Of(2, ("main", "100m", "10Mi")));
        await core.UntilAsync(() => Settled(core, 2), "the resize is done");
        Assert.Equal(2, updatesBefore);
        CgroupLimits limits = core.Cgroups.Set[new PodUid("uid-web")];
        Assert.Equal((10L << 20, 10_000L, 102L), (limits.Memory, limits.CpuQuota, limits.CpuShares));
    }

    [Fact]
    public async Task A_memory_limit_below_what_is_used_is_not_set_and_told()
    {
        await using PodCore core = await RunningAsync(Of(1, ("main", "200m", "20Mi")));
        core.Cgroups.Usage = 15 << 20;
        Resize(core, Of(2, ("main", "200m", "10Mi")));
        await core.UntilAsync(() => core.Api.Find("web")!.Status.Conditions.Any(c => c is { Type: "PodResizeInProgress", Reason: "Error" }), "the error is told");
        PodCondition condition = core.Api.Find("web")!.Status.Conditions.Single(c => c.Type == "PodResizeInProgress");
        Assert.StartsWith($"cannot decrease memory limits: attempting to set pod memory limit ({10 << 20}) below current usage ({15 << 20})", condition.Message, StringComparison.Ordinal);
        Assert.Empty(Updates(core));
        Assert.Contains(core.Agent.Events.All, e => e.Reason == "ResizeError");
        core.Cgroups.Usage = 1 << 20;
        await core.UntilAsync(() => Settled(core, 2), "it is done once it can be");
        Assert.Single(Updates(core));
    }

    [Fact]
    public async Task A_resize_without_room_leaves_the_pod_as_it_is_and_says_so()
    {
        await using PodCore core = await RunningAsync(Of(1, ("main", "200m", "20Mi")));
        core.NoRoom = ("OutOfcpu", "Node didn't have enough resource: cpu, requested: 9000, used: 0, capacity: 2000");
        Resize(core, Of(2, ("main", "9", "20Mi")));
        await core.UntilAsync(() => core.Api.Find("web")!.Status.Conditions.Any(c => c is { Type: "PodResizePending", Reason: "Deferred", ObservedGeneration: 2 }), "it waits");
        Assert.Equal("200m", core.Api.Find("web")!.Status.ContainerStatuses[0].AllocatedResources["cpu"].ToString());
        Assert.Equal(2, core.Api.Find("web")!.Status.ObservedGeneration);
        Assert.Empty(Updates(core));
        core.NoRoom = null;
        Resize(core, Of(3, ("main", "500m", "20Mi")));
        await core.UntilAsync(() => Settled(core, 3), "a smaller one is done");
        Assert.Equal("500m", core.Api.Find("web")!.Status.ContainerStatuses[0].AllocatedResources["cpu"].ToString());
    }

    [Fact]
    public async Task An_agent_that_was_away_during_a_resize_carries_it_out_and_one_killed_in_it_ends_it()
    {
        await using PodCore core = await RunningAsync(Of(1, ("main", "200m", "20Mi")));
        core.KillAgent();
        Resize(core, Of(2, ("main", "300m", "20Mi")));
        core.Fake.Behaviour.On("UpdateContainerResources", Reaction.Never, times: 1);
        core.StartAgent();
        await core.UntilAsync(() => Updates(core).Length == 1, "the resize begins");
        core.KillAgent();
        Assert.Contains("300m", System.Text.Encoding.UTF8.GetString(core.Files[PodResourceState.AllocatedFile]), StringComparison.Ordinal);
        Assert.Contains("200m", System.Text.Encoding.UTF8.GetString(core.Files[PodResourceState.ActuatedFile]), StringComparison.Ordinal);
        core.StartAgent();
        await core.UntilAsync(() => Settled(core, 2), "the resize is done");
        Assert.Equal("300m", core.Api.Find("web")!.Status.ContainerStatuses[0].Resources!.Requests["cpu"].ToString());
        Assert.Equal(0, core.Api.Find("web")!.Status.ContainerStatuses[0].RestartCount);
        Assert.Equal(1, core.Changes().Count(c => c == "StartContainer"));
    }

    [Fact]
    public async Task A_runtime_that_refuses_the_pods_values_keeps_them_from_being_set()
    {
        await using PodCore core = await RunningAsync(Of(1, ("main", "200m", "20Mi")));
        core.Fake.Behaviour.On("UpdatePodSandboxResources", Reaction.Fail(StatusCode.ResourceExhausted, "not here"), times: 1);
        Resize(core, Of(2, ("main", "300m", "20Mi")));
        await core.UntilAsync(() => core.Agent.Events.All.Any(e => e.Reason == "ResizeError"), "the refusal is told");
        Assert.Empty(core.Cgroups.Writes);
        Assert.Empty(Updates(core));
        core.Fake.Behaviour.On("UpdatePodSandboxResources", Reaction.Fail(StatusCode.Unimplemented, "what"));
        await core.UntilAsync(() => Settled(core, 2), "a runtime that need not know holds nothing up");
    }

    [Fact]
    public async Task A_container_that_restarts_for_it_has_its_new_resources_and_counts_a_restart()
    {
        Container Restarting(Container c) => c with { ResizePolicy = [new ContainerResizePolicy { ResourceName = "memory", RestartPolicy = "RestartContainer" }] };
        Pod WithPolicy(Pod p) => p with { Spec = p.Spec with { Containers = [.. p.Spec.Containers.Select(Restarting)] } };
        await using PodCore core = await RunningAsync(WithPolicy(Of(1, ("main", "200m", "20Mi"))));
        Resize(core, WithPolicy(Of(2, ("main", "200m", "30Mi"))));
        await core.UntilAsync(() => core.Running().Any(c => c.Status.Metadata.Attempt == 1) && Settled(core, 2) && core.Runs("web"), "the container restarted");
        Assert.Contains(core.Agent.Events.All, e => e is { Reason: "Killing", Message: "Container main resize requires restart" });
        Assert.Equal(30L << 20, core.Cgroups.Set[new PodUid("uid-web")].Memory);
        Assert.Equal(("30Mi", 1), (core.Api.Find("web")!.Status.ContainerStatuses[0].Resources!.Limits["memory"].ToString(), core.Api.Find("web")!.Status.ContainerStatuses[0].RestartCount));
        Assert.Empty(core.Breaches);
    }
}
