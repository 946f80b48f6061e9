using System.Text;
using NodeAgent.Kubernetes.Events;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubernetes.Tests.Events;

public sealed class EventCorrelatorTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_repeated_event_becomes_a_patch_of_the_count()
    {
        EventCorrelator correlator = new(_time);
        Assert.Null(correlator.Decide(Event("m", "first"))!.Patch);
        EventDecision second = correlator.Decide(Event("m", "second"))!;
        Assert.Equal(2, second.Event.Count);
        Assert.Equal("first", second.Event.Metadata.Name);
        string body = Encoding.UTF8.GetString(second.Patch!.Body.Span);
        Assert.Contains("\"count\":2", body, StringComparison.Ordinal);
        Assert.Contains("lastTimestamp", body, StringComparison.Ordinal);
    }

    [Fact]
    public void Ten_events_that_differ_in_their_text_are_combined_until_ten_minutes_are_calm()
    {
        EventCorrelator correlator = new(_time);
        for (int i = 1; i < 10; i++)
            Assert.Equal($"m{i}", correlator.Decide(Event($"m{i}"))!.Event.Message);
        EventDecision tenth = correlator.Decide(Event("m10"))!;
        Assert.Equal("(combined from similar events): m10", tenth.Event.Message);
        Assert.Null(tenth.Patch);
        EventDecision eleventh = correlator.Decide(Event("m11"))!;
        Assert.NotNull(eleventh.Patch);
        Assert.Equal(2, eleventh.Event.Count);
        _time.Advance(TimeSpan.FromSeconds(601));
        Assert.Equal("m12", correlator.Decide(Event("m12"))!.Event.Message);
    }

    [Fact]
    public void A_source_has_25_events_for_an_object_then_one_in_five_minutes()
    {
        EventCorrelator correlator = new(_time);
        Assert.Equal(25, Enumerable.Range(0, 30).Count(i => correlator.Decide(Event("same")) is not null));
        _time.Advance(TimeSpan.FromSeconds(299));
        Assert.Null(correlator.Decide(Event("same")));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.NotNull(correlator.Decide(Event("same")));
        Assert.NotNull(correlator.Decide(Event("same", about: "other")));
    }

    [Fact]
    public void Names_are_the_object_and_hexadecimal_nanoseconds_and_never_too_long()
    {
        string name = EventNames.Next("pod-a", new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        Assert.Matches("^pod-a\\.[0-9a-f]{16}$", name);
        Assert.Equal(253, EventNames.Next(new string('a', 253), DateTimeOffset.UnixEpoch.AddYears(56)).Length);
    }

    private Event Event(string message, string name = "e", string about = "pod") => new()
    {
        Metadata = new ObjectMeta { Name = name, Namespace = "n" },
        InvolvedObject = new ObjectReference { Kind = "Pod", Namespace = "n", Name = about, Uid = "u" },
        Source = new EventSource { Component = "kubelet", Host = "h" },
        Type = "Normal",
        Reason = "Pulled",
        Message = message,
        Count = 1,
        FirstTimestamp = _time.GetUtcNow(),
        LastTimestamp = _time.GetUtcNow(),
    };
}
