using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.FakeCriRuntime;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;
using Container = NodeAgent.Kubernetes.Objects.Container;
using ExecAction = NodeAgent.Kubernetes.Objects.ExecAction;
using Lifecycle = NodeAgent.Kubernetes.Objects.Lifecycle;
using LifecycleHandler = NodeAgent.Kubernetes.Objects.LifecycleHandler;

namespace NodeAgent.Kubelet.Tests.Containers;

public sealed class StoppingTests
{
    private static readonly LifecycleHandler Hook = new() { Exec = new ExecAction { Command = ["/bye"] } };

    private static async Task<(Pod Pod, RuntimePodStatus Status)> RunningAsync(RuntimeManagerFixture f, params Container[] containers)
    {
        Pod pod = RuntimeManagerFixture.Pod("Always", containers);
        Assert.True((await f.PassAsync(pod)).Succeeded);
        return (pod, await f.Manager.GetPodStatusAsync(pod.Ref, default));
    }

    [Fact]
    public async Task A_shorter_grace_period_waits_less_for_the_preStop_hook_that_runs_and_runs_it_once()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        f.Fake.Behaviour.On("ExecSync", Reaction.Never);
        (Pod pod, RuntimePodStatus status) = await RunningAsync(f, RuntimeManagerFixture.Container("main") with { Lifecycle = new Lifecycle { PreStop = Hook } });
        using var shorter = new CancellationTokenSource();
        Task first = f.Manager.KillPodAsync(pod, status, TimeSpan.FromMinutes(10), shorter.Token);
        await f.Fake.WaitForCallAsync("ExecSync", 1, default);
        await shorter.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await f.Manager.KillPodAsync(pod, status, TimeSpan.FromSeconds(1), default);
        Assert.Single(f.Calls("ExecSync"));
        Assert.Equal(2, Assert.Single(f.Fake.Calls.Select(c => c.Request).OfType<StopContainerRequest>()).Timeout);
        Assert.False((await f.Manager.GetPodStatusAsync(pod.Ref, default)).AnythingRunning);
    }

    [Fact]
    public async Task A_container_that_cannot_be_stopped_keeps_neither_the_others_nor_the_sandbox_from_it()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        (Pod pod, RuntimePodStatus status) = await RunningAsync(f, RuntimeManagerFixture.Container("a"), RuntimeManagerFixture.Container("b"));
        string stuck = status.Find("a")!.Id.Id;
        f.Fake.Behaviour.On("StopContainer", Reaction.Fail(Grpc.StatusCode.Unknown, "stuck"), when: r => ((StopContainerRequest)r).ContainerId == stuck);
        await Assert.ThrowsAsync<CriException>(() => f.Manager.KillPodAsync(pod, status, null, default));
        Assert.Equal(2, f.Calls("StopContainer").Count());
        Assert.Single(f.Calls("StopPodSandbox"));
    }

    [Fact]
    public async Task A_container_whose_postStart_hook_failed_and_that_could_not_be_stopped_is_ended_by_the_next_pass()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        f.Fake.Behaviour.On("ExecSync", Reaction.Fail(Grpc.StatusCode.Unknown, "no such program"), times: 1);
        f.Fake.Behaviour.On("StopContainer", Reaction.Fail(Grpc.StatusCode.Unknown, "stuck"), times: 1);
        Pod pod = RuntimeManagerFixture.Pod("Always", RuntimeManagerFixture.Container("main") with { Lifecycle = new Lifecycle { PostStart = Hook } });
        PodSyncResult result = await f.PassAsync(pod);
        Assert.Equal("PostStartHookError", result.Waiting["main"].Reason);
        Assert.NotNull(result.Error);
        string first = f.Fake.Containers.Single().Status.Id;
        Assert.True((await f.PassAsync(pod)).Succeeded);
        Assert.Contains(f.Events, e => e == ("Killing", "Container main failed postStart hook, will be restarted"));
        Assert.NotEqual(first, (await f.Manager.GetPodStatusAsync(pod.Ref, default)).Find("main")!.Id.Id);
    }

    [Fact]
    public async Task A_container_whose_postStart_hook_was_broken_off_does_not_pass_for_one_that_runs()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        f.Fake.Behaviour.On("ExecSync", Reaction.Never, times: 1);
        Pod pod = RuntimeManagerFixture.Pod("Always", RuntimeManagerFixture.Container("main") with { Lifecycle = new Lifecycle { PostStart = Hook } });
        using var stop = new CancellationTokenSource();
        Task<PodSyncResult> pass = f.PassAsync(pod, stop.Token);
        await f.Fake.WaitForCallAsync("ExecSync", 1, default);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pass);
        await f.PassAsync(pod);
        Assert.Equal(["StopContainer"], f.Calls("StopContainer"));
        Assert.Equal(2, f.Calls("ExecSync").Count());
    }
}
