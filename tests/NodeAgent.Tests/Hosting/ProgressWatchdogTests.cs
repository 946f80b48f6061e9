using NodeAgent.Hosting;
using NodeAgent.Linux.Systemd;

namespace NodeAgent.NodeAgent.Tests.Hosting;

public sealed class ProgressWatchdogTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly NotificationSocket systemd = new(inAbstractNamespace: true);
    private readonly ManualTime time = new();
    private readonly RecordingLogger<ProgressWatchdog> log = new();
    private readonly ServiceManagerNotifier notifier;
    private readonly ProgressWatchdog watchdog;

    public ProgressWatchdogTests()
    {
        notifier = new ServiceManagerNotifier(systemd.Address);
        watchdog = new ProgressWatchdog(notifier, TimeSpan.FromSeconds(20), time, log);
    }

    public void Dispose()
    {
        watchdog.Dispose();
        notifier.Dispose();
        systemd.Dispose();
    }

    [Theory]
    [InlineData("sync loop")]
    [InlineData("worker dispatch")]
    [InlineData("PLEG")]
    public void Any_stuck_loop_stops_the_feeding_and_is_named_once(string stuck)
    {
        Dictionary<string, LoopProgress> loops = new[] { "sync loop", "worker dispatch", "PLEG" }.ToDictionary(n => n, n => watchdog.Register(n, Limit));
        Assert.True(watchdog.Check());
        Assert.Equal("WATCHDOG=1", systemd.Receive());
        time.Advance(Limit + TimeSpan.FromSeconds(1));
        foreach (LoopProgress loop in loops.Values.Where(l => l.Name != stuck))
            loop.Beat();
        Assert.False(watchdog.Check());
        Assert.False(watchdog.Check());
        Assert.True(systemd.IsEmpty);
        Assert.Contains(stuck, Assert.Single(log.Lines), StringComparison.Ordinal);
        loops[stuck].Beat();
        Assert.True(watchdog.Check());
        Assert.Equal("WATCHDOG=1", systemd.Receive());
        Assert.Equal(2, log.Lines.Count);
    }

    [Fact]
    public void A_loop_that_waits_for_work_is_not_stuck_until_it_has_work_it_does_not_do()
    {
        bool idle = true;
        watchdog.Register("sync loop", Limit, () => idle);
        time.Advance(Limit * 10);
        Assert.True(watchdog.Check());
        idle = false;
        time.Advance(Limit);
        Assert.True(watchdog.Check());
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(watchdog.Check());
    }

    [Fact]
    public void A_loop_that_cannot_be_asked_does_not_end_the_process_and_is_stuck_when_its_limit_is_over()
    {
        watchdog.Register("sync loop", Limit, () => throw new NotSupportedException("no count"));
        Assert.True(watchdog.Check());
        time.Advance(Limit + TimeSpan.FromSeconds(1));
        Assert.False(watchdog.Check());
        Assert.Contains("no count", Assert.Single(log.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public void A_loop_that_has_ended_is_watched_no_longer()
    {
        LoopProgress loop = watchdog.Register("PLEG", Limit);
        loop.Dispose();
        time.Advance(Limit * 2);
        Assert.True(watchdog.Check());
    }

    [Fact]
    public void Its_own_thread_feeds_from_the_start()
    {
        watchdog.Start();
        Assert.Equal("WATCHDOG=1", systemd.Receive());
        Assert.Equal(TimeSpan.FromSeconds(10), watchdog.Period);
    }

    [Fact]
    public void An_interval_of_a_second_is_refused() =>
        Assert.Throws<ArgumentException>(() => new ProgressWatchdog(notifier, TimeSpan.FromSeconds(1), time, log));
}
