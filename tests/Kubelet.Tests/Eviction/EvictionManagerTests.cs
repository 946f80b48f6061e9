using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Cri;
using NodeAgent.Kubelet.Eviction;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Eviction;

public sealed class EvictionManagerTests : INodeUseSource, IEvictionActions
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<string> _log = [];
    private readonly Dictionary<string, PodUse> _uses = [];
    private readonly SemaphoreSlim _looked = new(0);
    private readonly DiskLayout _layout = DiskLayout.One;
    private long _memory = 1000, _disk = 1000;
    private Action _reclaim = () => { };
    private bool _cleanedUp = true;
    private List<Pod> _pods = [TestPods.Pod("small"), TestPods.Pod("big")];

    private EvictionManager Manager(EvictionSettings? settings = null) => new(
        settings ?? new EvictionSettings { Hard = new Dictionary<string, string> { ["memory.available"] = "100", ["nodefs.available"] = "100" }, PodsAreLimited = false },
        this, this, _time, NullLogger<EvictionManager>.Instance);

    private static Pod Critical(string name) => TestPods.Pod(name) is var p ? p with { Spec = p.Spec with { Priority = 2_000_000_000 } } : null!;

    [Fact]
    public async Task While_there_is_enough_nothing_happens()
    {
        EvictionManager manager = Manager();
        Assert.Empty(await manager.PassAsync(default));
        Assert.Empty(_log);
        Assert.Empty(manager.Conditions);
    }

    [Fact]
    public async Task For_memory_one_pod_goes_the_greediest_and_the_condition_holds()
    {
        (_uses["small"], _uses["big"]) = (new PodUse { Memory = 10 }, new PodUse { Memory = 100 });
        _memory = 50;
        EvictionManager manager = Manager();
        int changes = 0;
        manager.Changed += () => changes++;
        Assert.Equal(["big"], (await manager.PassAsync(default)).Select(p => p.Metadata.Name));
        Assert.Equal(["attempting memory", "count memory.available", "evict big 1: The node was low on resource: memory. Threshold quantity: 100, available: 50. "], _log);
        Assert.Equal(["MemoryPressure"], manager.Conditions);
        await manager.PassAsync(default);
        Assert.Equal(1, changes);
    }

    [Fact]
    public async Task For_disk_dead_containers_and_images_go_first_and_pods_only_where_that_does_not_do()
    {
        (_uses["small"], _uses["big"]) = (new PodUse(), new PodUse { Other = new DiskUse(1, 1) });
        _disk = 50;
        _reclaim = () => _disk = 500;
        Assert.Empty(await Manager().PassAsync(default));
        Assert.Equal(["attempting ephemeral-storage", "dead containers", "unused images"], _log);
        _log.Clear();
        _disk = 50;
        _reclaim = () => throw new CriException("RemoveImage", CriErrorKind.Unavailable, "the runtime is away");
        Assert.Single(await Manager().PassAsync(default));
        Assert.Contains("unused images", _log);
    }

    [Fact]
    public async Task Critical_pods_are_spared_and_where_there_are_no_others_nobody_goes()
    {
        _pods = [Critical("critical"), TestPods.Pod("other")];
        (_uses["critical"], _uses["other"]) = (new PodUse { Memory = 1000 }, new PodUse { Memory = 1 });
        _memory = 1;
        Assert.Equal(["other"], (await Manager().PassAsync(default)).Select(p => p.Metadata.Name));
        _pods = [Critical("critical")];
        Assert.Empty(await Manager().PassAsync(default));
    }

    [Fact]
    public async Task A_pod_above_its_own_limit_goes_without_any_want_on_the_node_and_makes_no_condition()
    {
        _pods = [Limited("greedy"), Limited("modest"), TestPods.Pod("free")];
        _uses["greedy"] = Using(2048);
        _uses["modest"] = Using(10);
        EvictionManager manager = Manager();
        Assert.Equal(["greedy"], (await manager.PassAsync(default)).Select(p => p.Metadata.Name));
        Assert.Equal(["count emptydirfs.limit", "evict greedy 1: Usage of EmptyDir volume \"v\" exceeds the limit \"1Ki\". "], _log);
        Assert.Empty(manager.Conditions);
    }

    [Fact]
    public async Task Without_isolation_of_local_storage_nothing_is_measured()
    {
        _pods = [Limited("greedy")];
        _uses["greedy"] = Using(2048);
        Assert.Empty(await Manager(new EvictionSettings { Hard = new Dictionary<string, string>(), LocalStorageLimits = false }).PassAsync(default));
    }

    [Fact]
    public async Task After_an_eviction_it_looks_again_once_the_pod_is_cleaned_up()
    {
        _memory = 1;
        _cleanedUp = false;
        using var stop = new CancellationTokenSource();
        Task running = Manager().RunAsync(stop.Token);
        Assert.True(await _looked.WaitAsync(TimeSpan.FromMinutes(1)));
        await ArmedAsync();
        _cleanedUp = true;
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(await _looked.WaitAsync(TimeSpan.FromMinutes(1)));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Equal(2, _log.Count(l => l.StartsWith("evict", StringComparison.Ordinal)));
    }

    private async Task ArmedAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (_time.Armed == 0)
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private static PodUse Using(long bytes) => new() { Volumes = System.Collections.Immutable.ImmutableDictionary<string, DiskUse>.Empty.Add("v", new DiskUse(bytes, 1)) };

    private static Pod Limited(string name) => TestPods.Pod(name) is var p
        ? p with { Spec = p.Spec with { Volumes = [new Volume { Name = "v", EmptyDir = new EmptyDirVolumeSource { SizeLimit = Quantity.Parse("1Ki") } }] } } : null!;

    IReadOnlyList<Pod> IEvictionActions.ActivePods => _pods;

    Task<NodeUse> INodeUseSource.LookAsync(CancellationToken cancellationToken)
    {
        _looked.Release();
        return Task.FromResult(new NodeUse(
            new Dictionary<string, EvictionSignal> { [EvictionSignals.Memory] = new(_memory, 10000), [EvictionSignals.NodeFs] = new(_disk, 10000) }, _layout));
    }

    Task<IReadOnlyDictionary<PodUid, PodUse>> INodeUseSource.MeasureAsync(IReadOnlyList<Pod> pods, PodFigures figures, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyDictionary<PodUid, PodUse>>(pods.Where(p => _uses.ContainsKey(p.Metadata.Name!)).ToDictionary(p => p.Uid, p => _uses[p.Metadata.Name!]));

    Task IEvictionActions.EvictAsync(Pod pod, PodEviction eviction, CancellationToken cancellationToken)
    {
        _log.Add($"evict {pod.Metadata.Name} {eviction.Grace.TotalSeconds}: {eviction.Message}");
        return Task.CompletedTask;
    }

    bool IEvictionActions.IsCleanedUp(PodUid uid) => _cleanedUp;

    Task IEvictionActions.RemoveDeadContainersAsync(CancellationToken cancellationToken)
    {
        _log.Add("dead containers");
        return Task.CompletedTask;
    }

    Task IEvictionActions.RemoveUnusedImagesAsync(CancellationToken cancellationToken)
    {
        _log.Add("unused images");
        _reclaim();
        return Task.CompletedTask;
    }

    void IEvictionActions.Attempting(string resource) => _log.Add("attempting " + resource);

    void IEvictionActions.Count(string signal, TimeSpan? age) => _log.Add("count " + signal);
}
