using System.Collections.Concurrent;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Volumes;

public sealed class PodObjectStoreTests : IDisposable
{
    private readonly FakeClient _client = new();
    private readonly FakeTimeProvider _time = new();
    private readonly List<FakeInformer<ConfigMap>> _informers = [];
    private readonly ConcurrentQueue<PodUid> _changed = new();
    private readonly PodObjectStore _store;

    public PodObjectStoreTests() => _store = Store(ObjectChangeDetection.Watch);

    private PodObjectStore Store(ObjectChangeDetection detection)
    {
        var store = new PodObjectStore(
            new PodObjectSources(_client, o => { _informers.Add(new FakeInformer<ConfigMap>(o)); return _informers[^1]; }, o => new FakeInformer<Secret>(o)),
            new PodObjectStoreOptions { Detection = detection }, _time);
        store.Changed += _changed.Enqueue;
        return store;
    }

    private static Pod PodWith(string name, string map)
    {
        Pod pod = TestPods.Pod(name);
        return pod with { Spec = pod.Spec with { Volumes = [new Volume { Name = "v", ConfigMap = new ConfigMapVolumeSource { Name = map } }] } };
    }

    private static ConfigMap Map(string value, bool? immutable = null) => new()
    {
        Metadata = new ObjectMeta { Name = "m", Namespace = "default" },
        Data = new Dictionary<string, string> { ["k"] = value },
        Immutable = immutable,
    };

    [Fact]
    public async Task One_watch_serves_all_pods_and_ends_with_the_last()
    {
        Pod a = PodWith("a", "m"), b = PodWith("b", "m");
        _store.RegisterPod(a);
        _store.RegisterPod(b);
        _store.RegisterPod(b);
        FakeInformer<ConfigMap> informer = Assert.Single(_informers);
        Assert.Equal(("default", "metadata.name=m"), (informer.Options.Namespace, informer.Options.FieldSelector));
        informer.Set(Map("1"));
        Assert.Equal("1", (await _store.GetConfigMapAsync("default", "m", default)).Data["k"]);
        Assert.Equal(0, _client.Reads);
        Assert.Equal([a.Uid, b.Uid], _changed.Order());
        _store.UnregisterPod(a.Uid);
        Assert.Equal(1, _store.WatchCount);
        _store.UnregisterPod(b.Uid);
        Assert.Equal(0, _store.WatchCount);
        await informer.Ended.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task A_watch_that_does_not_come_about_is_not_waited_for_long()
    {
        _store.RegisterPod(PodWith("a", "m"));
        _client.Objects["m"] = Map("direct");
        Task<ConfigMap> read = _store.GetConfigMapAsync("default", "m", default);
        Assert.False(read.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1.1));
        Assert.Equal("direct", (await read.WaitAsync(TimeSpan.FromSeconds(20))).Data["k"]);
    }

    [Fact]
    public async Task Absence_is_settled_by_a_read()
    {
        _store.RegisterPod(PodWith("a", "m"));
        _informers[0].Set(null);
        Assert.True((await Assert.ThrowsAsync<ApiException>(() => _store.GetConfigMapAsync("default", "m", default))).IsNotFound);
        _client.Objects["m"] = Map("just made");
        Assert.Equal("just made", (await _store.GetConfigMapAsync("default", "m", default)).Data["k"]);
    }

    [Fact]
    public async Task An_immutable_object_ends_its_watch_and_is_kept()
    {
        _store.RegisterPod(PodWith("a", "m"));
        _informers[0].Set(Map("1", immutable: true));
        await _informers[0].Ended.Task.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal("1", (await _store.GetConfigMapAsync("default", "m", default)).Data["k"]);
        Assert.Equal((0, 0), (_store.WatchCount, _client.Reads));
    }

    [Fact]
    public async Task The_other_strategies_read_each_time_or_after_a_minute()
    {
        _client.Objects["m"] = Map("1");
        foreach ((ObjectChangeDetection detection, int reads) in new[] { (ObjectChangeDetection.Get, 3), (ObjectChangeDetection.Cache, 2) })
        {
            using PodObjectStore store = Store(detection);
            store.RegisterPod(PodWith("a", "m"));
            int before = _client.Reads;
            await store.GetConfigMapAsync("default", "m", default);
            await store.GetConfigMapAsync("default", "m", default);
            _time.Advance(TimeSpan.FromSeconds(61));
            await store.GetConfigMapAsync("default", "m", default);
            Assert.Equal(reads, _client.Reads - before);
        }

        Assert.Empty(_informers);
    }

    [Theory]
    [InlineData(ObjectChangeDetection.Get)]
    [InlineData(ObjectChangeDetection.Cache)]
    public async Task Without_watches_pods_look_for_changes_each_minute_as_long_as_they_refer_to_anything(ObjectChangeDetection detection)
    {
        _client.Objects["m"] = Map("1");
        using PodObjectStore store = Store(detection);
        Pod pod = PodWith("a", "m");
        store.RegisterPod(pod);
        store.RegisterPod(TestPods.Pod("plain"));
        await store.GetConfigMapAsync("default", "m", default);
        _client.Objects["m"] = Map("2");
        _time.Advance(TimeSpan.FromSeconds(66));
        Assert.Equal([pod.Uid], _changed);
        Assert.Equal("2", (await store.GetConfigMapAsync("default", "m", default)).Data["k"]);
        _time.Advance(TimeSpan.FromSeconds(65));
        Assert.Equal(2, _changed.Count);
        store.UnregisterPod(pod.Uid);
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(2, _changed.Count);
        Assert.Equal(0, _time.Armed);
    }

    public void Dispose() => _store.Dispose();

    private sealed class FakeInformer<T>(InformerOptions options) : IInformer<T>, ILister<T>
        where T : class
    {
        private readonly TaskCompletionSource _synced = new();
        private IInformerHandler<T>? _handler;
        private T? _item;

        public InformerOptions Options => options;
        public TaskCompletionSource Ended { get; } = new();
        public ILister<T> Lister => this;
        public Task HasSynced => _synced.Task;
        public int Count => _item is null ? 0 : 1;

        public void Set(T? item)
        {
            _item = item;
            _synced.TrySetResult();
            if (item is not null)
            {
                _handler!.Added(item, initial: true);
            }
        }

        public IReadOnlyList<T> List() => _item is null ? [] : [_item];
        public T? Get(NamespacedName name) => _item;
        public IReadOnlyList<T> ByIndex(string index, string value) => [];

        public IInformerRegistration AddHandler(IInformerHandler<T> handler)
        {
            _handler = handler;
            return null!;
        }

        public async Task RunAsync(CancellationToken cancellationToken)
        {
            try
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                Ended.TrySetResult();
            }
        }
    }
}
