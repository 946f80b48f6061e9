using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sync;
using static NodeAgent.Kubelet.Tests.Sync.RuntimeStates;
using State = NodeAgent.Kubelet.Pleg.RuntimeContainerState;

namespace NodeAgent.Kubelet.Tests.Containers;

public sealed class ContainerGarbageTests
{
    private static RuntimePodListing Listing(RuntimeSandboxStatus[] sandboxes, params RuntimeContainerStatus[] containers) =>
        new(TestPods.Pod().Ref, [.. sandboxes], [.. containers]);

    [Fact]
    public void Of_a_wanted_pod_the_newest_dead_attempt_of_each_container_stays()
    {
        PodGarbage garbage = ContainerGarbageCollector.Choose(
            Listing([Sandbox()], Container("a", State.Exited, attempt: 0), Container("a", State.Exited, attempt: 1), Container("a", State.Running, attempt: 2), Container("b", State.Exited)),
            exists: true, kept: 1);
        Assert.Equal(["a-0"], garbage.Containers.Select(c => c.Id.Id));
        Assert.Empty(garbage.Sandboxes);
    }

    [Fact]
    public void Of_a_pod_that_is_gone_everything_dead_goes_and_nothing_that_runs()
    {
        PodGarbage garbage = ContainerGarbageCollector.Choose(
            Listing([Sandbox(0, RuntimeSandboxState.NotReady)], Container("a", State.Exited), Container("b", State.Running), Container("c", State.Unknown), Container("d", State.Created)),
            exists: false, kept: 1);
        Assert.Equal(["a-0"], garbage.Containers.Select(c => c.Id.Id));
        Assert.Empty(garbage.Sandboxes);
    }

    [Fact]
    public void Old_sandboxes_without_containers_go_but_not_the_newest_nor_one_that_is_ready()
    {
        RuntimeSandboxStatus[] sandboxes = [Sandbox(3, RuntimeSandboxState.NotReady), Sandbox(2, RuntimeSandboxState.NotReady), Sandbox(1), Sandbox(0, RuntimeSandboxState.NotReady)];
        PodGarbage garbage = ContainerGarbageCollector.Choose(Listing(sandboxes, Container("a", State.Exited, sandbox: "s0")), exists: true, kept: 1);
        Assert.Equal(["s2"], garbage.Sandboxes.Select(s => s.Id));
    }

    [Fact]
    public void A_link_name_is_cut_as_upstream_cuts_it()
    {
        string name = ContainerLogLinks.NameOf(new PodRef("ns", new string('p', 200), new PodUid("u")), "c", new string('0', 64));
        Assert.Equal(251 + 4, name.Length);
        Assert.EndsWith(".log", name, StringComparison.Ordinal);
        Assert.Equal("web_default_main-abc.log", ContainerLogLinks.NameOf(TestPods.Pod().Ref, "main", "abc"));
    }

    [Fact]
    public void Links_lie_where_upstream_has_them() =>
        Assert.Equal("/var/log/containers", ContainerLogLinks.FolderOf(new KubeletPaths("/var/lib/kubelet", "/var/log/pods")));
}
