using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;
using static NodeAgent.Kubelet.Tests.Sync.RuntimeStates;
using State = NodeAgent.Kubelet.Pleg.RuntimeContainerState;

namespace NodeAgent.Kubelet.Tests.Sync;

public sealed class ResizePlannerTests
{
    private static readonly ContainerHealth Healthy = new(false, false, Started: true);

    private static ResourceRequirements Of(string cpu, string memory) => new()
    {
        Requests = new Dictionary<string, Quantity> { ["cpu"] = Quantity.Parse(cpu), ["memory"] = Quantity.Parse(memory) },
        Limits = new Dictionary<string, Quantity> { ["cpu"] = Quantity.Parse(cpu), ["memory"] = Quantity.Parse(memory) },
    };

    private static Pod Pod(params (string Name, ResourceRequirements Resources)[] containers) => TestPods.Pod() is var p
        ? p with { Spec = p.Spec with { Containers = [.. containers.Select(c => new Container { Name = c.Name, Image = "busybox", Resources = c.Resources })] } } : null!;

    private static PodActions Plan(Pod pod, RuntimePodStatus status, Dictionary<string, ResourceRequirements> actuated) =>
        PodActionPlanner.Compute(pod, status, _ => Healthy, new ActuatedResources(actuated.GetValueOrDefault, null));

    [Fact]
    public void Those_that_get_less_come_before_those_that_get_more()
    {
        Pod pod = Pod(("more", Of("2", "20Mi")), ("less", Of("1", "5Mi")), ("same", Of("1", "10Mi")));
        var actuated = new Dictionary<string, ResourceRequirements> { ["more"] = Of("1", "10Mi"), ["less"] = Of("1", "10Mi"), ["same"] = Of("1", "10Mi") };
        RuntimePodStatus status = Running(pod, Container("more", State.Running), Container("less", State.Running), Container("same", State.Running));
        PodActions actions = Plan(pod, status, actuated);
        Assert.Equal(["less", "more"], actions.ResizeMemory.Select(r => r.Container.Name));
        Assert.Equal(["more"], actions.ResizeCpu.Select(r => r.Container.Name));
        Assert.Empty(actions.Kill);
        Assert.True(ResizePlanner.InProgress(pod, status, new ActuatedResources(actuated.GetValueOrDefault, null)));
    }

    [Fact]
    public void A_container_whose_policy_says_so_restarts_and_its_pod_is_resized()
    {
        Pod pod = Pod(("main", Of("1", "20Mi")));
        pod = pod with { Spec = pod.Spec with { Containers = [pod.Spec.Containers[0] with { ResizePolicy = [new ContainerResizePolicy { ResourceName = "memory", RestartPolicy = "RestartContainer" }] }] } };
        PodActions actions = Plan(pod, Running(pod, Container("main", State.Running)), new() { ["main"] = Of("1", "10Mi") });
        Assert.Equal("Container main resize requires restart", Assert.Single(actions.Kill).Reason);
        Assert.Equal(["main"], actions.Start.Select(c => c.Name));
        Assert.True(actions is { ResizePod: true, KillPod: false });
        Assert.Empty(actions.ResizeMemory);
        actions = Plan(pod, Running(pod, Container("main", State.Running)), new() { ["main"] = Of("2", "20Mi") });
        Assert.Empty(actions.Kill);
        Assert.Single(actions.ResizeCpu);
    }

    [Fact]
    public void Where_nothing_is_on_record_values_are_set_again_and_nothing_restarts()
    {
        Pod pod = Pod(("main", Of("1", "20Mi")));
        pod = pod with { Spec = pod.Spec with { Containers = [pod.Spec.Containers[0] with { ResizePolicy = [new ContainerResizePolicy { ResourceName = "memory", RestartPolicy = "RestartContainer" }] }] } };
        RuntimePodStatus status = Running(pod, Container("main", State.Running));
        PodActions actions = Plan(pod, status, []);
        Assert.Empty(actions.Kill);
        Assert.Single(actions.ResizeMemory);
        Assert.False(ResizePlanner.InProgress(pod, status, new ActuatedResources(_ => null, null)));
    }

    [Fact]
    public void What_does_not_run_is_not_resized()
    {
        Pod pod = Pod(("main", Of("1", "20Mi")));
        RuntimePodStatus status = Running(pod, Container("main", State.Exited, 1));
        Assert.False(Plan(pod, status, new() { ["main"] = Of("1", "10Mi") }).Resizes);
        Assert.False(ResizePlanner.InProgress(pod, status, new ActuatedResources(_ => Of("1", "10Mi"), null)));
    }

    [Fact]
    public void Limits_of_the_pod_as_a_whole_resize_it_and_the_containers_that_have_none()
    {
        ResourceRequirements Whole(string cpu, string memory) => new() { Limits = Of(cpu, memory).Limits, Requests = Of(cpu, memory).Requests };
        Pod pod = Pod(("own", Of("1", "10Mi")), ("none", ResourceRequirements.Empty));
        pod = pod with { Spec = pod.Spec with { Resources = Whole("2", "30Mi") } };
        var given = new ActuatedResources(name => name == "own" ? Of("1", "10Mi") : new ResourceRequirements { Limits = Of("2", "20Mi").Limits }, Whole("2", "20Mi"));
        RuntimePodStatus status = Running(pod, Container("own", State.Running), Container("none", State.Running));
        PodActions actions = PodActionPlanner.Compute(pod, status, _ => Healthy, given);
        ContainerResize resize = Assert.Single(actions.ResizeMemory);
        Assert.Equal(("none", 20L << 20, 30L << 20), (resize.Container.Name, resize.Current.MemoryLimit, resize.Desired.MemoryLimit));
        Assert.Empty(actions.ResizeCpu);
        Assert.True(actions is { ResizePodLevel: true, ResizePod: false, Resizes: true });
        Assert.True(ResizePlanner.InProgress(pod, status, given));
        var done = new ActuatedResources(name => name == "own" ? Of("1", "10Mi") : new ResourceRequirements { Limits = Of("2", "30Mi").Limits }, Whole("2", "30Mi"));
        Assert.True(PodActionPlanner.Compute(pod, status, _ => Healthy, done).IsEmpty);
        Assert.False(ResizePlanner.InProgress(pod, status, done));
    }
}
