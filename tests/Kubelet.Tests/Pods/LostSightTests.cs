using NodeAgent.FakeCriRuntime;
using NodeAgent.Kubernetes.Objects;
using ContainerState = NodeAgent.Cri.V1.ContainerState;
using ContainerStatus = NodeAgent.Kubernetes.Objects.ContainerStatus;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.Kubelet.Tests.Pods;

/// <summary>The runtime started again and cannot tell what a container does (CONTAINER_UNKNOWN): it is killed, and what then is known of its end counts.</summary>
public sealed class LostSightTests
{
    private static async Task<PodCore> RunningAsync(Pod pod, int exitCode, int stopTakes = 0)
    {
        PodCore core = await PodCore.StartAsync();
        core.Fake.OnStop = _ => new StopBehaviour(TimeSpan.FromSeconds(stopTakes), exitCode);
        core.Api.Put(pod with { Spec = pod.Spec with { TerminationGracePeriodSeconds = 30 } });
        string first = pod.Spec.InitContainers is [var init, ..] ? init.Name! : "main";
        await core.UntilAsync(() => core.Running(first).Length == 1 && core.Api.Find("web")!.Status is var s && s.InitContainerStatuses.Concat(s.ContainerStatuses).First().State?.Running is not null, "the pod runs");
        return core;
    }

    private static void LoseSight(PodCore core, string name = "main") => core.Fake.LoseSight(core.Running(name).Single().Status.Id);

    private static int Count(PodCore core, string call) => core.Changes().Count(c => c == call);

