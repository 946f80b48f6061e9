using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using static NodeAgent.Kubelet.Tests.Sync.RuntimeStates;
using State = NodeAgent.Kubelet.Pleg.RuntimeContainerState;

namespace NodeAgent.Kubelet.Tests.Containers;

public sealed class ContainerGarbageTests
{
    private static RuntimePodListing Listing(RuntimeSandboxStatus[] sandboxes, params RuntimeContainerStatus[] containers) =>
        new(TestPods.Pod().Ref, [.. sandboxes], [.. containers]);

    private static PodGarbage Choose(RuntimePodListing pod, bool exists, int kept) =>
        Assert.Single(PodGarbage.Choose([pod], _ => !exists, DeadContainerPolicy.Default with { PerContainer = kept }, Start.AddHours(1)));

    private static RuntimePodListing Dead(string pod, params (string Name, int Attempt)[] containers) =>
        new(new PodRef("ns", pod, new PodUid(pod)), [Sandbox()], [.. containers.Select(c => Container(c.Name, State.Exited, attempt: c.Attempt))]);

    [Theory]
    [InlineData(1, -1, 0, "a0 a1 a2")]
    [InlineData(-1, -1, 0, "")]
    [InlineData(0, -1, 0, "a0 a1 a2 a3 b9")]
    // Two names: each keeps one, then the oldest of all go.
    [InlineData(-1, 3, 0, "a0 a1 a2")]
    [InlineData(-1, 1, 0, "a0 a1 a2 a3")]
    [InlineData(-1, 5, 0, "")]
    [InlineData(1, -1, 3598, "a0 a1")]
    [InlineData(1, -1, 7200, "")]
    public void Numbers_and_ages(int perContainer, int total, int seconds, string goes)
    {
        IReadOnlyList<PodGarbage> garbage = PodGarbage.Choose(
            [Dead("p", ("a", 0), ("a", 1), ("a", 2), ("a", 3)), Dead("q", ("b", 9))], _ => false,
            new DeadContainerPolicy(perContainer, total, TimeSpan.FromSeconds(seconds)), Start.AddHours(1));
        Assert.Equal(goes, string.Join(' ', garbage.SelectMany(g => g.Containers).Select(c => c.Id.Id.Replace("-", "", StringComparison.Ordinal)).Order(StringComparer.Ordinal)));
    }

    [Fact]
    public void A_limit_for_the_node_takes_nothing_from_pods_that_are_gone()
    {
        IReadOnlyList<PodGarbage> garbage = PodGarbage.Choose(
            [Dead("p", ("a", 0)), Dead("gone", ("b", 1), ("b", 2))], uid => uid.Value == "gone", new DeadContainerPolicy(1, 1, TimeSpan.Zero), Start.AddHours(1));
        Assert.Equal(["b-1", "b-2"], garbage.SelectMany(g => g.Containers).Select(c => c.Id.Id).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_link_without_log_goes_unless_its_container_lives()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("links");
        try
        {
            string links = Path.Combine(folder.FullName, "containers"), logs = Path.Combine(folder.FullName, "pods");
            Directory.CreateDirectory(links);
            Directory.CreateDirectory(logs);
            File.WriteAllText(Path.Combine(logs, "there.log"), "");
            File.CreateSymbolicLink(Path.Combine(links, "p_ns_c-there.log"), Path.Combine(logs, "there.log"));
            File.CreateSymbolicLink(Path.Combine(links, "p_ns_c-dead.log"), Path.Combine(logs, "dead.log"));
            File.CreateSymbolicLink(Path.Combine(links, "p_ns_c-rotating.log"), Path.Combine(logs, "rotating.log"));
            File.CreateSymbolicLink(Path.Combine(links, "somebody-elses.log"), "/nowhere/x.log");
            ContainerLogLinks.RemoveDangling(links, logs, new HashSet<string> { "rotating" });
            Assert.Equal(
                ["p_ns_c-rotating.log", "p_ns_c-there.log", "somebody-elses.log"],
                Directory.EnumerateFileSystemEntries(links).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Of_a_wanted_pod_the_newest_dead_attempt_of_each_container_stays()
    {
        PodGarbage garbage = Choose(
            Listing([Sandbox()], Container("a", State.Exited, attempt: 0), Container("a", State.Exited, attempt: 1), Container("a", State.Running, attempt: 2), Container("b", State.Exited)),
            exists: true, kept: 1);
        Assert.Equal(["a-0"], garbage.Containers.Select(c => c.Id.Id));
        Assert.Empty(garbage.Sandboxes);
    }

    [Fact]
    public void Of_a_pod_that_is_gone_everything_dead_goes_and_nothing_that_runs()
    {
        PodGarbage garbage = Choose(
            Listing([Sandbox(0, RuntimeSandboxState.NotReady)], Container("a", State.Exited), Container("b", State.Running), Container("c", State.Unknown), Container("d", State.Created)),
            exists: false, kept: 1);
        Assert.Equal(["a-0"], garbage.Containers.Select(c => c.Id.Id));
        Assert.Empty(garbage.Sandboxes);
    }

    [Fact]
    public void Old_sandboxes_without_containers_go_but_not_the_newest_nor_one_that_is_ready()
    {
        RuntimeSandboxStatus[] sandboxes = [Sandbox(3, RuntimeSandboxState.NotReady), Sandbox(2, RuntimeSandboxState.NotReady), Sandbox(1), Sandbox(0, RuntimeSandboxState.NotReady)];
        PodGarbage garbage = Choose(Listing(sandboxes, Container("a", State.Exited, sandbox: "s0")), exists: true, kept: 1);
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
