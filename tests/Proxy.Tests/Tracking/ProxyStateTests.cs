using NodeAgent.Kubernetes.Objects;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Tracking;

public sealed class ProxyStateTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Each_change_of_endpoints_since_the_start_is_told_once_when_it_is_taken()
    {
        var state = new ProxyState(IPFamily.IPv4) { Started = Start };
        state.SetSlice(Slice("2026-11-21T11:59:59Z"));
        state.Take();
        Assert.Empty(state.TakeTriggers());
        state.SetSlice(Slice("2026-11-21T12:00:01.25Z"));
        state.SetSlice(Slice("2026-11-21T12:00:01.25Z"));
        state.SetSlice(Slice("2026-11-21T12:00:02Z"));
        Assert.Empty(state.TakeTriggers());
        state.Take();
        Assert.Equal([Start.AddSeconds(1.25), Start.AddSeconds(2)], state.TakeTriggers());
        Assert.Empty(state.TakeTriggers());
    }

    [Fact]
    public void Changes_of_a_slice_that_goes_before_they_are_taken_are_not_told()
    {
        var state = new ProxyState(IPFamily.IPv4) { Started = Start };
        SliceState slice = Slice("2026-11-21T12:00:01Z");
        state.SetSlice(slice);
        state.RemoveSlice(slice);
        state.SetSlice(Slice("no time"));
        state.Take();
        Assert.Empty(state.TakeTriggers());
    }

    private static SliceState Slice(string triggered) => SliceState.From(new EndpointSlice
    {
        AddressType = "IPv4",
        Metadata = new ObjectMeta
        {
            Namespace = "ns",
            Name = "web-1",
            Labels = new Dictionary<string, string> { ["kubernetes.io/service-name"] = "web" },
            Annotations = new Dictionary<string, string> { ["endpoints.kubernetes.io/last-change-trigger-time"] = triggered },
        },
    }, "node1")!;
}
