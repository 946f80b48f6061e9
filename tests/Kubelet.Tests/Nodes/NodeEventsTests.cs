using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Nodes;
using NodeAgent.Kubernetes.Events;

namespace NodeAgent.Kubelet.Tests.Nodes;

public sealed class NodeEventsTests
{
    [Fact]
    public async Task An_agent_that_ends_before_its_loops_run_still_tells_what_waits_and_no_more()
    {
        FakeNodeApi api = new();
        EventBroadcaster broadcaster = new(api, "kubelet", "n1", NullLogger.Instance);
        NodeEvents events = new(broadcaster, "n1");
        events.Record(EventTypes.Normal, "Starting", "Starting kubelet.");
        events.Record(EventTypes.Warning, "KubeletSetupFailed", "no folder");
        await broadcaster.SendLastAsync(default).WaitAsync(TimeSpan.FromMinutes(1));
        events.Record(EventTypes.Normal, "NodeReady", "too late");
        Assert.Equal(["Starting Starting kubelet.", "KubeletSetupFailed no folder"], api.Events.Select(e => $"{e.Reason} {e.Message}"));
        Assert.All(api.Events, e => Assert.Equal(("Node", "n1", "default"), (e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Metadata.Namespace)));
    }
}
