using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;
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

    [Theory]
    [InlineData(0, 10)]
    [InlineData(1, 10)]
    [InlineData(2, 20)]
    public void After_a_restart_of_the_agent_the_restart_count_tells_the_delay(int restarts, int seconds)
    {
        var backOff = new CrashLoopBackOff(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(300));
        RuntimeContainerStatus ended = Container("a", State.Exited, attempt: restarts);
        var found = backOff.Check(new PodUid("u"), "busybox", ended, ended.FinishedAt);
        Assert.Equal(restarts == 0 ? null : seconds, found?.Delay.TotalSeconds);
    }

    [Fact]
    public void Delays_double_up_to_the_cap_and_a_long_run_resets_them()
    {
        var backOff = new CrashLoopBackOff(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(300));
        List<double> delays = [];
        DateTimeOffset end = Start;
        for (int attempt = 0; attempt < 8; attempt++)
        {
            end = end.AddMinutes(6);
            RuntimeContainerStatus ended = Container("a", State.Exited, attempt: attempt) with { StartedAt = end.AddSeconds(-1), FinishedAt = end };
            delays.Add(backOff.Check(new PodUid("u"), "busybox", ended, end)?.Delay.TotalSeconds ?? 0);
        }

        Assert.Equal([0, 10, 20, 40, 80, 160, 300, 300], delays);
        RuntimeContainerStatus longRun = Container("a", State.Exited, attempt: 8) with { StartedAt = end, FinishedAt = end.AddMinutes(11) };
        Assert.Null(backOff.Check(new PodUid("u"), "busybox", longRun, longRun.FinishedAt));
    }
}
