using NodeAgent.Kubelet.Workers;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Workers;

public sealed class StartGateTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Starts_beyond_the_width_wait_and_are_served_in_order()
    {
        var gate = new StartGate(1, TimeSpan.FromSeconds(10), _time);
        StartGate.Ticket first = await gate.EnterAsync(default);
        Task<StartGate.Ticket> second = gate.EnterAsync(default), third = gate.EnterAsync(default);
        Assert.False(second.IsCompleted);
        first.Dispose();
        StartGate.Ticket ticket = await second;
        Assert.False(third.IsCompleted);
        ticket.Dispose();
        (await third).Dispose();
    }

    [Fact]
    public async Task A_start_that_hangs_stops_counting()
    {
        var gate = new StartGate(1, TimeSpan.FromSeconds(10), _time);
        StartGate.Ticket hangs = await gate.EnterAsync(default);
        Task<StartGate.Ticket> next = gate.EnterAsync(default);
        _time.Advance(TimeSpan.FromSeconds(11));
        StartGate.Ticket second = await next;
        hangs.Dispose();
        Task<StartGate.Ticket> third = gate.EnterAsync(default);
        Assert.False(third.IsCompleted);
        second.Dispose();
        (await third).Dispose();
    }

    [Fact]
    public async Task One_who_gives_up_leaves_the_queue()
    {
        var gate = new StartGate(1, TimeSpan.FromSeconds(10), _time);
        StartGate.Ticket first = await gate.EnterAsync(default);
        using var impatience = new CancellationTokenSource();
        Task<StartGate.Ticket> gone = gate.EnterAsync(impatience.Token);
        Task<StartGate.Ticket> patient = gate.EnterAsync(default);
        await impatience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        first.Dispose();
        (await patient).Dispose();
    }

    [Fact]
    public async Task A_start_that_pulls_does_not_count_and_goes_on_before_those_that_have_not_begun()
    {
        var gate = new StartGate(1, TimeSpan.FromSeconds(10), _time);
        StartGate.Ticket pulling = await gate.EnterAsync(default);
        pulling.Pause();
        StartGate.Ticket other = await gate.EnterAsync(default).WaitAsync(TimeSpan.FromSeconds(5));
        Task<StartGate.Ticket> later = gate.EnterAsync(default);
        Task resumed = pulling.ResumeAsync(default);
        Assert.False(resumed.IsCompleted);
        other.Dispose();
        await resumed;
        Assert.False(later.IsCompleted);
        pulling.Dispose();
        pulling.Dispose();
        (await later).Dispose();
        (await gate.EnterAsync(default).WaitAsync(TimeSpan.FromSeconds(5))).Dispose();
    }
}
