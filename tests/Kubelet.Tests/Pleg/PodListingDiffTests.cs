using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet.Tests.Pleg;

/// <summary>An event whose news are known already asks the runtime nothing.</summary>
public sealed class PodListingDiffTests
{
    [Theory]
    [InlineData(RuntimeEventKind.Started, RuntimeContainerState.Created, false)]
    [InlineData(RuntimeEventKind.Started, RuntimeContainerState.Running, true)]
    [InlineData(RuntimeEventKind.Started, RuntimeContainerState.Exited, true)]
    [InlineData(RuntimeEventKind.Started, RuntimeContainerState.Unknown, false)]
    [InlineData(RuntimeEventKind.Stopped, RuntimeContainerState.Created, false)]
    [InlineData(RuntimeEventKind.Stopped, RuntimeContainerState.Running, false)]
    [InlineData(RuntimeEventKind.Stopped, RuntimeContainerState.Exited, true)]
    [InlineData(RuntimeEventKind.Stopped, RuntimeContainerState.Unknown, false)]
    [InlineData(RuntimeEventKind.Deleted, RuntimeContainerState.Exited, false)]
    [InlineData(RuntimeEventKind.Other, RuntimeContainerState.Running, false)]
    public void An_event_of_a_container_is_known_where_its_state_came_as_far(RuntimeEventKind kind, RuntimeContainerState state, bool known)
    {
        Assert.Equal(known, PodListingDiff.IsKnown(Status(state, RuntimeSandboxState.Ready), new RuntimeEvent(kind, "container")));
        Assert.False(PodListingDiff.IsKnown(Status(state, RuntimeSandboxState.Ready), new RuntimeEvent(kind, "another")));
        Assert.False(PodListingDiff.IsKnown(null, new RuntimeEvent(kind, "container")));
    }

    [Theory]
    [InlineData(RuntimeEventKind.Started, RuntimeSandboxState.Ready, true)]
    [InlineData(RuntimeEventKind.Stopped, RuntimeSandboxState.Ready, false)]
    [InlineData(RuntimeEventKind.Stopped, RuntimeSandboxState.NotReady, true)]
    [InlineData(RuntimeEventKind.Deleted, RuntimeSandboxState.NotReady, false)]
    public void An_event_of_a_sandbox_is_known_where_its_state_came_as_far(RuntimeEventKind kind, RuntimeSandboxState state, bool known) =>
        Assert.Equal(known, PodListingDiff.IsKnown(Status(RuntimeContainerState.Running, state), new RuntimeEvent(kind, "sandbox")));

    private static RuntimePodStatus Status(RuntimeContainerState container, RuntimeSandboxState sandbox) => new()
    {
        Pod = new PodRef("default", "web", new PodUid("u")),
        ObservedAt = DateTimeOffset.UnixEpoch,
        Sandboxes = [new RuntimeSandboxStatus { Id = "sandbox", Attempt = 0, State = sandbox, CreatedAt = DateTimeOffset.UnixEpoch }],
        Containers =
        [
            new RuntimeContainerStatus { Id = new ContainerId("containerd", "container"), Name = "main", SandboxId = "sandbox", RestartCount = 0, State = container },
        ],
    };
}
