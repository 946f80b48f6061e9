using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Pleg;

/// <summary>Who is told of an observation, and which events cause one.</summary>
public sealed class PodLifecycleEventGeneratorTests
{
    private static readonly PodRef Pod = new("default", "web", new PodUid("u"));

    private readonly FakeTimeProvider _time = new();
    private readonly Runtime _runtime = new();
    private readonly PodLifecycleEventGenerator _pleg;
    private readonly List<(PodUid Uid, bool Look)> _told = [];

    public PodLifecycleEventGeneratorTests()
    {
        _pleg = new PodLifecycleEventGenerator(_runtime, new PodStatusCache(), RelistOptions.Default, _time, NullLogger<PodLifecycleEventGenerator>.Instance);
        _pleg.PodChanged += (uid, look) => _told.Add((uid, look));
    }

    [Fact]
    public async Task A_worker_is_not_to_look_again_at_what_it_wanted_and_saw_itself()
    {
        _runtime.State = RuntimeContainerState.Running;
        await _pleg.RelistPodAsync(Pod, status => status.Containers[0].State == RuntimeContainerState.Running, default);
        Assert.Equal([(Pod.Uid, false)], _told);
        _runtime.State = RuntimeContainerState.Exited;
        await _pleg.RelistPodAsync(Pod, status => status.Containers[0].State == RuntimeContainerState.Running, default);
        Assert.Equal([(Pod.Uid, false), (Pod.Uid, true)], _told);
    }

    [Fact]
    public async Task What_others_see_is_looked_at()
    {
        await _pleg.RelistPodAsync(Pod, default);
        await _pleg.RelistPodAsync(Pod, default);
        Assert.Equal([(Pod.Uid, true)], _told);
    }

    [Fact]
    public async Task An_event_of_what_is_known_asks_the_runtime_nothing()
    {
        await _pleg.RelistPodAsync(Pod, default);
        await _pleg.HandleEventAsync(new RuntimeEvent(RuntimeEventKind.Started, "container"), default);
        Assert.Equal(1, _runtime.Reads);
        _runtime.State = RuntimeContainerState.Exited;
        await _pleg.HandleEventAsync(new RuntimeEvent(RuntimeEventKind.Stopped, "container"), default);
        await _pleg.HandleEventAsync(new RuntimeEvent(RuntimeEventKind.Stopped, "container"), default);
        Assert.Equal(2, _runtime.Reads);
        Assert.Equal([(Pod.Uid, true), (Pod.Uid, true)], _told);
    }

    [Fact]
    public async Task What_changes_while_a_worker_looks_wakes_it_all_the_same()
    {
        var held = new TaskCompletionSource();
        _runtime.Held = held.Task;
        Task own = _pleg.RelistPodAsync(Pod, status => status.Containers[0].State == RuntimeContainerState.Running, default);
        _runtime.State = RuntimeContainerState.Exited;
        Task caused = _pleg.RelistPodAsync(Pod, default);
        held.SetResult();
        await Task.WhenAll(own, caused);
        Assert.Equal([(Pod.Uid, false), (Pod.Uid, true)], _told);
    }

    [Fact]
    public async Task An_event_of_a_pod_waits_for_the_look_of_the_worker_that_acts_upon_it()
    {
        await _pleg.RelistPodAsync(Pod, default);
        IDisposable act = _pleg.BeginAct(Pod.Uid);
        Task handled = _pleg.HandleEventAsync(new RuntimeEvent(RuntimeEventKind.Stopped, "container"), default);
        _runtime.State = RuntimeContainerState.Exited;
        await _pleg.RelistPodAsync(Pod, default);
        Assert.False(handled.IsCompleted);
        act.Dispose();
        await handled;
        Assert.Equal(2, _runtime.Reads);
    }

