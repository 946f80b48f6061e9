using System.Collections.Immutable;
using NodeAgent.Cri.V1;
using NodeAgent.FakeCriRuntime;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using Container = NodeAgent.Kubernetes.Objects.Container;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.Kubelet.Tests.Containers;

public sealed class ImageVolumeTests
{
    private static Pod Pod(string image, string? policy, params Container[] containers) => RuntimeManagerFixture.Pod("Always", containers) is var p
        ? p with
        {
            Metadata = p.Metadata with { Annotations = new Dictionary<string, string> { ["a"] = "b" } },
            Spec = p.Spec with { Volumes = [new Volume { Name = "data", Image = new ImageVolumeSource { Reference = image, PullPolicy = policy } }] },
        }
        : null!;

    private static Container With(string name, string? subPath = null) => RuntimeManagerFixture.Container(name) with
    {
        VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data", SubPath = subPath }],
    };

    private static async Task<PodSyncResult> PassAsync(RuntimeManagerFixture f, Pod pod)
    {
        Directory.CreateDirectory(f.Paths.Pod(pod.Uid));
        RuntimePodStatus status = await f.Manager.GetPodStatusAsync(pod.Ref, default);
        var volumes = ImmutableDictionary<string, MountedVolume>.Empty.Add("data", new MountedVolume("data", "", ReadOnly: true, MountedVolume.ImageKind));
        return await f.Manager.SyncPodAsync(new PodSyncRequest(pod, status, volumes, "/kubepods/x", ["10.0.0.1"], null), default);
    }

    private static CreateContainerRequest[] Created(RuntimeManagerFixture f) => [.. f.Fake.Calls.Select(c => c.Request).OfType<CreateContainerRequest>()];

    [Fact]
    public async Task An_image_is_pulled_once_and_mounted_by_the_runtime_into_the_containers_that_mount_it()
    {
        await using RuntimeManagerFixture f = await RuntimeManagerFixture.StartAsync();
        Pod pod = Pod("artifact:1", "IfNotPresent", With("a"), With("b", "sub/folder"), RuntimeManagerFixture.Container("c"));
        Assert.Equal(new PodSyncResult { Changed = true }, await PassAsync(f, pod));
        string id = f.Fake.Calls.Select(c => c.Request).OfType<PullImageRequest>().Single().Image.Image;
        Assert.Equal("artifact:1", id);
        Mount[][] mounts = [.. Created(f).Select(c => c.Config.Mounts.Where(m => m.ContainerPath == "/data").ToArray())];
        Assert.Equal([1, 1, 0], mounts.Select(m => m.Length));
        Assert.All(mounts[..2], m => Assert.True(m[0] is { HostPath: "", Readonly: true, Propagation: MountPropagation.PropagationPrivate }));
        Assert.Equal(["", "sub/folder"], mounts[..2].Select(m => m[0].ImageSubPath));
        Assert.StartsWith("sha256:", mounts[0][0].Image.Image, StringComparison.Ordinal);
        Assert.Equal(("artifact:1", "b"), (mounts[0][0].Image.UserSpecifiedImage, mounts[0][0].Image.Annotations["a"]));
        Assert.Contains(("Pulling", "Pulling image \"artifact:1\""), f.Events);
        string[] metrics = f.Metrics.Write().Split('\n');
        Assert.Contains("kubelet_image_volume_requested_total 2", metrics);
        Assert.Contains("kubelet_image_volume_mounted_succeed_total 2", metrics);
    }

    [Fact]
    public async Task Containers_wait_for_an_image_they_mount_as_they_would_for_their_own_and_the_others_run()
    {
        await using RuntimeManagerFixture f = await RuntimeManagerFixture.StartAsync();
        f.Fake.Behaviour.On("PullImage", Reaction.Fail(Grpc.StatusCode.NotFound, "no such artifact"), times: 1);
        Pod pod = Pod("absent:1", null, With("a"), RuntimeManagerFixture.Container("b"));
        PodSyncResult result = await PassAsync(f, pod);
        Assert.Equal(["a"], result.Waiting.Keys);
        Assert.Equal(new ContainerWaiting("ErrImagePull", "no such artifact"), result.Waiting["a"]);
        Assert.Contains(("Failed", "Failed to pull image \"absent:1\": no such artifact"), f.Events);
        Assert.Contains(("Failed", "Error: ErrImagePull"), f.Events);
        Assert.Equal(["b"], Created(f).Select(c => c.Config.Metadata.Name));
        result = await PassAsync(f, pod);
        Assert.Equal(new ContainerWaiting("ImagePullBackOff", "Back-off pulling image \"absent:1\": ErrImagePull: no such artifact"), result.Waiting["a"]);
        Assert.NotNull(result.RetryAfter);
    }

    [Fact]
    public async Task An_image_that_may_not_be_pulled_and_is_not_there_is_told()
    {
        await using RuntimeManagerFixture f = await RuntimeManagerFixture.StartAsync();
        PodSyncResult result = await PassAsync(f, Pod("absent:1", "Never", With("a")));
        Assert.Equal(new ContainerWaiting("ErrImageNeverPull", "Container image \"absent:1\" is not present with pull policy of Never"), result.Waiting["a"]);
    }

    [Theory]
    [InlineData("/etc", "error SubPath `/etc` must not be an absolute path")]
    [InlineData("a/../../b", "unable to provision SubPath `a/../../b`: must not contain '..'")]
    public async Task A_sub_path_that_could_lead_out_of_the_image_is_not_asked_for(string subPath, string message)
    {
        await using RuntimeManagerFixture f = await RuntimeManagerFixture.StartAsync();
        PodSyncResult result = await PassAsync(f, Pod("artifact:1", null, With("a", subPath)));
        Assert.Equal(new ContainerWaiting("CreateContainerConfigError", message), result.Waiting["a"]);
        Assert.Empty(Created(f));
    }

    [Fact]
    public async Task What_a_runtime_says_that_cannot_mount_images_reaches_the_user()
    {
        await using RuntimeManagerFixture f = await RuntimeManagerFixture.StartAsync();
        f.Fake.Behaviour.On("CreateContainer", Reaction.Fail(Grpc.StatusCode.Unknown, "ImageVolumeMountFailed: failed to mkdir \"\""), times: 1);
        PodSyncResult result = await PassAsync(f, Pod("artifact:1", null, With("a")));
        Assert.Equal("CreateContainerError", result.Waiting["a"].Reason);
        Assert.Contains("failed to mkdir \"\"", result.Waiting["a"].Message, StringComparison.Ordinal);
        Assert.Contains("kubelet_image_volume_mounted_errors_total 1", f.Metrics.Write().Split('\n'));
    }
}
