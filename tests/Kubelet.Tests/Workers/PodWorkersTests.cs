using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Workers;

public sealed class PodWorkersTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly FakeTimeProvider _time = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly ScriptedSyncer _syncer = new();

    private PodWorkers New() => new(_syncer, _ => false, _time, NullLogger<PodWorkers>.Instance, _stop.Token);

    [Fact]
    public async Task A_pod_is_synced_then_terminated_then_forgotten()
    {
        PodWorkers workers = New();
        Pod pod = TestPods.Pod();
        workers.Update(new PodUpdate(PodUpdateKind.Add, pod));
        Assert.Equal("sync web", await _syncer.NextAsync());
        workers.Update(new PodUpdate(PodUpdateKind.Delete, pod.Deleting()));
        Assert.Equal("terminating web", await _syncer.NextAsync());
        Assert.Equal("terminated web", await _syncer.NextAsync());
        workers.Update(new PodUpdate(PodUpdateKind.Remove, pod.Deleting()));
        Assert.Equal("forget uid-web", await _syncer.NextAsync());
        Assert.Empty(workers.Known);
    }

    [Fact]
    public async Task A_deletion_cancels_the_sync_under_way()
    {
        PodWorkers workers = New();
        _syncer.Sync = async (_, token) =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return new PodPassResult(PodPassOutcome.Done);
        };
        Pod pod = TestPods.Pod();
        workers.Update(new PodUpdate(PodUpdateKind.Add, pod));
        Assert.Equal("sync web", await _syncer.NextAsync());
        workers.Update(new PodUpdate(PodUpdateKind.Delete, pod.Deleting()));
        Assert.Equal("terminating web", await _syncer.NextAsync());
    }

    [Fact]
    public async Task A_shorter_grace_period_starts_the_stop_again()
    {
        PodWorkers workers = New();
        var graces = new ConcurrentQueue<TimeSpan?>();
        _syncer.Terminating = async (_, state, token) =>
        {
            graces.Enqueue(state.Grace);
            if (graces.Count == 1)
            {
                await Task.Delay(Timeout.Infinite, token);
            }

            return new PodPassResult(PodPassOutcome.Done);
        };
        Pod pod = TestPods.Pod();
        workers.Update(new PodUpdate(PodUpdateKind.Add, pod.Deleting(300)));
        Assert.Equal("terminating web", await _syncer.NextAsync());
        workers.Update(new PodUpdate(PodUpdateKind.Delete, pod.Deleting(2)));
        Assert.Equal("terminating web", await _syncer.NextAsync());
        Assert.Equal([TimeSpan.FromSeconds(300), TimeSpan.FromSeconds(2)], graces);
    }

    [Fact]
    public async Task A_pass_that_fails_is_made_again_after_a_while()
    {
        PodWorkers workers = New();
        int calls = 0;
        _syncer.Sync = (_, _) => Interlocked.Increment(ref calls) == 1
            ? throw new InvalidOperationException("the runtime is away")
            : Task.FromResult(new PodPassResult(PodPassOutcome.Done));
        workers.Update(new PodUpdate(PodUpdateKind.Add, TestPods.Pod()));
        Assert.Equal("sync web", await _syncer.NextAsync());
        await WaitUntilAsync(() => _time.Armed == 1);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("sync web", await _syncer.NextAsync());
    }

    [Fact]
    public async Task Our_own_status_coming_back_costs_no_pass()
    {
        PodWorkers workers = New();
        Pod pod = TestPods.Pod();
        workers.Update(new PodUpdate(PodUpdateKind.Add, pod));
        Assert.Equal("sync web", await _syncer.NextAsync());
        workers.Update(new PodUpdate(PodUpdateKind.Reconcile, pod));
        workers.Update(new PodUpdate(PodUpdateKind.Delete, pod.Deleting()));
        Assert.Equal("terminating web", await _syncer.NextAsync());
    }

    [Fact]
    public async Task A_static_pod_waits_for_its_predecessor_of_that_name()
    {
        PodWorkers workers = New();
        var release = new TaskCompletionSource();
        _syncer.Terminating = async (_, _, _) =>
        {
            await release.Task;
            return new PodPassResult(PodPassOutcome.Done);
        };
        Pod before = Static(TestPods.Pod(), "one"), after = Static(TestPods.Pod(), "two");
        workers.Update(new PodUpdate(PodUpdateKind.Add, before));
        Assert.Equal("sync web", await _syncer.NextAsync());
        workers.Update(new PodUpdate(PodUpdateKind.Remove, before));
        workers.Update(new PodUpdate(PodUpdateKind.Add, after));
        Assert.Equal("terminating web", await _syncer.NextAsync());
        release.SetResult();
        Assert.Equal("terminated web", await _syncer.NextAsync());
        Assert.Equal("forget one", await _syncer.NextAsync());
        Assert.Equal("sync web", await _syncer.NextAsync());
    }

    [Fact]
    public async Task A_pod_that_only_the_runtime_knows_is_ended_with_one_second_of_grace()
    {
        PodWorkers workers = New();
        TimeSpan? grace = null;
        _syncer.Terminating = (_, state, _) =>
        {
            grace = state.Grace;
            return Task.FromResult(new PodPassResult(PodPassOutcome.Done));
        };
        workers.TerminateOrphan(TestPods.Pod());
        Assert.Equal("terminating web", await _syncer.NextAsync());
        Assert.Equal("terminated web", await _syncer.NextAsync());
        Assert.Equal("forget uid-web", await _syncer.NextAsync());
        Assert.Equal(TimeSpan.FromSeconds(1), grace);
    }

    private static Pod Static(Pod pod, string uid) => pod with
    {
        Metadata = pod.Metadata with { Uid = uid, Annotations = new Dictionary<string, string> { [PodIdentityExtensions.ConfigSourceAnnotation] = "file" } },
    };

    private static async Task WaitUntilAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!condition())
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }

    private sealed class ScriptedSyncer : IPodSyncer
    {
        private readonly System.Threading.Channels.Channel<string> _calls = System.Threading.Channels.Channel.CreateUnbounded<string>();

        public Func<Pod, CancellationToken, Task<PodPassResult>> Sync { get; set; } = (_, _) => Task.FromResult(new PodPassResult(PodPassOutcome.Done));

        public Func<Pod, PodWorkerState, CancellationToken, Task<PodPassResult>> Terminating { get; set; } =
            (_, _, _) => Task.FromResult(new PodPassResult(PodPassOutcome.Done));

        public Task<string> NextAsync() => _calls.Reader.ReadAsync().AsTask().WaitAsync(Patience);

        public Task<PodPassResult> SyncAsync(Pod pod, CancellationToken cancellationToken)
        {
            _calls.Writer.TryWrite($"sync {pod.Metadata.Name}");
            return Sync(pod, cancellationToken);
        }

        public Task<PodPassResult> SyncTerminatingAsync(Pod pod, PodWorkerState state, CancellationToken cancellationToken)
        {
            _calls.Writer.TryWrite($"terminating {pod.Metadata.Name}");
            return Terminating(pod, state, cancellationToken);
        }

        public Task<PodPassResult> SyncTerminatedAsync(Pod pod, PodWorkerState state, CancellationToken cancellationToken)
        {
            _calls.Writer.TryWrite($"terminated {pod.Metadata.Name}");
            return Task.FromResult(new PodPassResult(PodPassOutcome.Done));
        }

        public void Forget(PodUid uid) => _calls.Writer.TryWrite($"forget {uid}");
    }
}
