using NodeAgent.FakeCriRuntime;
using NodeAgent.Grpc;
using NodeAgent.Kubelet.Eviction;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Tests.Containers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;
using NodeAgent.Linux.Procfs;

namespace NodeAgent.Kubelet.Tests.Eviction;

/// <summary>Before the fake runtime: a pod with a log and an emptyDir.</summary>
public sealed class NodeUseObserverTests : IAsyncLifetime
{
    private RuntimeManagerFixture _node = null!;
    private RuntimePodStatus _status = null!;
    private Pod _pod = null!;

    public async Task InitializeAsync()
    {
        _node = await RuntimeManagerFixture.StartAsync();
        _pod = RuntimeManagerFixture.Pod() is var p
            ? p with { Spec = p.Spec with { Volumes = [new Volume { Name = "v", EmptyDir = new EmptyDirVolumeSource() }, new Volume { Name = "m", EmptyDir = new EmptyDirVolumeSource { Medium = "Memory" } }] } } : null!;
        await _node.PassAsync(_pod);
        _status = await _node.Manager.GetPodStatusAsync(_pod.Ref, default);
    }

    public async Task DisposeAsync() => await _node.DisposeAsync();

    private NodeUseObserver Observer() => new(
        new NodeUseParts(
            new HostInformation(), _node.Paths, _node.Runtime, _node.Images, new CgroupUsage(new CgroupfsManager(new CgroupTree(new CgroupMounts(CgroupVersion.V2, System.Collections.Immutable.ImmutableSortedDictionary<string, string>.Empty), new CgroupFiles(), TimeProvider.System)), new CgroupOptions { CgroupsPerQos = false }),
            uid => uid == _pod.Uid ? _status : null, _node.Work),
        TimeProvider.System);

    [Fact]
    public async Task Layers_logs_and_volumes_on_disk_are_measured()
    {
        _node.Fake.WriteLog(_status.Containers.Single().Id.Id, new string('x', 10_000));
        string volume = _node.Paths.PodVolume(_pod.Uid, "kubernetes.io~empty-dir", "v");
        Directory.CreateDirectory(volume);
        await File.WriteAllBytesAsync(Path.Combine(volume, "file"), new byte[100_000]);
        PodUse use = (await Observer().MeasureAsync([_pod], PodFigures.Disk, default))[_pod.Uid];
        Assert.Equal(["v"], use.Volumes.Keys);
        Assert.InRange(use.Volumes["v"].Bytes, 100_000, 200_000);
        Assert.Equal(2, use.Volumes["v"].Inodes);
        ContainerUse container = Assert.Single(use.Containers);
        Assert.Equal(new DiskUse(4096, 1), container.RootFs);
        Assert.InRange(container.Logs!.Value.Bytes, 10_000, 30_000);
        Assert.True(use.Ephemeral.Bytes >= 114_096);
    }

    [Fact]
    public async Task Without_the_runtimes_answer_layers_are_unknown_and_all_else_is_measured()
    {
        _node.Fake.Behaviour.On("ListContainerStats", Reaction.Fail(StatusCode.Unavailable, "no"));
        PodUse use = (await Observer().MeasureAsync([_pod], PodFigures.Disk, default))[_pod.Uid];
        Assert.Null(use.Containers.Single().RootFs);
        Assert.NotNull(use.Containers.Single().Logs);
    }

    [Fact]
    public async Task A_pod_of_which_nothing_runs_is_left_out()
    {
        Pod other = TestPods.Pod("other");
        Assert.Equal([_pod.Uid], (await Observer().MeasureAsync([_pod, other], PodFigures.Cgroup, default)).Keys);
    }

    [Fact]
    public async Task The_node_is_looked_at_and_images_of_unknown_place_have_no_signal()
    {
        Directory.CreateDirectory(_node.Paths.Root);
        NodeUse use = await Observer().LookAsync(default);
        Assert.InRange(use.Signals[EvictionSignals.Memory].Available, 1, use.Signals[EvictionSignals.Memory].Capacity);
        Assert.InRange(use.Signals[EvictionSignals.NodeFs].Available, 1, use.Signals[EvictionSignals.NodeFs].Capacity);
        Assert.InRange(use.Signals[EvictionSignals.Pids].Available, 1, use.Signals[EvictionSignals.Pids].Capacity);
        // The fake's folder does not exist.
        Assert.DoesNotContain(EvictionSignals.ImageFs, use.Signals);
        Assert.Equal(DiskLayout.One, use.Layout);
    }

    [Theory]
    [InlineData(1, 1, null, DiskLayout.One)]
    [InlineData(1, null, null, DiskLayout.One)]
    [InlineData(null, 2, 2, DiskLayout.One)]
    [InlineData(1, 2, 2, DiskLayout.ImagesApart)]
    [InlineData(1, 2, null, DiskLayout.ImagesApart)]
    [InlineData(1, 2, 1, DiskLayout.ImagesAloneApart)]
    public void Which_disks_are_the_same(int? root, int? images, int? containers, DiskLayout expected) =>
        Assert.Equal(expected, NodeUseObserver.LayoutOf((ulong?)root, (ulong?)images, (ulong?)containers));
}
