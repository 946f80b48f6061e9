using FsCheck;
using FsCheck.Fluent;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Probes;

public sealed class ProbeDecisionTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly ContainerId One = new("containerd", "one"), Two = new("containerd", "two");
    private static readonly ProbeTimes Times = new(TimeSpan.Zero, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(1), 1, 3);

    private static ProbeSight Running(bool started = true, bool survived = false, ContainerId? id = null)
        => new(id ?? One, ProbeTargetPhase.Running, Now, started, survived);

    [Theory]
    [InlineData("Liveness", "Success")]
    [InlineData("Readiness", "Failure")]
    [InlineData("Startup", "Unknown")]
    public void A_new_container_begins_with_upstreams_value(string type, string verdict)
        => Assert.Equal(verdict, ProbeDecision.Next(Enum.Parse<ProbeType>(type), Times, new ProbeState(), Running(), Now).State.Verdict.ToString());

    [Fact]
    public void A_container_older_than_the_agent_has_no_verdict_until_it_was_probed()
    {
        Assert.Null(ProbeDecision.Next(ProbeType.Readiness, Times, new ProbeState(), Running(survived: true), Now).State.Verdict);
        Assert.Equal(ProbeResult.Success, ProbeDecision.Next(ProbeType.Startup, Times, new ProbeState(), Running(started: true, survived: true), Now).State.Verdict);
        Assert.Null(ProbeDecision.Next(ProbeType.Startup, Times, new ProbeState(), Running(started: false, survived: true), Now).State.Verdict);
    }

    [Theory]
    [InlineData("Startup", false, true)]
    [InlineData("Startup", true, false)]
    [InlineData("Liveness", false, false)]
    [InlineData("Liveness", true, true)]
    [InlineData("Readiness", false, false)]
    [InlineData("Readiness", true, true)]
    public void Startup_is_probed_until_it_passed_and_the_others_from_then_on(string type, bool started, bool probed)
        => Assert.Equal(probed ? TimeSpan.Zero : null, ProbeDecision.Next(Enum.Parse<ProbeType>(type), Times, new ProbeState(), Running(started), Now).Wait);

    [Fact]
    public void The_initial_delay_counts_from_the_containers_start()
    {
        ProbeTimes delayed = Times with { InitialDelay = TimeSpan.FromSeconds(5) };
        Assert.Equal(TimeSpan.FromSeconds(2), ProbeDecision.Next(ProbeType.Liveness, delayed, new ProbeState(), Running(), Now.AddSeconds(3)).Wait);
        Assert.Equal(TimeSpan.Zero, ProbeDecision.Next(ProbeType.Liveness, delayed, new ProbeState(), Running(), Now.AddSeconds(5)).Wait);
    }

    [Fact]
    public void A_container_that_ended_is_a_failure_and_waits_for_the_next()
    {
        var state = new ProbeState(One, ProbeResult.Success);
        ProbeStep step = ProbeDecision.Next(ProbeType.Readiness, Times, state, new(One, ProbeTargetPhase.Ended, Now, true, false), Now);
        Assert.Equal((ProbeResult.Failure, null), (step.State.Verdict!.Value, step.Wait));
        step = ProbeDecision.Next(ProbeType.Readiness, Times, step.State, Running(id: Two), Now);
        Assert.Equal((Two, ProbeResult.Failure, TimeSpan.Zero), (step.State.Container!.Value, step.State.Verdict!.Value, step.Wait!.Value));
    }

    [Fact]
    public void After_a_liveness_failure_nothing_is_probed_until_there_is_a_new_container()
    {
        var state = new ProbeState(One, ProbeResult.Success);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(ProbeResult.Success, state.Verdict);
            state = ProbeDecision.After(ProbeType.Liveness, Times, state, ProbeResult.Failure);
        }

        Assert.Equal((ProbeResult.Failure, true), (state.Verdict!.Value, state.OnHold));
        Assert.Null(ProbeDecision.Next(ProbeType.Liveness, Times, state, Running(), Now).Wait);
        Assert.Equal(TimeSpan.Zero, ProbeDecision.Next(ProbeType.Liveness, Times, state, Running(id: Two), Now).Wait);
    }

    [Fact]
    public void Any_startup_verdict_ends_startup_probing()
    {
        Assert.True(ProbeDecision.After(ProbeType.Startup, Times, new ProbeState(One), ProbeResult.Success).OnHold);
        Assert.False(ProbeDecision.After(ProbeType.Startup, Times, new ProbeState(One), ProbeResult.Failure).OnHold);
    }

    [Fact]
    public void A_verdict_changes_only_after_as_many_equal_outcomes_in_a_row_as_the_threshold_asks()
    {
        Prop.ForAll<bool[], byte, byte>((outcomes, success, failure) =>
        {
            ProbeTimes times = Times with { SuccessThreshold = success % 4 + 1, FailureThreshold = failure % 4 + 1 };
            var state = new ProbeState(One, ProbeResult.Failure);
            for (int i = 0; i < outcomes.Length; i++)
            {
                ProbeResult? before = state.Verdict;
                state = ProbeDecision.After(ProbeType.Readiness, times, state, outcomes[i] ? ProbeResult.Success : ProbeResult.Failure);
                int needed = outcomes[i] ? times.SuccessThreshold : times.FailureThreshold;
                bool reached = i + 1 >= needed && outcomes[(i + 1 - needed)..(i + 1)].All(o => o == outcomes[i]);
                ProbeResult? expected = reached ? outcomes[i] ? ProbeResult.Success : ProbeResult.Failure : before;
                if (state.Verdict != expected || state.OnHold)
                {
                    return false;
                }
            }

            return true;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Absent_and_zero_values_take_the_apis_defaults()
        => Assert.Equal(Times, ProbeTimes.Of(new Probe { PeriodSeconds = 0, FailureThreshold = 0 }));
}
