using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Cleanup;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Tests.Pods;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Syscalls;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Cleanup;

public sealed class HousekeeperTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly PodStatusCache _cache = new();
    private readonly BlockingWork _work = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("housekeeper").FullName;
    private readonly Housekeeper _housekeeper;

    public HousekeeperTests()
    {
        var workers = new PodWorkers(new NothingToDo(), _ => false, _time, NullLogger<PodWorkers>.Instance, CancellationToken.None);
        var parts = new HousekeepingParts(workers, _cache, null!, new NoVolumes(), new NoCgroups(), new KubeletPaths(_folder, _folder), _work, _time);
        _housekeeper = new Housekeeper(parts, () => true, NullLogger<Housekeeper>.Instance);
    }

    public void Dispose()
    {
        _work.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_node_at_rest_is_looked_through_once_a_minute_and_not_after_each_relist()
    {
        Assert.True(_housekeeper.MayFindSomething);
        await _housekeeper.PassAsync(CancellationToken.None);
        Assert.False(_housekeeper.MayFindSomething);
        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.False(_housekeeper.MayFindSomething);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(_housekeeper.MayFindSomething);
    }

    [Fact]
    public async Task A_pod_of_the_runtime_without_a_worker_is_looked_at_after_the_relist_that_shows_it()
    {
        await _housekeeper.PassAsync(CancellationToken.None);
        _cache.Set(RuntimePodStatus.Nothing(new PodRef("default", "left", new PodUid("uid-1")), _time.GetUtcNow()));
        Assert.True(_housekeeper.MayFindSomething);
    }

    [Fact]
    public async Task What_was_to_be_removed_is_looked_at_again_after_the_next_relist()
    {
        string left = Directory.CreateDirectory(Path.Combine(_folder, "pods", "uid-1")).FullName;
        await _housekeeper.PassAsync(CancellationToken.None);
        Assert.True(_housekeeper.MayFindSomething);
        Assert.False(Directory.Exists(left));
        await _housekeeper.PassAsync(CancellationToken.None);
        Assert.False(_housekeeper.MayFindSomething);
    }

    private sealed class NothingToDo : IPodSyncer
    {
        public Task<PodPassResult> SyncAsync(Pod pod, CancellationToken cancellationToken) => Task.FromResult(new PodPassResult(PodPassOutcome.Done));

        public Task<PodPassResult> SyncTerminatingAsync(Pod pod, PodWorkerState state, CancellationToken cancellationToken) => Task.FromResult(new PodPassResult(PodPassOutcome.Done));

        public Task<PodPassResult> SyncTerminatedAsync(Pod pod, PodWorkerState state, CancellationToken cancellationToken) => Task.FromResult(new PodPassResult(PodPassOutcome.Done));

        public void Forget(PodUid uid)
        {
        }
    }
}
