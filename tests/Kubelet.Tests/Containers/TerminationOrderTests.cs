using FsCheck;
using FsCheck.Fluent;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubernetes.Objects;
using static NodeAgent.Kubelet.Tests.Sync.RuntimeStates;

namespace NodeAgent.Kubelet.Tests.Containers;

public sealed class TerminationOrderTests
{
    private const RuntimeContainerState Running = RuntimeContainerState.Running;

    private static Pod Pod(string[] init, string[] sidecars, params string[] main)
    {
        Pod pod = TestPods.Pod(containers: main);
        return pod with
        {
            Spec = pod.Spec with
            {
                InitContainers = [.. init.Select(n => new Container { Name = n }), .. sidecars.Select(n => new Container { Name = n, RestartPolicy = "Always" })],
            },
        };
    }

    private static string Told(Pod? pod, params (string Name, RuntimeContainerState State)[] containers) =>
        string.Join(" | ", TerminationOrder.Compute(pod, containers.Select(c => Container(c.Name, c.State))).Select(w => string.Join(" ", w.Select(c => c.Name))));

    [Fact]
    public void Main_containers_end_at_once_and_sidecars_after_them_the_last_first() =>
        Assert.Equal("a b | s3 | s2 | s1", Told(Pod([], ["s1", "s2", "s3"], "a", "b"), ("s1", Running), ("a", Running), ("s2", Running), ("b", Running), ("s3", Running)));

    [Fact]
    public void A_sidecar_that_does_not_run_keeps_nobody_waiting() =>
        Assert.Equal("a | s3 | s1", Told(Pod([], ["s1", "s2", "s3"], "a"), ("s1", Running), ("a", Running), ("s2", RuntimeContainerState.Exited), ("s3", Running)));

    [Fact]
    public void An_init_container_that_runs_and_an_ephemeral_container_count_as_main_containers() =>
        Assert.Equal("debug setup | s1", Told(Pod(["setup"], ["s1"], "a"), ("debug", Running), ("s1", Running), ("setup", Running)));

    [Fact]
    public void Without_a_main_container_that_runs_the_last_sidecar_waits_for_nobody() =>
        Assert.Equal("s2 | s1", Told(Pod([], ["s1", "s2"], "a"), ("s1", Running), ("s2", Running), ("a", RuntimeContainerState.Exited)));

    [Fact]
    public void All_of_a_pod_that_only_the_runtime_knows_end_at_once() =>
        Assert.Equal("s1 a", Told(null, ("s1", Running), ("a", Running)));

    [Fact]
    public void What_may_run_is_stopped_and_what_was_only_made_is_not() =>
        Assert.Equal("a", Told(Pod([], [], "a", "b"), ("a", RuntimeContainerState.Unknown), ("b", RuntimeContainerState.Created)));

    [Fact]
    public void Each_running_container_is_in_one_wave_and_no_sidecar_ends_before_one_that_started_after_it() => Prop.ForAll(
        (from sidecars in Gen.Choose(0, 4)
         from main in Gen.Choose(1, 3)
         from states in Gen.ListOf(Gen.Elements(Running, RuntimeContainerState.Exited, RuntimeContainerState.Created, RuntimeContainerState.Unknown), 7)
         from order in Gen.Shuffle(Enumerable.Range(0, sidecars + main).ToArray())
         select (sidecars, main, states: states.ToArray(), order)).ToArbitrary(),
        x =>
        {
            string[] sidecars = [.. Enumerable.Range(0, x.sidecars).Select(i => $"s{i}")], main = [.. Enumerable.Range(0, x.main).Select(i => $"m{i}")];
            string[] names = [.. sidecars, .. main];
            RuntimeContainerStatus[] shown = [.. x.order.Select(i => Container(names[i], x.states[i]))];
            string[][] waves = [.. TerminationOrder.Compute(Pod([], sidecars, main), shown).Select(w => w.Select(c => c.Name).ToArray())];
            string[] ends = [.. waves.SelectMany(w => w)];
            string[] ordered = [.. ends.Where(n => n[0] == 's')];
            return ends.Order().SequenceEqual(shown.Where(c => c.State is Running or RuntimeContainerState.Unknown).Select(c => c.Name).Order())
                && waves.All(w => w.Length > 0 && (w.Length == 1 || w.All(n => n[0] == 'm')))
                && waves.Skip(1).All(w => w[0][0] == 's')
                && ordered.SequenceEqual(ordered.OrderDescending());
        }).QuickCheckThrowOnFailure();
}
