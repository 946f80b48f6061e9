using FsCheck;
using FsCheck.Fluent;
using NodeAgent.Kubelet.Eviction;

namespace NodeAgent.Kubelet.Tests.Eviction;

public sealed class EvictionStateTests
{
    private static readonly TimeSpan Transition = TimeSpan.FromMinutes(5);

    private static IReadOnlyList<EvictionThreshold> Thresholds(
        (string, string)[] hard, (string Signal, string Value, int Seconds)[]? soft = null, (string, string)[]? reclaim = null, bool pods = false) =>
        EvictionThresholds.Parse(new EvictionSettings
        {
            Hard = hard.ToDictionary(h => h.Item1, h => h.Item2),
            Soft = (soft ?? []).ToDictionary(s => s.Signal, s => s.Value),
            SoftGrace = (soft ?? []).ToDictionary(s => s.Signal, s => TimeSpan.FromSeconds(s.Seconds)),
            MinimumReclaim = (reclaim ?? []).ToDictionary(r => r.Item1, r => r.Item2),
            PodsAreLimited = pods,
        });

    private static Dictionary<string, EvictionSignal> Memory(long available) => new() { [EvictionSignals.Memory] = new EvictionSignal(available, 1000) };

    private static EvictionState After(IReadOnlyList<EvictionThreshold> thresholds, params (int Second, long Available)[] looks) =>
        looks.Aggregate(new EvictionState(), (state, look) => state.Next(thresholds, Memory(look.Available), TimeSpan.FromSeconds(look.Second), Transition));

    [Fact]
    public void A_hard_threshold_is_due_at_once_and_only_below()
    {
        IReadOnlyList<EvictionThreshold> hard = Thresholds([("memory.available", "10%")]);
        Assert.Empty(After(hard, (0, 100)).Due);
        EvictionState below = After(hard, (0, 99));
        Assert.Equal(["memory.available"], below.Due.Select(t => t.Signal));
        Assert.Equal("MemoryPressure", string.Join(" ", below.Conditions));
    }

    [Fact]
    public void A_soft_threshold_is_due_when_met_for_its_grace_without_a_break_but_its_condition_holds_at_once()
    {
        IReadOnlyList<EvictionThreshold> soft = Thresholds([], [("memory.available", "100", 30)]);
        Assert.Equal((0, 1), (After(soft, (0, 50)).Due.Length, After(soft, (0, 50)).Conditions.Length));
        Assert.Empty(After(soft, (0, 50), (20, 50)).Due);
        Assert.Single(After(soft, (0, 50), (20, 50), (30, 50)).Due);
        Assert.Empty(After(soft, (0, 50), (20, 150), (30, 50), (50, 50)).Due);
    }

    [Fact]
    public void Once_due_it_stays_so_until_the_minimum_reclaim_is_reached()
    {
        IReadOnlyList<EvictionThreshold> hard = Thresholds([("memory.available", "100")], reclaim: [("memory.available", "50")]);
        Assert.Empty(After(hard, (0, 120)).Due);
        Assert.Single(After(hard, (0, 90), (10, 120)).Due);
        Assert.Single(After(hard, (0, 90), (10, 120), (20, 149)).Due);
        Assert.Empty(After(hard, (0, 90), (10, 120), (20, 150)).Due);
        Assert.Empty(After(hard, (0, 90), (10, 150), (20, 120)).Due);
    }

    [Fact]
    public void A_condition_stays_for_the_transition_period()
    {
        IReadOnlyList<EvictionThreshold> hard = Thresholds([("memory.available", "100")]);
        Assert.Equal("MemoryPressure", string.Join(" ", After(hard, (0, 1), (10, 500), (299, 500)).Conditions));
        Assert.Empty(After(hard, (0, 1), (10, 500), (300, 500)).Conditions);
        Assert.Equal("MemoryPressure", string.Join(" ", After(hard, (0, 1), (200, 1), (450, 500)).Conditions));
    }

    [Fact]
    public void The_pods_common_limit_is_watched_as_memory_is_and_memory_comes_first()
    {
        IReadOnlyList<EvictionThreshold> all = Thresholds([("nodefs.available", "10%"), ("memory.available", "100Mi"), ("imagefs.available", "0%")], pods: true);
        Assert.Equal(["memory.available", "allocatableMemory.available", "nodefs.available"], all.Select(t => t.Signal));
    }

    [Theory]
    [InlineData(DiskLayout.One, "10")]
    [InlineData(DiskLayout.ImagesApart, "15")]
    [InlineData(DiskLayout.ImagesAloneApart, "10")]
    public void Containers_layers_have_the_threshold_of_the_disk_they_share_whatever_was_given(DiskLayout layout, string expected)
    {
        IReadOnlyList<EvictionThreshold> all = EvictionThresholds.WithContainerFs(
            Thresholds([("nodefs.available", "10"), ("imagefs.available", "15"), ("containerfs.available", "99")]), layout);
        Assert.Equal(expected, all.Single(t => t.Signal == EvictionSignals.ContainerFs).Value.Quantity(1).ToString());
    }

    [Fact]
    public void An_unknown_signal_meets_nothing() =>
        Assert.Empty(new EvictionState().Next(Thresholds([("nodefs.available", "10%")]), Memory(0), TimeSpan.Zero, Transition).Due);

    [Fact]
    public void Whatever_is_seen_conditions_follow_the_signals_and_nothing_is_due_that_is_not_met()
    {
        IReadOnlyList<EvictionThreshold> all = Thresholds([("memory.available", "100")], [("memory.available", "300", 25)], [("memory.available", "50")]);
        Prop.ForAll(Gen.ListOf(Gen.Choose(0, 500)).ToArbitrary(), amounts =>
        {
            var state = new EvictionState();
            var lastBelow = TimeSpan.FromDays(-1);
            for (int i = 0; i < amounts.Count; i++)
            {
                var now = TimeSpan.FromSeconds(i * 10);
                state = state.Next(all, Memory(amounts[i]), now, Transition);
                bool below = state.MetSince.Count > 0;
                lastBelow = below ? now : lastBelow;
                bool right = state.Due.All(state.MetSince.ContainsKey)
                    && state.Due.All(t => t.IsMet(Memory(amounts[i]), resolving: true))
                    && (amounts[i] >= 100 || state.Due.Any(t => t.IsHard))
                    && state.Due.Where(t => !t.IsHard).All(t => now - state.MetSince[t] >= t.Grace)
                    && state.Conditions.Any() == (now - lastBelow < Transition);
                if (!right)
                {
                    return false;
                }
            }

            return true;
        }).QuickCheckThrowOnFailure();
    }
}
