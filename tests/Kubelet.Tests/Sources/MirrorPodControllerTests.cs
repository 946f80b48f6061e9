using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Sources;

public sealed class MirrorPodControllerTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly PodManager _pods = new();
    private readonly FakeApi _api = new();
    private readonly ConcurrentDictionary<string, bool> _ending = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly MirrorPodController _controller;
    private readonly Task _running;
    private Node? _node = new() { Metadata = new ObjectMeta { Name = "n1", Uid = "node-uid" } };
    private volatile bool _sourcesReady = true;

    public MirrorPodControllerTests()
    {
        _controller = new MirrorPodController(
            _api, new MirrorPodView(_pods, () => _node, "n1", (_, _) => [.. _ending.Keys.Select(k => new PodUid(k))], () => _sourcesReady), _time, NullLogger<MirrorPodController>.Instance);
        _running = Task.Run(() => _controller.RunAsync(_stop.Token));
    }

    private static Pod Static(string hash) => TestPods.Pod("etcd-n1") is var p ? p with
    {
        Metadata = p.Metadata with
        {
            Uid = hash,
            Annotations = new Dictionary<string, string> { [PodIdentityExtensions.ConfigHashAnnotation] = hash, [PodIdentityExtensions.ConfigSourceAnnotation] = "file" },
        },
        Spec = p.Spec with { NodeName = "n1" },
    } : null!;

    private void Take(Pod pod)
    {
        _pods.Set(pod);
        _controller.Observe(pod);
    }

    private void Lose(Pod pod)
    {
        _pods.Remove(pod);
        _controller.Observe(pod);
    }

    /// <summary>As the watch does: what the API server holds is what the node sees.</summary>
    private void Show()
    {
        foreach (Pod gone in _pods.Mirrors.Where(m => !_api.Pods.ContainsKey(m.Metadata.Uid!)).ToList())
        {
            Lose(gone);
        }

        foreach (Pod mirror in _api.Pods.Values)
        {
            Take(mirror);
        }
    }

    private async Task UntilAsync(Func<bool> holds)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!holds())
        {
            Assert.False(limit.IsCancellationRequested, string.Join("; ", _api.Calls));
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Delay(2);
        }
    }

    [Fact]
    public async Task A_static_pod_gets_its_mirror_and_loses_it_when_it_has_ended()
    {
        Take(Static("h1"));
        await UntilAsync(() => _api.Calls.Contains("create h1"));
        Show();
        _ending["h1"] = true;
        Lose(Static("h1"));
        await UntilAsync(() => _controller.Idle);
        Assert.DoesNotContain(_api.Calls, c => c.StartsWith("delete", StringComparison.Ordinal));
        _ending.Clear();
        _controller.Finished(Static("h1"));
        await UntilAsync(() => _api.Calls.Contains("delete h1"));
    }

    [Fact]
    public async Task An_edited_manifest_gets_its_mirror_when_the_old_pod_has_ended()
    {
        Take(Static("h1"));
        await UntilAsync(() => _api.Pods.Count == 1);
        Show();
        _ending["h1"] = true;
        Lose(Static("h1"));
        Take(Static("h2"));
        await UntilAsync(() => _controller.Idle);
        Assert.Equal(["create h1"], _api.Calls);
        _ending.Clear();
        _controller.Finished(Static("h1"));
        await UntilAsync(() => _api.Calls.Count == 3);
        Assert.Equal(["create h1", "delete h1", "create h2"], _api.Calls);
    }

    [Fact]
    public async Task A_mirror_a_user_deletes_comes_back()
    {
        Take(Static("h1"));
        await UntilAsync(() => _api.Pods.Count == 1);
        Pod mirror = _api.Pods.Values.Single();
        Take(mirror.Deleting());
        await UntilAsync(() => _api.Calls.Count == 3);
        Assert.Equal(["create h1", "delete h1", "create h1"], _api.Calls);
        Assert.NotEqual(mirror.Metadata.Uid, _api.Pods.Values.Single().Metadata.Uid);
    }

    [Fact]
    public async Task It_tries_again_until_the_API_server_answers()
    {
        _api.Failure = new ApiUnreachableException("away");
        Take(Static("h1"));
        await UntilAsync(() => _api.Refused >= 4);
        _api.Failure = null;
        await UntilAsync(() => _api.Pods.Count == 1);
    }

    [Fact]
    public async Task The_Node_s_arrival_makes_the_mirrors_and_a_new_Node_is_no_reason_to_touch_good_ones()
    {
        _node = null;
        Take(Static("h1"));
        await UntilAsync(() => _controller.Idle);
        Assert.Empty(_api.Calls);
        _node = new Node { Metadata = new ObjectMeta { Name = "n1", Uid = "u1" } };
        _controller.Observe(_node);
        await UntilAsync(() => _api.Pods.Count == 1);
        Show();
        _controller.Observe(new Node { Metadata = new ObjectMeta { Name = "n1", Uid = "u2" } });
        await UntilAsync(() => _controller.Idle);
        Assert.Equal(["create h1"], _api.Calls);
    }

    [Fact]
    public async Task An_orphan_goes_once_every_source_has_delivered_and_another_node_s_mirror_never()
    {
        _sourcesReady = false;
        Pod orphan = Static("old") is var p ? p with
        {
            Metadata = p.Metadata with { Uid = "m", Annotations = new Dictionary<string, string> { [PodIdentityExtensions.ConfigMirrorAnnotation] = "old" } },
        } : null!;
        Pod foreign = orphan with { Metadata = orphan.Metadata with { Name = "etcd-n2", Uid = "f" }, Spec = orphan.Spec with { NodeName = "n2" } };
        _api.Pods["m"] = orphan;
        _api.Pods["f"] = foreign;
        Show();
        await UntilAsync(() => _controller.Idle);
        Assert.Empty(_api.Calls);
        _sourcesReady = true;
        _controller.RequestAll();
        await UntilAsync(() => !_api.Calls.IsEmpty && _controller.Idle);
        Assert.Equal(["delete old"], _api.Calls);
        Assert.True(_api.Pods.ContainsKey("f"));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private sealed class FakeApi : IMirrorPodClient
    {
        private int _uids;
        private int _refused;

        public ConcurrentDictionary<string, Pod> Pods { get; } = new();

        public ConcurrentQueue<string> Calls { get; } = new();

        public Exception? Failure { get; set; }

        public int Refused => Volatile.Read(ref _refused);

        public Task CreateAsync(Pod mirror, CancellationToken cancellationToken)
        {
            Refuse();
            string uid = $"m{++_uids}";
            Pods[uid] = mirror with { Metadata = mirror.Metadata with { Uid = uid } };
            Calls.Enqueue($"create {mirror.MirrorHash}");
            return Task.CompletedTask;
        }

        public Task DeleteAsync(Pod mirror, CancellationToken cancellationToken)
        {
            Refuse();
            Pods.TryRemove(mirror.Metadata.Uid!, out _);
            Calls.Enqueue($"delete {mirror.MirrorHash}");
            return Task.CompletedTask;
        }

        private void Refuse()
        {
            if (Failure is { } failure)
            {
                Interlocked.Increment(ref _refused);
                throw failure;
            }
        }
    }
}
