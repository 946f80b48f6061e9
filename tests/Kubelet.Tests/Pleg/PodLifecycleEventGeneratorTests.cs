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

    private readonly Runtime _runtime = new();
    private readonly PodLifecycleEventGenerator _pleg;
    private readonly List<(PodUid Uid, bool Look)> _told = [];

    public PodLifecycleEventGeneratorTests()
    {
        _pleg = new PodLifecycleEventGenerator(_runtime, new PodStatusCache(), RelistOptions.Default, new FakeTimeProvider(), NullLogger<PodLifecycleEventGenerator>.Instance);
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

    private sealed class Runtime : IPodRuntime
    {
        public RuntimeContainerState State { get; set; } = RuntimeContainerState.Running;

        public int Reads { get; private set; }

        public Task<RuntimePodStatus> GetPodStatusAsync(PodRef pod, CancellationToken cancellationToken)
        {
            Reads++;
            return Task.FromResult(new RuntimePodStatus
            {
                Pod = pod,
                ObservedAt = DateTimeOffset.UnixEpoch.AddSeconds(Reads),
                Containers =
                [
                    new RuntimeContainerStatus { Id = new ContainerId("containerd", "container"), Name = "main", SandboxId = "s", RestartCount = 0, State = State },
                ],
            });
        }

        public Task<ImmutableArray<RuntimePodListing>> ListPodsAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<PodSyncResult> SyncPodAsync(PodSyncRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task KillPodAsync(Pod? pod, RuntimePodStatus status, TimeSpan? gracePeriod, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task RemovePodAsync(RuntimePodStatus status, CancellationToken cancellationToken) => throw new NotSupportedException();

        public void Forget(PodUid uid)
        {
        }
    }
}