    [Theory]
    [InlineData("Never", 0, "Succeeded", 0)]
    [InlineData("Never", 255, "Failed", 0)]
    [InlineData("OnFailure", 0, "Succeeded", 0)]
    [InlineData("OnFailure", 255, "Running", 1)]
    [InlineData("Always", 0, "Running", 1)]
    [InlineData("Always", 255, "Running", 1)]
    public async Task How_a_container_really_ended_decides_about_its_pod(string policy, int exitCode, string phase, int restarts)
    {
        await using PodCore core = await RunningAsync(PodCore.Pod(restartPolicy: policy), exitCode);
        LoseSight(core);
        ContainerStatus Main() => core.Api.Find("web")!.Status.ContainerStatuses[0];
        await core.UntilAsync(() => core.Api.Find("web")!.Status.Phase == phase && Main().RestartCount == restarts
            && (restarts > 0 ? Main() is { Ready: true, LastState.Terminated: not null } : Main().State?.Terminated is not null), "its end is told");
        await core.PassAsync(TimeSpan.FromSeconds(15));
        Assert.Equal(exitCode, (restarts > 0 ? Main().LastState : Main().State)!.Terminated!.ExitCode);
        Assert.Equal(1 + restarts, Count(core, "CreateContainer"));
        Assert.Equal(1, Count(core, "RunPodSandbox"));
        Assert.Equal(restarts, Main().RestartCount);
        Assert.Equal(phase, core.Api.Find("web")!.Status.Phase);
        Assert.All(core.Api.Phases("web"), told => Assert.Contains(told, new[] { "Pending", "Running", phase }));
        Assert.DoesNotContain(core.Agent.Events.All, e => e.Reason == "Failed");
        Assert.Empty(core.Breaches);
        Assert.Empty(core.Faults);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Until_the_kill_has_told_it_runs_and_is_not_ready_also_after_a_restart_of_the_agent(bool agentDies)
    {
        await using PodCore core = await RunningAsync(PodCore.Pod(restartPolicy: "Never"), 0, stopTakes: 20);
        ContainerStatus before = core.Api.Find("web")!.Status.ContainerStatuses[0];
        LoseSight(core);
        await core.UntilAsync(() => core.Api.Find("web")!.Status.ContainerStatuses[0] is { Ready: false }, "it is not ready");
        if (agentDies)
        {
            core.KillAgent();
            core.StartAgent();
        }

        await core.PassAsync(TimeSpan.FromSeconds(5));
        PodStatus status = core.Api.Find("web")!.Status;
        Assert.Equal("Running", status.Phase);
        Assert.Equal(before.State, status.ContainerStatuses[0].State);
        Assert.True(status.ContainerStatuses[0] is { Ready: false, Started: false });
        Assert.Equal("False", status.Conditions.Single(c => c.Type == "Ready").Status);
        await core.UntilAsync(() => core.Api.Find("web")!.Status.Phase == "Succeeded", "it succeeds");
        Assert.Equal(1, Count(core, "CreateContainer"));
    }

    [Fact]
    public async Task A_pod_that_is_deleted_meanwhile_ends_as_its_container_did()
    {
        await using PodCore core = await RunningAsync(PodCore.Pod(restartPolicy: "Never"), 0, stopTakes: 10);
        LoseSight(core);
        await core.UntilAsync(() => core.Api.Find("web")!.Status.ContainerStatuses[0] is { Ready: false }, "it is not ready");
        core.Api.Delete("web");
        await core.UntilAsync(() => core.Api.Find("web") is null && core.Fake.Sandboxes.IsEmpty, "the pod goes");
        Assert.Equal("Succeeded", core.Api.Phases("web")[^1]);
    }

    [Theory]
    [InlineData("Never", 0, "Running")]
    [InlineData("Never", 1, "Failed")]
    [InlineData("OnFailure", 0, "Running")]
    public async Task An_init_container_that_turns_out_to_be_done_is_not_run_again(string policy, int exitCode, string phase)
    {
        await using PodCore core = await RunningAsync(PodCore.Pod(restartPolicy: policy, init: ["init"]), exitCode);
        LoseSight(core, "init");
        await core.UntilAsync(() => core.Api.Find("web")!.Status.Phase == phase, "its end is told");
        Assert.Equal(exitCode, core.Api.Find("web")!.Status.InitContainerStatuses[0].State?.Terminated?.ExitCode);
        Assert.Equal(exitCode == 0 ? 2 : 1, Count(core, "CreateContainer"));
        Assert.Equal(1, Count(core, "RunPodSandbox"));
    }

    [Fact]
    public async Task A_sidecar_of_a_Never_pod_runs_again_and_nothing_else_is_touched()
    {
        Pod pod = PodCore.Pod(restartPolicy: "Never", init: ["proxy"]);
        await using PodCore core = await RunningAsync(pod with { Spec = pod.Spec with { InitContainers = [pod.Spec.InitContainers[0] with { RestartPolicy = "Always" }] } }, 255);
        await core.UntilAsync(() => core.Runs("web"), "the pod runs");
        string main = core.Running().Single().Status.Id;
        LoseSight(core, "proxy");
        await core.UntilAsync(() => core.Api.Find("web")!.Status.InitContainerStatuses is [{ RestartCount: 1, Ready: true }], "the sidecar runs again");
        Assert.Equal(main, core.Running().Single().Status.Id);
        Assert.All(core.Api.Phases("web"), told => Assert.Contains(told, new[] { "Pending", "Running" }));
    }

    [Fact]
    public async Task A_debugging_container_ends_and_nothing_else_is_touched()
    {
        await using PodCore core = await RunningAsync(PodCore.Pod(), 0);
        Pod pod = core.Api.Find("web")!;
        core.Api.Put(pod with { Metadata = pod.Metadata with { Generation = pod.Metadata.Generation + 1 }, Spec = pod.Spec with { EphemeralContainers = [new EphemeralContainer { Name = "debug", Image = "busybox:1" }] } });
        await core.UntilAsync(() => core.Api.Find("web")!.Status.EphemeralContainerStatuses is [{ State.Running: not null }], "it runs");
        LoseSight(core, "debug");
        await core.UntilAsync(() => core.Api.Find("web")!.Status.EphemeralContainerStatuses is [{ State.Terminated.ExitCode: 0 }], "its end is told");
        await core.PassAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(2, Count(core, "CreateContainer"));
        Assert.Single(core.Fake.Containers, c => c.Status.State == ContainerState.ContainerRunning);
        Assert.True(core.Api.Find("web")!.Status.ContainerStatuses is [{ RestartCount: 0, Ready: true }]);
    }
}
