using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using static NodeAgent.Kubelet.Tests.Sync.RuntimeStates;
using State = NodeAgent.Kubelet.Pleg.RuntimeContainerState;

namespace NodeAgent.Kubelet.Tests.Containers;

public sealed class CrashLoopBackOffTests
{
    private static readonly PodUid Uid = new("u");
    private readonly CrashLoopBackOff _backOff = new(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(300));
    private readonly List<RuntimeContainerStatus> _ended = [];
    private DateTimeOffset _now = Start;
    private int _attempt;

    // The container runs, ends, and is started again as soon as the back-off allows: what was waited.
    private double RunAndWait(TimeSpan run)
    {
        DateTimeOffset started = _now;
        _now += run;
        _ended.Insert(0, Container("a", State.Exited, attempt: _attempt++) with { StartedAt = started, FinishedAt = _now });
        return Wait(_backOff);
    }

    private double Wait(CrashLoopBackOff backOff)
    {
        if (backOff.Check(Uid, "busybox", _ended, _now) is not var (left, delay))
        {
            return 0;
        }

        Assert.Equal(delay, left);
        Assert.NotNull(backOff.Check(Uid, "busybox", _ended, _now + left - TimeSpan.FromMilliseconds(1)));
        _now += left;
        Assert.Null(backOff.Check(Uid, "busybox", _ended, _now));
        return delay.TotalSeconds;
    }

    private double[] Runs(int count, double seconds = 1) => [.. Enumerable.Range(0, count).Select(_ => RunAndWait(TimeSpan.FromSeconds(seconds)))];

    [Fact]
    public void The_first_restart_comes_at_once_then_delays_double_up_to_the_cap() =>
        Assert.Equal([0, 10, 20, 40, 80, 160, 300, 300], Runs(8));

    [Fact]
    public void Ten_minutes_of_running_begin_anew()
    {
        Runs(5);
        Assert.Equal(0, RunAndWait(TimeSpan.FromSeconds(601)));
        Assert.Equal([10, 20], Runs(2));
    }

    [Fact]
    public void A_container_that_runs_longer_than_its_delay_still_doubles_it_for_the_next_end() =>
        Assert.Equal([0, 10, 20, 40, 80], Runs(5, seconds: 100));

    [Fact]
    public void Asking_often_while_waiting_changes_nothing()
    {
        Runs(3);
        _ended.Insert(0, Container("a", State.Exited, attempt: _attempt++) with { StartedAt = _now, FinishedAt = _now });
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(40, _backOff.Check(Uid, "busybox", _ended, _now.AddSeconds(i))?.Delay.TotalSeconds);
        }
    }

    [Fact]
    public void A_start_that_was_allowed_and_failed_is_allowed_again()
    {
        Runs(4);
        Assert.Null(_backOff.Check(Uid, "busybox", _ended, _now.AddSeconds(1)));
        Assert.Equal([80], Runs(1));
    }

    [Fact]
    public void Another_image_begins_anew()
    {
        Runs(4);
        _ended.Insert(0, Container("a", State.Exited, attempt: 0) with { StartedAt = _now, FinishedAt = _now });
        Assert.Null(_backOff.Check(Uid, "other", _ended, _now));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(9)]
    public void After_a_restart_of_the_agent_the_series_goes_on(int before)
    {
        Runs(before);
        double expected = Math.Min(300, 10 * Math.Pow(2, before - 1));
        DateTimeOffset started = _now;
        _now += TimeSpan.FromSeconds(1);
        _ended.Insert(0, Container("a", State.Exited, attempt: _attempt) with { StartedAt = started, FinishedAt = _now });
        var restarted = new CrashLoopBackOff(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(300));
        Assert.Equal(expected, Wait(restarted));
    }

    [Fact]
    public void After_a_restart_of_the_agent_old_restarts_do_not_count_against_a_long_run()
    {
        RuntimeContainerStatus ended = Container("a", State.Exited, attempt: 7) with { StartedAt = Start, FinishedAt = Start.AddHours(1) };
        Assert.Null(_backOff.Check(Uid, "busybox", [ended], ended.FinishedAt));
    }

    [Fact]
    public void After_a_restart_of_the_agent_a_forgotten_past_costs_the_initial_delay()
    {
        RuntimeContainerStatus ended = Container("a", State.Exited, attempt: 7) with { StartedAt = Start, FinishedAt = Start.AddSeconds(5) };
        Assert.Equal(10, _backOff.Check(Uid, "busybox", [ended], ended.FinishedAt)?.Delay.TotalSeconds);
    }

    [Theory]
    [InlineData("0", 10)]
    [InlineData("10", 20)]
    [InlineData("160", 300)]
    [InlineData("1e9", 10)]
    [InlineData("9999999999999999999999999999", 300)]
    [InlineData("-1", 10)]
    [InlineData("NaN", 10)]
    [InlineData("", 10)]
    public void After_a_restart_of_the_agent_the_last_attempt_alone_tells_how_long_was_waited_before_it(string told, double expected)
    {
        RuntimeContainerStatus ended = Container("a", State.Exited, attempt: 7) with { StartedAt = Start, FinishedAt = Start.AddSeconds(5) };
        ended = ended with { Annotations = ended.Annotations.SetItem(CriNames.RestartDelay, told) };
        Assert.Equal(expected, _backOff.Check(Uid, "busybox", [ended], ended.FinishedAt)?.Delay.TotalSeconds);
    }

    [Fact]
    public void What_was_waited_before_a_start_is_known_once_it_is_allowed()
    {
        Assert.Null(_backOff.WaitedBefore(Uid, "a", "busybox"));
        Runs(1);
        Assert.Equal(TimeSpan.Zero, _backOff.WaitedBefore(Uid, "a", "busybox"));
        Runs(2);
        Assert.Equal(TimeSpan.FromSeconds(20), _backOff.WaitedBefore(Uid, "a", "busybox"));
        Assert.Null(_backOff.WaitedBefore(Uid, "b", "busybox"));
    }

    [Fact]
    public void A_lower_cap_lowers_the_first_delay_too()
    {
        var backOff = new CrashLoopBackOff(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(4));
        RuntimeContainerStatus ended = Container("a", State.Exited, attempt: 3) with { StartedAt = Start, FinishedAt = Start.AddSeconds(1) };
        Assert.Equal(4, backOff.Check(Uid, "busybox", [ended], ended.FinishedAt)?.Delay.TotalSeconds);
    }
}
