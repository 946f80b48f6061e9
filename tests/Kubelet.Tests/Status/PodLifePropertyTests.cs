using FsCheck;
using FsCheck.Fluent;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Tests.Sync;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Status;

/// <summary>Statuses over whole lives of pods, whatever the runtime shows from one look to the next: what has been told is never taken back.</summary>
public sealed class PodLifePropertyTests
{
    private static readonly string[] Names = ["init", "sidecar", "a", "b"];

    /// <summary>One look at the pod. Of each container: what the runtime shows (null: nothing), the exit code, and whether it is a new attempt.</summary>
    private sealed record Look(RuntimeContainerState?[] States, int[] Codes, bool[] Again, bool Ends, bool Evicted);

    private static readonly Gen<(string Policy, Look[] Looks)> Lives =
        from policy in Gen.Elements("Always", "OnFailure", "Never")
        from looks in Gen.ListOf(
            from states in Gen.ListOf(
                Gen.Elements<RuntimeContainerState?>(null, RuntimeContainerState.Created, RuntimeContainerState.Running, RuntimeContainerState.Running, RuntimeContainerState.Exited, RuntimeContainerState.Unknown),
                Names.Length)
            from codes in Gen.ListOf(Gen.Choose(0, 1), Names.Length)
            from again in Gen.ListOf(Gen.Elements(true, false), Names.Length)
            from ends in Gen.Frequency((6, Gen.Constant(false)), (1, Gen.Constant(true)))
            from evicted in Gen.Frequency((20, Gen.Constant(false)), (1, Gen.Constant(true)))
            select new Look([.. states], [.. codes], [.. again], ends, evicted))
        select (policy, looks.ToArray());

    private static Pod Fresh(string policy)
    {
        Pod pod = TestPods.Pod(restartPolicy: policy, containers: ["a", "b"]);
        return pod with { Spec = pod.Spec with { InitContainers = [new Container { Name = "init" }, new Container { Name = "sidecar", RestartPolicy = "Always" }] } };
    }

    /// <summary>The statuses that reach the API server, one after the other, and whether anything could have been running then.</summary>
    private static List<(PodStatus Told, bool Runs)> Live(string policy, Look[] looks)
    {
        Pod pod = Fresh(policy);
        var told = new List<(PodStatus, bool)>();
        PodStatus previous = pod.Status;
        DateTimeOffset now = RuntimeStates.Start;
        int[] attempts = new int[Names.Length];
        bool terminating = false;
        foreach (Look look in looks)
        {
            now += TimeSpan.FromSeconds(1);
            terminating |= look.Ends || look.Evicted;
            var containers = new List<RuntimeContainerStatus>();
            for (int i = 0; i < Names.Length; i++)
            {
                attempts[i] += look.Again[i] && !terminating ? 1 : 0;
                if (look.States[i] is { } state)
                {
                    containers.Add(RuntimeStates.Container(Names[i], state, look.Codes[i], attempts[i]));
                }
            }

            bool runs = containers.Any(c => c.State is RuntimeContainerState.Running or RuntimeContainerState.Unknown);
            PodStatus ours = PodStatusGenerator.Generate(new PodStatusInputs
            {
                Pod = pod,
                Runtime = RuntimeStates.Running(pod, [.. containers]),
                Previous = previous,
                Verdict = (_, _) => null,
                HostIPs = ["192.0.2.1"],
                QosClass = "BestEffort",
                Now = now,
                Terminating = terminating,
                Finalised = terminating && !runs,
                Failed = look.Evicted ? ("Evicted", "The node was low on resource: memory. ") : null,
            });
            previous = PodStatusMerge.Normalize(ours);
            pod = pod with { Status = PodStatusMerge.Merge(pod, previous, runs) };
            told.Add((pod.Status, runs));
        }

        return told;
    }

    private static void Always(Func<(PodStatus Told, bool Runs), (PodStatus Told, bool Runs), bool> holds) => Prop.ForAll(Lives.ToArbitrary(), life =>
    {
        List<(PodStatus Told, bool Runs)> told = Live(life.Policy, life.Looks);
        return told.Zip(told.Skip(1)).All(pair => holds(pair.First, pair.Second));
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    private static bool Ended(PodStatus status) => status.Phase is "Succeeded" or "Failed";

    private static IEnumerable<ContainerStatus> All(PodStatus status) => status.InitContainerStatuses.Concat(status.ContainerStatuses);

    [Fact]
    public void A_phase_that_ended_never_changes_again() => Always((one, next) => !Ended(one.Told) || next.Told.Phase == one.Told.Phase);

    [Fact]
    public void No_pod_is_told_to_have_ended_while_something_of_it_may_run() => Always((one, next) => Ended(one.Told) || !Ended(next.Told) || !next.Runs);

    [Fact]
    public void Restarts_are_never_forgotten() => Always((one, next) =>
        All(one.Told).All(was => All(next.Told).Single(now => now.Name == was.Name).RestartCount >= was.RestartCount));

    [Fact]
    public void The_start_time_is_told_once() => Always((one, next) => one.Told.StartTime is not null && next.Told.StartTime == one.Told.StartTime);

    [Fact]
    public void A_pod_that_ended_is_not_ready() => Always((_, next) =>
        !Ended(next.Told) || next.Told.Conditions.Where(c => c.Type is "Ready" or "ContainersReady").All(c => c.Status == "False"));

    [Fact]
    public void Every_container_of_the_spec_has_one_status_with_one_state() => Always((_, next) =>
        All(next.Told).Select(s => s.Name).Order().SequenceEqual(Names.Order())
        && All(next.Told).All(s => new object?[] { s.State?.Running, s.State?.Waiting, s.State?.Terminated }.Count(x => x is not null) == 1));
}
