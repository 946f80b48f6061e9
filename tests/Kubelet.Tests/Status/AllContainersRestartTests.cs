using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;
using static NodeAgent.Kubelet.Tests.Sync.RuntimeStates;
using State = NodeAgent.Kubelet.Pleg.RuntimeContainerState;

namespace NodeAgent.Kubelet.Tests.Status;

public sealed class AllContainersRestartTests
{
    private static Pod Pod(string restartPolicy = "Never", int code = 42)
    {
        Pod pod = TestPods.Pod(restartPolicy: restartPolicy, containers: ["main", "watcher"]);
        return pod with
        {
            Spec = pod.Spec with
            {
                InitContainers = [new Container { Name = "init", Image = "busybox" }],
                Containers =
                [
                    pod.Spec.Containers[0],
                    pod.Spec.Containers[1] with
                    {
                        RestartPolicy = "Never",
                        RestartPolicyRules =
                        [
                            new ContainerRestartRule { Action = "Restart", ExitCodes = new ContainerRestartRuleOnExitCodes { Operator = "In", Values = [7] } },
                            new ContainerRestartRule { Action = "RestartAllContainers", ExitCodes = new ContainerRestartRuleOnExitCodes { Operator = "In", Values = [7, code] } },
                        ],
                    },
                ],
            },
        };
    }

    private static PodStatus Generate(Pod pod, RuntimePodStatus runtime, PodStatus? previous = null) => PodStatusGenerator.Generate(new PodStatusInputs
    {
        Pod = pod,
        Runtime = runtime,
        Previous = previous ?? new PodStatus(),
        Verdict = (_, _) => null,
        QosClass = "BestEffort",
        Now = Start.AddMinutes(1),
    });

    private static string? Condition(PodStatus status) => status.Conditions.SingleOrDefault(c => c.Type == "AllContainersRestarting")?.Status;

    private static RuntimePodStatus Exited(Pod pod, int code) => Running(
        pod, Container("main", State.Running), Container("watcher", State.Exited, exitCode: code), Container("init", State.Exited));

    [Fact]
    public void A_pod_without_such_a_rule_has_no_such_condition() => Assert.Null(Condition(Generate(TestPods.Pod(), Running(TestPods.Pod()))));

    [Theory]
    [InlineData(42, "True")]
    // The first rule that matches counts.
    [InlineData(7, "False")]
    [InlineData(1, "False")]
    public void An_exit_that_a_rule_names_begins_it(int code, string expected) => Assert.Equal(expected, Condition(Generate(Pod(), Exited(Pod(), code))));

    [Fact]
    public void All_attempts_are_removed_the_cause_last_and_nothing_else_is_done()
    {
        Pod pod = Pod();
        RuntimePodStatus status = Running(
            pod, Container("main", State.Running, attempt: 1), Container("watcher", State.Exited, exitCode: 42), Container("main", State.Exited), Container("init", State.Exited), Container("init", State.Unknown, attempt: 7));
        PodActions actions = PodActionPlanner.Compute(pod, status, _ => default, restartAll: true);
        Assert.Equal(["main-1 kill", "main-0", "init-0", "init-7 kill", "watcher-0"], actions.Reset.Select(r => r.Container.Id.Id + (r.Kill ? " kill" : "")));
        Assert.False(actions.IsEmpty);
        Assert.True(actions.Start.IsEmpty && actions.StartInit.IsEmpty && actions.Kill.IsEmpty && !actions.KillPod && !actions.CreateSandbox);
    }

    [Fact]
    public void Removed_containers_wait_with_the_reason_count_a_restart_once_and_the_pod_stays_running_and_initialised()
    {
        Pod pod = Pod();
        PodStatus begun = Generate(pod, Exited(pod, 42));
        Assert.Equal("Running", begun.Phase);
        // The main container is gone, the rest not yet; looked at twice.
        RuntimePodStatus half = Running(pod, Container("watcher", State.Exited, exitCode: 42), Container("init", State.Exited));
        PodStatus first = Generate(pod, half, begun), status = Generate(pod, half, first);
        Assert.Equal("RestartingAllContainers", first.ContainerStatuses.Single(s => s.Name == "main").State!.Waiting!.Reason);
        ContainerStatus main = status.ContainerStatuses.Single(s => s.Name == "main");
        Assert.Equal(("RestartingAllContainers", 137, 1), (main.LastState!.Terminated!.Reason, main.LastState.Terminated.ExitCode, main.RestartCount));
        Assert.Equal("True", Condition(status));
        // All are gone.
        PodStatus clean = Generate(pod, Running(pod), status);
        Assert.Equal(("False", "Running"), (Condition(clean), clean.Phase));
        Assert.Equal([1, 1], clean.ContainerStatuses.Select(s => s.RestartCount));
        Assert.Equal("True", clean.Conditions.Single(c => c.Type == "Initialized").Status);
        // And the next look begins nothing anew.
        PodStatus next = Generate(pod, Running(pod), clean);
        Assert.Equal(("False", "1 1"), (Condition(next), string.Join(' ', next.ContainerStatuses.Select(s => s.RestartCount))));
        // The new attempt keeps the count.
        PodStatus again = Generate(pod, Running(pod, Container("init", State.Running, attempt: 1)), next);
        Assert.Equal(1, again.InitContainerStatuses.Single().RestartCount);
    }

    [Fact]
    public void A_pod_that_has_ended_restarts_nothing() =>
        Assert.Equal("False", Condition(Generate(Pod(), Exited(Pod(), 42), new PodStatus { Phase = "Failed" })));
}