    [Fact]
    public async Task What_the_look_of_a_worker_did_not_show_yet_is_looked_at_when_its_act_is_over()
    {
        await _pleg.RelistPodAsync(Pod, default);
        IDisposable act = _pleg.BeginAct(Pod.Uid);
        Task handled = _pleg.HandleEventAsync(new RuntimeEvent(RuntimeEventKind.Stopped, "container"), default);
        await _pleg.RelistPodAsync(Pod, default);
        _runtime.State = RuntimeContainerState.Exited;
        act.Dispose();
        await handled;
        Assert.Equal((3, (Pod.Uid, true)), (_runtime.Reads, _told[^1]));
    }

    [Fact]
    public async Task An_act_that_takes_long_holds_up_the_look_that_an_event_causes_for_a_second()
    {
        await _pleg.RelistPodAsync(Pod, default);
        using IDisposable act = _pleg.BeginAct(Pod.Uid);
        _runtime.State = RuntimeContainerState.Exited;
        Task handled = _pleg.HandleEventAsync(new RuntimeEvent(RuntimeEventKind.Stopped, "container"), default);
        Assert.Equal(1, _runtime.Reads);
        _time.Advance(TimeSpan.FromSeconds(1));
        await handled;
        Assert.Equal(2, _runtime.Reads);
    }

    [Fact]
    public async Task What_an_event_told_too_early_is_left_to_the_look_of_the_worker_that_acts_upon_the_pod()
    {
        await _pleg.RelistPodAsync(Pod, default);
        using IDisposable act = _pleg.BeginAct(Pod.Uid);
        Task handled = _pleg.HandleEventAsync(new RuntimeEvent(RuntimeEventKind.Stopped, "container"), default);
        _time.Advance(TimeSpan.FromSeconds(1));
        // The runtime still says that it runs: one look, no more.
        await handled;
        Assert.Equal(2, _runtime.Reads);
    }

    [Theory]
    [InlineData(RuntimeContainerState.Created, true, 0)]
    [InlineData(RuntimeContainerState.Running, true, 1)]
    [InlineData(RuntimeContainerState.Exited, true, 1)]
    [InlineData(RuntimeContainerState.Created, false, 1)]
    public async Task A_relist_leaves_a_pod_to_the_worker_that_acts_upon_it_until_a_container_has_run(RuntimeContainerState state, bool acts, int reads)
    {
        _runtime.State = state;
        using IDisposable? act = acts ? _pleg.BeginAct(Pod.Uid) : null;
        var relisted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _pleg.Relisted += () => relisted.TrySetResult();
        using var stop = new CancellationTokenSource();
        Task running = _pleg.RunAsync(stop.Token);
        await relisted.Task;
        Assert.Equal(reads, _runtime.Reads);
        await stop.CancelAsync();
        await running;
    }

    private sealed class Runtime : IPodRuntime
    {
        public RuntimeContainerState State { get; set; } = RuntimeContainerState.Running;

        public Task Held { get; set; } = Task.CompletedTask;

        public int Reads { get; private set; }

        public async Task<RuntimePodStatus> GetPodStatusAsync(PodRef pod, CancellationToken cancellationToken)
        {
            RuntimeContainerStatus[] containers = [Container];
            int read = ++Reads;
            await Held;
            return new RuntimePodStatus { Pod = pod, ObservedAt = DateTimeOffset.UnixEpoch.AddSeconds(read), Containers = [.. containers] };
        }

        private RuntimeContainerStatus Container => new() { Id = new ContainerId("containerd", "container"), Name = "main", SandboxId = "s", RestartCount = 0, State = State };

        public Task<ImmutableArray<RuntimePodListing>> ListPodsAsync(CancellationToken cancellationToken) =>
            Task.FromResult(ImmutableArray.Create(new RuntimePodListing(PodLifecycleEventGeneratorTests.Pod, [], [Container])));

        public Task<PodSyncResult> SyncPodAsync(PodSyncRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task KillPodAsync(Pod? pod, RuntimePodStatus status, TimeSpan? gracePeriod, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task RemovePodAsync(RuntimePodStatus status, CancellationToken cancellationToken) => throw new NotSupportedException();

        public void Forget(PodUid uid)
        {
        }
    }
}
