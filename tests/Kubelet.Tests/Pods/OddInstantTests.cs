using NodeAgent.Cri.V1;
using NodeAgent.FakeCriRuntime;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.Kubelet.Tests.Pods;

/// <summary>kill -9 while a pod gets its ids or its image volume: the next life doubles nothing and leaves nothing behind.</summary>
public sealed class OddInstantTests
{
    private const string Artifact = "registry.test/artifact:1";
    private static readonly uint[] AllIds = [65536, 2 * 65536, 3 * 65536];

    private static Pod Own(string name) => PodCore.Pod(name) is var p ? p with { Spec = p.Spec with { HostUsers = false } } : null!;

    private static Pod WithImage(string name = "web") => PodCore.Pod(name) is var p
        ? p with
        {
            Spec = p.Spec with
            {
                Volumes = [new Volume { Name = "data", Image = new ImageVolumeSource { Reference = Artifact, PullPolicy = "IfNotPresent" } }],
                Containers = [p.Spec.Containers[0] with { VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }] }],
            },
        }
        : null!;

    private static uint[] IdsInUse(PodCore core) =>
        [.. core.Fake.Sandboxes.Where(s => s.Status.State == PodSandboxState.SandboxReady).Select(s => s.Status.Linux.Namespaces.Options.UsernsOptions.Uids.Single().HostId).Order()];

    private static string[] PodFolders(PodCore core) => Directory.Exists(core.Paths.Pods) ? Directory.GetDirectories(core.Paths.Pods) : [];

    private static string[] Intents(PodCore core) => Directory.GetFiles(Path.Combine(core.Agent.PullsRoot, "image_manager", "pulling"));

    private static int Pulls(PodCore core) => core.Fake.Calls.Count(c => c.Request is PullImageRequest);

    /// <summary>As many pods as there are ids run side by side: none of them is lost.</summary>
    private static async Task EverybodyHasRoomAsync(PodCore core, params string[] there)
    {
        string[] more = [.. Enumerable.Range(there.Length, AllIds.Length - there.Length).Select(i => $"more-{i}")];
        foreach (string name in more)
        {
            core.Api.Put(Own(name));
        }

        await core.UntilAsync(() => there.Concat(more).All(core.Runs), "all pods that have room run");
        Assert.Equal(AllIds, IdsInUse(core));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Killed_between_the_ids_file_and_the_sandbox_the_pod_keeps_its_ids(bool carriedOut)
    {
        await using PodCore core = await PodCore.StartAsync();
        core.Fake.Behaviour.On("RunPodSandbox", carriedOut ? Reaction.NeverAfterwards : Reaction.Never, times: 1);
        core.Api.Put(Own("web"));
        await core.UntilAsync(() => core.Changes().Contains("RunPodSandbox"), "the call");
        string file = Path.Combine(Assert.Single(PodFolders(core)), "userns");
        string ids = await File.ReadAllTextAsync(file);
        core.KillAgent();
        core.StartAgent();
        await core.UntilAsync(() => core.Runs("web"), "the pod runs");
        Assert.Equal(ids, await File.ReadAllTextAsync(file));
        Assert.Equal([65536u], IdsInUse(core));
        Assert.Single(core.Fake.Containers);
        await EverybodyHasRoomAsync(core, "web");
        Assert.Empty(core.Breaches);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Ids_of_a_pod_that_went_while_nobody_was_there_are_free_again(bool carriedOut)
    {
        await using PodCore core = await PodCore.StartAsync();
        core.Fake.Behaviour.On("RunPodSandbox", carriedOut ? Reaction.NeverAfterwards : Reaction.Never, times: 1);
        core.Api.Put(Own("web"));
        await core.UntilAsync(() => core.Changes().Contains("RunPodSandbox"), "the call");
        core.KillAgent();
        core.Api.DeleteByForce("web");
        core.StartAgent();
        await core.UntilAsync(() => PodFolders(core).Length == 0 && core.Fake.Sandboxes.Length == 0, "what is left of it goes");
        await EverybodyHasRoomAsync(core);
        Assert.Empty(core.Breaches);
    }

    [Fact]
    public async Task Killed_before_the_ids_file_has_its_name_the_pod_gets_ids_all_the_same_and_takes_the_rest_along()
    {
        await using PodCore core = await PodCore.StartAsync(agent: false);
        Pod pod = Own("web");
        string folder = Directory.CreateDirectory(core.Paths.Pod(pod.Uid)).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, ".userns.5e8f"), "{\"uidMappings\":[{\"hostId\":655");
        core.Api.Put(pod);
        core.StartAgent();
        await core.UntilAsync(() => core.Runs("web"), "the pod runs");
        await EverybodyHasRoomAsync(core, "web");
        core.Api.Delete("web", grace: 1);
        await core.UntilAsync(() => core.Api.Find("web") is null && !Directory.Exists(folder), "it goes with its folder");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Killed_while_an_image_volume_is_pulled_the_next_life_goes_on_with_one_sandbox_and_forgets_no_pull(bool carriedOut)
    {
        await using PodCore core = await PullingAsync(carriedOut);
        Assert.Single(Intents(core));
        core.KillAgent();
        core.StartAgent();
        await core.UntilAsync(() => core.Runs("web"), "the pod runs");
        // Whose credentials brought an image whose pull nobody saw end is not known: as upstream the pod proves its right by one more pull, of which the runtime has all.
        Assert.Equal(2, Pulls(core));
        Assert.Empty(Intents(core));
        Assert.Single(core.Fake.Sandboxes);
        CreateContainerRequest created = Assert.Single(core.Fake.Calls.Select(c => c.Request).OfType<CreateContainerRequest>());
        Assert.Equal(Artifact, created.Config.Mounts.Single(m => m.ContainerPath == "/data").Image.UserSpecifiedImage);
        Assert.Empty(core.Breaches);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_pod_deleted_after_the_kill_during_its_pull_leaves_nothing(bool carriedOut)
    {
        await using PodCore core = await PullingAsync(carriedOut);
        core.KillAgent();
        core.Api.Delete("web", grace: 1);
        core.StartAgent();
        await core.UntilAsync(() => core.Api.Find("web") is null && core.Fake.Sandboxes.Length == 0 && PodFolders(core).Length == 0, "it goes with all it had");
        Assert.Equal(1, Pulls(core));
        // Without its image the intent stays: what a later pull brings still counts as pulled by this node.
        Assert.Equal(carriedOut ? 0 : 1, Intents(core).Length);
        Assert.Empty(core.Fake.Containers);
        Assert.Empty(core.Breaches);
    }

    /// <summary>A pod whose image volume is being pulled, which is never answered; the runtime may carry it out all the same.</summary>
    private static async Task<PodCore> PullingAsync(bool carriedOut)
    {
        PodCore core = await PodCore.StartAsync();
        core.Volumes.GivesAll = true;
        core.Fake.Behaviour.On("PullImage", carriedOut ? Reaction.NeverAfterwards : Reaction.Never, times: 1);
        core.Api.Put(WithImage());
        await core.UntilAsync(() => Pulls(core) == 1, "the pull");
        return core;
    }
}
