using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests;

public sealed class SyncLoopTests
{
    [Fact]
    public async Task It_is_idle_only_while_no_update_waits()
    {
        using var stop = new CancellationTokenSource();
        var time = new FakeTimeProvider();
        var pods = new PodManager();
        var handled = new TaskCompletionSource();
        var workers = new PodWorkers(new NoSyncer(), _ => false, time, NullLogger<PodWorkers>.Instance, stop.Token);
        var statuses = new StatusManager(new NoWriter(), pods, _ => false, time, NullLogger<StatusManager>.Instance, stop.Token);
        var loop = new SyncLoop(pods, workers, statuses, handled.SetResult, NullLogger<SyncLoop>.Instance);
        Assert.True(loop.Idle);
        loop.Post(new PodUpdate(PodUpdateKind.Add, TestPods.Pod()));
        Assert.False(loop.Idle);
        Task running = loop.RunAsync(stop.Token);
        await handled.Task.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.True(loop.Idle);
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task It_has_caught_up_only_once_all_that_was_posted_before_is_handled()
    {
        using var stop = new CancellationTokenSource();
        var time = new FakeTimeProvider();
        var pods = new PodManager();
        var workers = new PodWorkers(new NoSyncer(), _ => false, time, NullLogger<PodWorkers>.Instance, stop.Token);
        var statuses = new StatusManager(new NoWriter(), pods, _ => false, time, NullLogger<StatusManager>.Instance, stop.Token);
        var loop = new SyncLoop(pods, workers, statuses, () => { }, NullLogger<SyncLoop>.Instance);
        loop.Post(new PodUpdate(PodUpdateKind.Add, TestPods.Pod("first")));
        loop.Post(new PodUpdate(PodUpdateKind.Add, TestPods.Pod("second")));
        Task caughtUp = loop.CaughtUpAsync();
        Assert.False(caughtUp.IsCompleted);
        Task running = loop.RunAsync(stop.Token);
        await caughtUp.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(["first", "second"], pods.All.Select(pod => pod.Metadata.Name).Order());
        await stop.CancelAsync();
        await running;
    }

    private sealed class NoSyncer : IPodSyncer
    {
        public Task<PodPassResult> SyncAsync(Pod pod, CancellationToken cancellationToken) => Task.FromResult(new PodPassResult(PodPassOutcome.Done));

        public Task<PodPassResult> SyncTerminatingAsync(Pod pod, PodWorkerState state, CancellationToken cancellationToken) => Task.FromResult(new PodPassResult(PodPassOutcome.Done));

        public Task<PodPassResult> SyncTerminatedAsync(Pod pod, PodWorkerState state, CancellationToken cancellationToken) => Task.FromResult(new PodPassResult(PodPassOutcome.Done));

        public void Forget(PodUid uid)
        {
        }
    }

    private sealed class NoWriter : IPodStatusWriter
    {
        public Task<Pod?> GetAsync(string @namespace, string name, CancellationToken cancellationToken) => Task.FromResult<Pod?>(null);

        public Task<Pod?> PatchStatusAsync(Pod current, PodStatus status, bool exactly, CancellationToken cancellationToken) => Task.FromResult<Pod?>(null);

        public Task DeleteAsync(Pod pod, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
