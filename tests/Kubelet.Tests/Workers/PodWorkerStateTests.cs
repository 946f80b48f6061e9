using FsCheck;
using FsCheck.Fluent;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Workers;

public sealed class PodWorkerStateTests
{
    private static readonly Pod Plain = TestPods.Pod();

    [Fact]
    public void A_new_pod_starts_syncing() => Assert.Equal(PodWorkPhase.Syncing, PodWorkerState.First(Plain, anythingRuns: false).Phase);

    [Theory]
    [InlineData("Failed", false, PodWorkPhase.Terminated)]
    [InlineData("Succeeded", false, PodWorkPhase.Terminated)]
    [InlineData("Failed", true, PodWorkPhase.Terminating)]
    [InlineData("Succeeded", true, PodWorkPhase.Terminating)]
    [InlineData("Running", true, PodWorkPhase.Syncing)]
    public void A_pod_that_has_ended_is_never_started_again(string phase, bool runs, PodWorkPhase expected)
    {
        Pod pod = Plain with { Status = new PodStatus { Phase = phase } };
        Assert.Equal(expected, PodWorkerState.First(pod, runs).Phase);
    }

    [Fact]
    public void A_deletion_ends_it_with_the_grace_period_of_the_object()
    {
        PodWorkerState state = new PodWorkerState().Apply(Plain.Deleting(7), removed: false, kill: null);
        Assert.Equal(PodWorkPhase.Terminating, state.Phase);
        Assert.Equal(TimeSpan.FromSeconds(7), state.Grace);
    }

    [Fact]
    public void A_grace_period_of_zero_counts_as_one_second()
    {
        PodWorkerState state = new PodWorkerState().Apply(Plain.Deleting(0), removed: false, kill: null);
        Assert.Equal(TimeSpan.FromSeconds(1), state.Grace);
    }

    [Fact]
    public void A_pod_that_only_left_its_source_gets_the_grace_of_its_spec()
    {
        PodWorkerState state = new PodWorkerState().Apply(Plain, removed: true, kill: null);
        Assert.Equal(PodWorkPhase.Terminating, state.Phase);
        Assert.Null(state.Grace);
    }

    [Fact]
    public void Phases_follow_one_another_and_unfinished_passes_stay()
    {
        var state = new PodWorkerState { Phase = PodWorkPhase.Terminating };
        Assert.Equal(PodWorkPhase.Terminating, state.Advance(PodPassOutcome.Again).Phase);
        Assert.Equal(PodWorkPhase.Terminated, state.Advance(PodPassOutcome.Done).Phase);
        Assert.Equal(PodWorkPhase.Finished, state.Advance(PodPassOutcome.Done).Advance(PodPassOutcome.Done).Phase);
        Assert.Equal(PodWorkPhase.Finished, new PodWorkerState { Phase = PodWorkPhase.Finished }.Advance(PodPassOutcome.Done).Phase);
    }

    [Fact]
    public void Whatever_happens_the_phase_never_goes_back_and_the_grace_never_grows()
    {
        var step = Gen.Choose(0, 6).Select(i => (Func<PodWorkerState, PodWorkerState>)(i switch
        {
            0 => s => s.Apply(Plain, false, null),
            1 => s => s.Apply(Plain.Deleting(20), false, null),
            2 => s => s.Apply(Plain.Deleting(2), false, null),
            3 => s => s.Apply(null, true, null),
            4 => s => s.Apply(null, false, new PodKill("Evicted", "low on memory", TimeSpan.FromSeconds(5))),
            5 => s => s.Advance(PodPassOutcome.Done),
            _ => s => s.Advance(PodPassOutcome.ReachedTerminalPhase),
        }));
        Prop.ForAll(Gen.ListOf(step).ToArbitrary(), steps =>
        {
            var state = new PodWorkerState();
            foreach (Func<PodWorkerState, PodWorkerState> next in steps)
            {
                PodWorkerState after = next(state);
                Assert.True(after.Phase >= state.Phase);
                Assert.True(state.Grace is null || after.Grace <= state.Grace);
                state = after;
            }
        }).QuickCheckThrowOnFailure();
    }
}
