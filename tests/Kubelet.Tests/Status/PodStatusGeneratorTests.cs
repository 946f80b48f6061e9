using System.Collections.Immutable;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Status;

public sealed class PodStatusGeneratorTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_pod_without_anything_is_pending_and_its_containers_wait()
    {
        PodStatus status = PodStatusGenerator.Generate(Inputs(TestPods.Pod()));
        Assert.Equal("Pending", status.Phase);
        Assert.Equal("ContainerCreating", status.ContainerStatuses[0].State?.Waiting?.Reason);
        Assert.Equal("False", Condition(status, "Ready").Status);
        Assert.Equal("containers with unready status: [main]", Condition(status, "ContainersReady").Message);
        Assert.Equal(Now, status.StartTime);
    }

    [Fact]
    public void A_running_container_without_probes_is_started_and_ready()
    {
        PodStatus status = PodStatusGenerator.Generate(Inputs(TestPods.Pod(), Running("main")));
        Assert.Equal("Running", status.Phase);
        Assert.True(status.ContainerStatuses[0].Ready);
        Assert.True(status.ContainerStatuses[0].Started);
        Assert.Equal("True", Condition(status, "Ready").Status);
        Assert.Equal("10.1.0.5", status.PodIP);
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData(ProbeResult.Unknown, false)]
    [InlineData(ProbeResult.Failure, false)]
    [InlineData(ProbeResult.Success, true)]
    public void Readiness_waits_for_its_probe(ProbeResult? verdict, bool ready)
    {
        Pod pod = TestPods.Pod();
        pod = pod with { Spec = pod.Spec with { Containers = [pod.Spec.Containers[0] with { ReadinessProbe = new Probe() }] } };
        PodStatusInputs inputs = Inputs(pod, Running("main")) with { Verdict = (_, type) => type == ProbeType.Readiness ? verdict : null };
        Assert.Equal(ready, PodStatusGenerator.Generate(inputs).ContainerStatuses[0].Ready);
    }

    [Fact]
    public void After_a_restart_of_the_agent_a_ready_container_stays_ready_until_its_probe_speaks()
    {
        Pod pod = TestPods.Pod();
        pod = pod with { Spec = pod.Spec with { Containers = [pod.Spec.Containers[0] with { ReadinessProbe = new Probe() }] } };
        PodStatus before = PodStatusGenerator.Generate(Inputs(pod, Running("main")) with { Verdict = (_, _) => ProbeResult.Success });
        PodStatus after = PodStatusGenerator.Generate(Inputs(pod, Running("main")) with { Previous = before });
        Assert.True(after.ContainerStatuses[0].Ready);
        Assert.Equal("True", Condition(after, "Ready").Status);
    }

    [Fact]
    public void A_container_in_back_off_waits_with_its_end_as_last_state()
    {
        PodStatusInputs inputs = Inputs(TestPods.Pod(), Exited("main", 3, restarts: 2)) with
        {
            Waiting = ImmutableDictionary<string, ContainerWaiting>.Empty.Add("main", new ContainerWaiting("CrashLoopBackOff", "back-off 40s")),
        };
        ContainerStatus status = PodStatusGenerator.Generate(inputs).ContainerStatuses[0];
        Assert.Equal("CrashLoopBackOff", status.State?.Waiting?.Reason);
        Assert.Equal(3, status.LastState?.Terminated?.ExitCode);
        Assert.Equal(2, status.RestartCount);
    }

    [Fact]
    public void A_terminal_phase_never_goes_back()
    {
        PodStatus ended = new() { Phase = "Succeeded" };
        Assert.Equal("Succeeded", PodStatusGenerator.Generate(Inputs(TestPods.Pod(), Running("main")) with { Previous = ended }).Phase);
    }

    [Fact]
    public void A_pod_deleted_before_anything_ran_ends_failed()
    {
        PodStatus status = PodStatusGenerator.Generate(Inputs(TestPods.Pod().Deleting()) with { Terminating = true, Finalised = true });
        Assert.Equal("Failed", status.Phase);
    }

    [Fact]
    public void A_pod_that_ended_keeps_its_address_and_loses_readiness()
    {
        PodStatus running = PodStatusGenerator.Generate(Inputs(TestPods.Pod(restartPolicy: "Never"), Running("main")));
        PodStatus ended = PodStatusGenerator.Generate(Inputs(TestPods.Pod(restartPolicy: "Never"), Exited("main", 0)) with { Previous = running });
        Assert.Equal("Succeeded", ended.Phase);
        Assert.Equal("10.1.0.5", ended.PodIP);
        Assert.Equal("PodCompleted", Condition(ended, "Ready").Reason);
    }

    [Fact]
    public void Transition_times_move_only_with_the_status()
    {
        PodStatus first = PodStatusGenerator.Generate(Inputs(TestPods.Pod(), Running("main")));
        PodStatus second = PodStatusGenerator.Generate(Inputs(TestPods.Pod(), Running("main")) with { Previous = first, Now = Now.AddMinutes(1) });
        Assert.Equal(Now, Condition(second, "Ready").LastTransitionTime);
        Assert.True(PodStatusMerge.Same(first, second));
    }

    [Fact]
    public void A_readiness_gate_without_its_condition_keeps_the_pod_unready()
    {
        Pod pod = TestPods.Pod();
        pod = pod with { Spec = pod.Spec with { ReadinessGates = [new PodReadinessGate { ConditionType = "example.com/lb" }] } };
        PodCondition ready = Condition(PodStatusGenerator.Generate(Inputs(pod, Running("main"))), "Ready");
        Assert.Equal("ReadinessGatesNotReady", ready.Reason);
        Assert.Equal("corresponding condition of pod readiness gate \"example.com/lb\" does not exist.", ready.Message);
    }

    [Fact]
    public void A_container_the_runtime_forgot_counts_a_restart_and_says_so()
    {
        PodStatus before = PodStatusGenerator.Generate(Inputs(TestPods.Pod(), Running("main")));
        ContainerStatus status = PodStatusGenerator.Generate(Inputs(TestPods.Pod()) with { Previous = before }).ContainerStatuses[0];
        Assert.Equal(1, status.RestartCount);
        Assert.Equal(137, status.LastState?.Terminated?.ExitCode);
        Assert.Equal("ContainerStatusUnknown", status.LastState?.Terminated?.Reason);
    }

    [Theory]
    [InlineData("Always")]
    [InlineData("OnFailure")]
    [InlineData("Never")]
    public void A_container_the_runtime_cannot_tell_of_is_told_as_before_but_not_ready(string policy)
    {
        Pod pod = TestPods.Pod(restartPolicy: policy);
        pod = pod with { Spec = pod.Spec with { Containers = [pod.Spec.Containers[0] with { StartupProbe = new Probe(), ReadinessProbe = new Probe() }] } };
        PodStatusInputs inputs = Inputs(pod, Running("main")) with { Verdict = (_, _) => ProbeResult.Success };
        PodStatus before = PodStatusGenerator.Generate(inputs);
        Assert.True(before.ContainerStatuses[0] is { Ready: true, Started: true });
        PodStatus status = PodStatusGenerator.Generate(inputs with { Runtime = Inputs(pod, Unknown("main")).Runtime, Previous = before });
        Assert.Equal("Running", status.Phase);
        Assert.Equal(before.ContainerStatuses[0].State, status.ContainerStatuses[0].State);
        Assert.Null(status.ContainerStatuses[0].LastState);
        Assert.True(status.ContainerStatuses[0] is { Ready: false, Started: false });
        Assert.Equal("False", Condition(status, "Ready").Status);
    }

    [Fact]
    public void What_had_ended_or_waited_when_the_runtime_lost_sight_of_it_is_told_as_before()
    {
        Pod pod = TestPods.Pod(restartPolicy: "Never", containers: ["main", "other"]);
        pod = pod with { Spec = pod.Spec with { InitContainers = [new Container { Name = "init" }] } };
        PodStatus before = PodStatusGenerator.Generate(Inputs(pod, Exited("init", 0), Exited("main", 3), Running("other")));
        PodStatus status = PodStatusGenerator.Generate(Inputs(pod, Unknown("init"), Unknown("main"), Running("other")) with { Previous = before });
        Assert.Equal("Running", status.Phase);
        Assert.True(status.InitContainerStatuses[0] is { Ready: true, State.Terminated.ExitCode: 0 });
        Assert.True(status.ContainerStatuses[0] is { Ready: false, State.Terminated.ExitCode: 3 });

        PodStatusInputs waits = Inputs(TestPods.Pod(), Exited("main", 1)) with
        {
            Waiting = ImmutableDictionary<string, ContainerWaiting>.Empty.Add("main", new ContainerWaiting("CrashLoopBackOff", "back-off 10s")),
        };
        before = PodStatusGenerator.Generate(waits);
        status = PodStatusGenerator.Generate(Inputs(TestPods.Pod(), Unknown("main")) with { Previous = before });
        Assert.True(status.ContainerStatuses[0] is { State.Waiting.Reason: "CrashLoopBackOff", LastState.Terminated.ExitCode: 1 });
    }

    [Fact]
    public void A_new_attempt_that_nobody_was_told_of_runs_if_the_runtime_knows_that_it_was_started()
    {
        Pod pod = TestPods.Pod(restartPolicy: "Never");
        RuntimeContainerStatus next = Unknown("main") with { Id = new ContainerId("containerd", "next"), RestartCount = 1 };
        PodStatus before = PodStatusGenerator.Generate(Inputs(pod, Running("main")));
        PodStatus status = PodStatusGenerator.Generate(Inputs(pod, next with { StartedAt = Now.AddSeconds(5) }, Exited("main", 1)) with { Previous = before });
        Assert.Equal("Running", status.Phase);
        Assert.True(status.ContainerStatuses[0] is { Ready: false, RestartCount: 1, LastState.Terminated.ExitCode: 1 });
        Assert.Equal(Now.AddSeconds(5), status.ContainerStatuses[0].State?.Running?.StartedAt);
        Assert.NotNull(PodStatusGenerator.Generate(Inputs(pod, next)).ContainerStatuses[0].State?.Waiting);
    }

    [Fact]
    public void A_debugging_container_the_runtime_cannot_tell_of_is_told_as_before()
    {
        Pod pod = TestPods.Pod() is var p ? p with { Spec = p.Spec with { EphemeralContainers = [new EphemeralContainer { Name = "debug" }] } } : null!;
        PodStatus before = PodStatusGenerator.Generate(Inputs(pod, Running("main"), Running("debug")));
        ContainerStatus status = PodStatusGenerator.Generate(Inputs(pod, Running("main"), Unknown("debug")) with { Previous = before }).EphemeralContainerStatuses[0];
        Assert.True(status is { Ready: false, Started: null, State.Running: not null });
    }

    [Fact]
    public void What_became_of_a_container_and_is_still_not_known_at_its_pods_end_is_told_as_unknown()
    {
        Pod pod = TestPods.Pod(restartPolicy: "Never");
        PodStatus before = PodStatusGenerator.Generate(Inputs(pod, Running("main")));
        PodStatus status = PodStatusGenerator.Generate(Inputs(pod, Unknown("main")) with { Previous = before, Terminating = true, Finalised = true });
        Assert.Equal("Failed", status.Phase);
        Assert.True(status.ContainerStatuses[0].State?.Terminated is { ExitCode: 137, Reason: "ContainerStatusUnknown", ContainerID: "containerd://id-main" } ended && ended.StartedAt == Now);
    }

    private static PodStatusInputs Inputs(Pod pod, params RuntimeContainerStatus[] containers) => new()
    {
        Pod = pod,
        Runtime = new RuntimePodStatus
        {
            Pod = pod.Ref,
            ObservedAt = Now,
            Containers = [.. containers],
            Sandboxes = containers.Length == 0 ? [] : [new RuntimeSandboxStatus { Id = "s", Attempt = 0, State = RuntimeSandboxState.Ready, CreatedAt = Now, IPs = ["10.1.0.5"] }],
        },
        Previous = pod.Status,
        Verdict = (_, _) => null,
        HostIPs = ["192.0.2.1"],
        QosClass = "BestEffort",
        Now = Now,
    };

    private static RuntimeContainerStatus Running(string name) => new()
    {
        Id = new ContainerId("containerd", $"id-{name}"),
        Name = name,
        SandboxId = "s",
        RestartCount = 0,
        State = RuntimeContainerState.Running,
        StartedAt = Now,
        CreatedAt = Now,
        Image = "busybox",
        ImageRef = "sha256:1",
    };

    private static RuntimeContainerStatus Exited(string name, int code, int restarts = 0) =>
        Running(name) with { State = RuntimeContainerState.Exited, ExitCode = code, RestartCount = restarts, FinishedAt = Now };

    private static RuntimeContainerStatus Unknown(string name) => Running(name) with { State = RuntimeContainerState.Unknown, StartedAt = default };

    private static PodCondition Condition(PodStatus status, string type) => status.Conditions.Single(c => c.Type == type);
}
