using NodeAgent.Cri.V1;
using NodeAgent.FakeCriRuntime;
using NodeAgent.Grpc;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Objects;
using ContainerState = NodeAgent.Cri.V1.ContainerState;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.Kubelet.Tests.Pods;

public sealed class PodCoreTests
{
    private static bool NothingLeft(PodCore core) => NothingLeftButLogs(core)
        && (!Directory.Exists(core.Paths.PodLogs) || Directory.GetDirectories(core.Paths.PodLogs).Length == 0);

    /// <summary>As <see cref="NothingLeft"/>, where a killed agent may have left the folder of the logs to the container garbage collector.</summary>
    private static bool NothingLeftButLogs(PodCore core) => core.Fake.Containers.IsEmpty && core.Fake.Sandboxes.IsEmpty
        && (!Directory.Exists(core.Paths.Pods) || Directory.GetDirectories(core.Paths.Pods).Length == 0);

    private static async Task<PodCore> RunningAsync(params Pod[] pods)
    {
        PodCore core = await PodCore.StartAsync();
        foreach (Pod pod in pods.Length > 0 ? pods : [PodCore.Pod()])
        {
            core.Api.Put(pod);
            await core.UntilAsync(() => core.Runs(pod.Metadata.Name!), "the pod runs");
        }

        return core;
    }

    [Fact]
    public async Task A_pod_runs_is_deleted_and_leaves_nothing_and_its_object_goes_when_nothing_of_it_runs()
    {
        await using PodCore core = await RunningAsync();
        Assert.Equal(["RunPodSandbox", "CreateContainer", "StartContainer"], core.Changes());
        Assert.InRange(core.Api.Patches, 1, 3);
        core.Api.Delete("web");
        await core.UntilAsync(() =>
        {
            bool gone = core.Api.Find("web") is null;
            Assert.True(!gone || (core.Fake.Containers.All(c => c.Status.State == ContainerState.ContainerExited) && core.Fake.Sandboxes.All(s => s.Status.State == PodSandboxState.SandboxNotready)));
            return gone;
        }, "the API object goes");
        await core.UntilAsync(() => NothingLeft(core) && core.Agent.Workers.Known.Count == 0, "nothing is left");
        Assert.Empty(core.Breaches);
    }

    [Fact]
    public async Task What_the_runtime_has_of_a_pod_is_asked_before_its_start_only_where_somebody_may_have_begun_with_it()
    {
        await using PodCore core = await RunningAsync();
        Assert.Equal(0, LooksBeforeSandbox("web"));
        // What the first attempt left is not known.
        core.Fake.Behaviour.On("RunPodSandbox", Reaction.Fail(StatusCode.Unknown, "the network is not there"), times: 1);
        core.Api.Put(PodCore.Pod("second"));
        await core.UntilAsync(() => core.Runs("second"), "the pod runs");
        Assert.Equal(1, LooksBeforeSandbox("second"));

        int LooksBeforeSandbox(string pod) => core.Fake.Calls.Take(core.Fake.Calls.FindLastIndex(c => c.Request is RunPodSandboxRequest))
            .Count(c => c.Request is ListPodSandboxRequest list && list.Filter?.LabelSelector.Values.Contains(core.Api.Find(pod)!.Metadata.Uid) == true);
    }

    [Fact]
    public async Task A_pod_that_the_runtime_does_not_stop_says_so_in_an_event_and_is_tried_again()
    {
        await using PodCore core = await RunningAsync();
        core.Fake.Behaviour.On("StopContainer", Reaction.Fail(StatusCode.Internal, "the shim does not answer"), times: 1);
        core.Api.Delete("web");
        await core.UntilAsync(() => core.Api.Find("web") is null, "the API object goes");
        Assert.Contains(core.Agent.Events.All, e => e is { Reason: "FailedKillPod" } && e.Message.StartsWith("error killing pod: ", StringComparison.Ordinal)
            && e.Message.Contains("the shim does not answer", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_ephemeral_container_that_asks_for_what_is_not_supported_waits_alone()
    {
        await using PodCore core = await RunningAsync();
        Pod pod = core.Api.Find("web")!;
        EphemeralContainer asks = new() { Name = "asks", Image = "busybox:1", Resources = new ResourceRequirements { Claims = [new ContainerResourceClaim { Name = "gpu" }] } };
        core.Api.Put(pod with { Metadata = pod.Metadata with { Generation = pod.Metadata.Generation + 1 }, Spec = pod.Spec with { EphemeralContainers = [asks, new EphemeralContainer { Name = "sound", Image = "busybox:1" }] } });
        await core.UntilAsync(() => core.Api.Find("web")!.Status.EphemeralContainerStatuses is [{ State.Waiting.Reason: "CreateContainerConfigError" }, { State.Running: not null }], "one waits, the other runs");
        core.Fake.ExitContainer(core.Running().Single(c => c.Status.Metadata.Name == "main").Status.Id, 1);
        await core.UntilAsync(() => core.Api.Find("web")!.Status.ContainerStatuses is [{ RestartCount: 1, State.Running: not null }], "the pod's own container runs again");
        Assert.Single(core.Agent.Events.All, e => e.Message.StartsWith("Error: spec.ephemeralContainers[] (asks).resources.claims is not supported", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_deleted_pod_is_stopped_and_removed_by_one_call_each()
    {
        await using PodCore core = await RunningAsync();
        core.Api.Delete("web");
        await core.UntilAsync(() => core.Api.Find("web") is null && NothingLeft(core), "the pod goes");
        Assert.Equal(
            ["RunPodSandbox", "CreateContainer", "StartContainer", "StopContainer", "StopPodSandbox", "RemoveContainer", "RemovePodSandbox"], core.Changes());
    }

    [Fact]
    public async Task The_runtime_forgets_a_pod_only_after_the_API_server_has_what_it_ended_with()
    {
        await using PodCore core = await RunningAsync();
        var held = new TaskCompletionSource();
        core.Api.Held = held.Task;
        core.Api.Delete("web");
        await core.UntilAsync(() => core.Changes().Contains("StopPodSandbox"), "the pod is stopped");
        await core.PassAsync(TimeSpan.FromSeconds(2));
        Assert.DoesNotContain("RemoveContainer", core.Changes());
        held.SetResult();
        await core.UntilAsync(() => core.Api.Find("web") is null && NothingLeft(core), "the pod goes");
        Assert.Contains(core.Api.Phases("web")[^1], new[] { "Succeeded", "Failed" });
    }

    [Theory]
    [InlineData("RemoveContainer", false)]
    [InlineData("RemoveContainer", true)]
    [InlineData("RemovePodSandbox", false)]
    [InlineData("RemovePodSandbox", true)]
    public async Task An_agent_killed_between_the_going_of_an_object_and_of_what_the_runtime_had_leaves_nothing_in_the_runtime(string method, bool carriedOut)
    {
        await using PodCore core = await RunningAsync();
        core.Fake.Behaviour.On(method, carriedOut ? Reaction.NeverAfterwards : Reaction.Never, times: 1);
        core.Api.Delete("web", grace: 1);
        await core.UntilAsync(() => core.Api.Find("web") is null && core.Changes().Contains(method), "the object is gone and the runtime is being cleared");
        core.KillAgent();
        core.StartAgent();
        await core.UntilAsync(() => NothingLeftButLogs(core) && core.Agent.Workers.Known.Count == 0, "nothing is left");
        Assert.Single(core.Changes(), "RunPodSandbox");
        Assert.Empty(core.Breaches);
    }

    [Fact]
    public async Task An_API_server_that_does_not_answer_keeps_no_dead_container_on_the_node()
    {
        await using PodCore core = await RunningAsync();
        core.Api.Held = new TaskCompletionSource().Task;
        core.Api.Delete("web");
        await core.UntilAsync(() => NothingLeft(core), "nothing is left on the host");
        Assert.NotNull(core.Api.Find("web"));
    }

    [Fact]
    public async Task An_evicted_pod_is_stopped_fails_with_the_reason_keeps_its_condition_and_is_not_started_again()
    {
        await using PodCore core = await RunningAsync();
        Pod pod = core.Api.Find("web")!;
        PodStatus status = core.Agent.Statuses.StatusOf(pod);
        core.Agent.Statuses.Set(pod, status with { Conditions = [.. status.Conditions, new PodCondition { Type = "DisruptionTarget", Status = "True", Reason = "TerminationByKubelet" }] });
        Assert.True(core.Agent.Workers.Kill(pod.Uid, new PodKill("Evicted", "The node was low on resource: memory. ", TimeSpan.FromSeconds(1)) { Evicts = true }));
        await core.UntilAsync(() => core.Api.Find("web") is { Status: { Phase: "Failed", Reason: "Evicted" } }, "the pod has failed");
        Assert.Empty(core.Running());
        PodStatus last = core.Api.Find("web")!.Status;
        Assert.Equal("The node was low on resource: memory. ", last.Message);
        Assert.Contains(last.Conditions, c => c is { Type: "DisruptionTarget", Status: "True" });
        // Never less than two seconds for a container, as upstream.
        Assert.Equal(2, core.Fake.Calls.Single(c => c.Method.EndsWith("StopContainer", StringComparison.Ordinal)).Request is StopContainerRequest { Timeout: var t } ? t : -1);
        await core.UntilAsync(() => core.Agent.Workers.StateOf(pod.Uid) is { Phase: PodWorkPhase.Finished, Kill.Evicts: true }, "nothing is left to do");
        int changes = core.Changes().Length;
        await core.PassAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(changes, core.Changes().Length);
        Assert.Equal("Failed", core.Api.Find("web")!.Status.Phase);
    }

    [Fact]
    public async Task A_rule_makes_all_containers_run_again_from_the_first_init_container_on_in_the_same_sandbox()
    {
        await using PodCore core = await PodCore.StartAsync();
        Pod pod = PodCore.Pod(restartPolicy: "Never", init: ["init"], containers: ["main", "watcher"]);
        core.Api.Put(pod with
        {
            Spec = pod.Spec with
            {
                Containers =
                [
                    pod.Spec.Containers[0],
                    pod.Spec.Containers[1] with
                    {
                        RestartPolicy = "Never",
                        RestartPolicyRules = [new ContainerRestartRule { Action = "RestartAllContainers", ExitCodes = new ContainerRestartRuleOnExitCodes { Operator = "In", Values = [42] } }],
                    },
                ],
            },
        });
        async Task InitEndsAsync(int times)
        {
            await core.UntilAsync(() => core.Running("init").Length == 1, $"init runs for the {times}. time");
            core.Fake.ExitContainer(core.Running("init")[0].Status.Id, 0);
            await core.UntilAsync(() => core.Runs("web"), "the containers run");
        }

        await InitEndsAsync(1);
        string sandbox = core.Fake.Sandboxes.Single().Status.Id;
        core.Fake.ExitContainer(core.Running("watcher")[0].Status.Id, 42);
        await InitEndsAsync(2);
        Assert.Equal(sandbox, core.Fake.Sandboxes.Single().Status.Id);
        PodStatus status = core.Api.Find("web")!.Status;
        Assert.Equal([1, 1, 1], status.ContainerStatuses.Concat(status.InitContainerStatuses).Select(s => s.RestartCount));
        Assert.Equal("False", status.Conditions.Single(c => c.Type == "AllContainersRestarting").Status);
        Assert.Equal(3, core.Fake.Containers.Length);
        Assert.Empty(core.Breaches);
    }

    [Fact]
    public async Task At_rest_there_are_no_calls_no_writes_and_no_timers_of_pods()
    {
        await using PodCore core = await RunningAsync([.. Enumerable.Range(0, 20).Select(i => PodCore.Pod($"p{i}"))]);
        await core.PassAsync(TimeSpan.FromSeconds(20));
        (int reads, int patches, int changes, int armed) = (core.Api.Calls, core.Api.Patches, core.Changes().Length, core.Time.Armed);
        await core.PassAsync(TimeSpan.FromSeconds(60));
        Assert.Equal((reads, patches, changes), (core.Api.Calls, core.Api.Patches, core.Changes().Length));
        Assert.InRange(armed, 0, 10);
    }

    [Fact]
    public async Task A_pod_with_a_field_that_is_not_honoured_waits_naming_it_and_neither_volume_nor_sandbox_is_made()
    {
        await using PodCore core = await PodCore.StartAsync();
        core.Volumes.Fails = "a volume was asked for";
        Pod pod = PodCore.Pod();
        core.Api.Put(pod with { Spec = pod.Spec with { Volumes = [new Volume { Name = "data", PersistentVolumeClaim = new PersistentVolumeClaimVolumeSource { ClaimName = "claim" } }] } });
        await core.UntilAsync(() => core.Api.Find("web")?.Status.ContainerStatuses is [{ State.Waiting.Reason: "CreateContainerConfigError" }], "the field is refused");
        Assert.Contains("persistentVolumeClaim", core.Api.Find("web")!.Status.ContainerStatuses[0].State!.Waiting!.Message, StringComparison.Ordinal);
        Assert.Empty(core.Changes());
        Assert.DoesNotContain(core.Agent.Events.All, e => e.Reason == "FailedMount");
    }

    [Fact]
    public async Task Pulls_that_take_long_keep_no_other_pod_from_starting()
    {
        await using PodCore core = await PodCore.StartAsync();
        core.Fake.Behaviour.On("PullImage", Reaction.Never);
        foreach (int i in Enumerable.Range(0, 6))
        {
            Pod slow = PodCore.Pod($"slow{i}");
            core.Api.Put(slow with { Spec = slow.Spec with { Containers = [PodCore.Container("main") with { Image = $"absent:{i}" }] } });
        }

        await core.UntilAsync(() => core.Fake.Calls.Any(c => c.Method == "PullImage"), "a pull begins");
        DateTimeOffset began = core.Time.GetUtcNow();
        core.Api.Put(PodCore.Pod());
        await core.UntilAsync(() => core.Runs("web"), "the pod runs");
        Assert.InRange(core.Time.GetUtcNow() - began, TimeSpan.Zero, TimeSpan.FromSeconds(8));
    }

    [Fact]
    public async Task A_pod_whose_status_is_slow_to_come_does_not_keep_others_from_being_seen()
    {
        await using PodCore core = await RunningAsync(PodCore.Pod("slow"), PodCore.Pod());
        string slow = core.Fake.Sandboxes.Single(s => s.Status.Metadata.Name == "slow").Status.Id;
        core.Fake.Behaviour.On("PodSandboxStatus", Reaction.Never, when: r => ((PodSandboxStatusRequest)r).PodSandboxId == slow);
        foreach (string id in core.Running().Select(c => c.Status.Id))
        {
            core.Fake.ExitContainer(id, 0);
        }

        await core.UntilAsync(() => core.Running().Any(c => c.Status.Metadata.Attempt == 1), "the other's end is seen");
    }

    [Theory]
    [InlineData("RunPodSandbox")]
    [InlineData("CreateContainer")]
    [InlineData("StartContainer")]
    public async Task An_agent_killed_in_a_call_that_was_carried_out_starts_nothing_twice(string method)
    {
        await using PodCore core = await PodCore.StartAsync();
        core.Fake.Behaviour.On(method, Reaction.NeverAfterwards, times: 1);
        core.Api.Put(PodCore.Pod());
        await core.UntilAsync(() => core.Changes().Contains(method), "the call");
        core.KillAgent();
        core.StartAgent();
        await core.UntilAsync(() => core.Runs("web"), "the pod runs");
        await core.PassAsync(TimeSpan.FromSeconds(30));
        Assert.Single(core.Running());
        Assert.Single(core.Fake.Sandboxes);
        Assert.Single(core.Fake.Containers);
        // What never ran was not restarted.
        Assert.Equal(0u, core.Fake.Containers.Single().Status.Metadata.Attempt);
        Assert.Empty(core.Breaches);
    }

    [Theory]
    [InlineData("RunPodSandbox")]
    [InlineData("CreateContainer")]
    [InlineData("StartContainer")]
    public async Task A_call_that_was_carried_out_and_timed_out_starts_nothing_twice(string method)
    {
        await using PodCore core = await PodCore.StartAsync();
        core.Fake.Behaviour.On(method, Reaction.FailAfterwards(StatusCode.DeadlineExceeded, "context deadline exceeded"), times: 1);
        core.Api.Put(PodCore.Pod());
        await core.UntilAsync(() => core.Runs("web"), "the pod runs");
        await core.PassAsync(TimeSpan.FromSeconds(30));
        Assert.Single(core.Running());
        Assert.Single(core.Fake.Sandboxes, s => s.Status.State == PodSandboxState.SandboxReady);
        Assert.DoesNotContain(core.Fake.Containers, c => c.Status.State == ContainerState.ContainerCreated);
        Assert.Empty(core.Breaches);
    }

    [Fact]
    public async Task An_agent_that_starts_again_changes_nothing_about_pods_that_run()
    {
        await using PodCore core = await RunningAsync();
        await core.PassAsync(TimeSpan.FromSeconds(10));
        (int changes, int patches) = (core.Changes().Length, core.Api.Patches);
        core.KillAgent();
        core.StartAgent();
        await core.PassAsync(TimeSpan.FromSeconds(30));
        Assert.Equal((changes, patches), (core.Changes().Length, core.Api.Patches));
    }

    [Fact]
    public async Task A_runtime_away_for_a_minute_restarts_no_pod_and_changes_no_status()
    {
        await using PodCore core = await RunningAsync();
        await core.PassAsync(TimeSpan.FromSeconds(10));
        int patches = core.Api.Patches;
        await core.Fake.StopAsync();
        await core.PassAsync(TimeSpan.FromSeconds(60));
        core.Fake.StartAgain();
        await core.PassAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(["RunPodSandbox", "CreateContainer", "StartContainer"], core.Changes());
        Assert.Equal(patches, core.Api.Patches);
    }

    [Fact]
    public async Task A_pod_deleted_while_the_runtime_is_away_ends_when_it_is_back()
    {
        await using PodCore core = await RunningAsync();
        await core.Fake.StopAsync();
        core.Api.Delete("web");
        await core.PassAsync(TimeSpan.FromSeconds(30));
        Assert.NotNull(core.Api.Find("web"));
        core.Fake.StartAgain();
        await core.UntilAsync(() => core.Api.Find("web") is null && NothingLeft(core), "the pod goes");
    }

    [Fact]
    public async Task A_pod_deleted_while_it_starts_is_ended()
    {
        await using PodCore core = await PodCore.StartAsync();
        core.Fake.Behaviour.On("RunPodSandbox", Reaction.Late(TimeSpan.FromSeconds(20)), times: 1);
        core.Api.Put(PodCore.Pod());
        await core.UntilAsync(() => core.Changes().Contains("RunPodSandbox"), "the call");
        core.Api.Delete("web");
        await core.UntilAsync(() => core.Api.Find("web") is null && NothingLeft(core), "the pod goes");
        Assert.DoesNotContain("CreateContainer", core.Changes());
    }

    [Fact]
    public async Task While_the_API_server_is_away_containers_restart_and_the_status_catches_up()
    {
        await using PodCore core = await RunningAsync();
        core.Api.Away = true;
        core.Fake.ExitContainer(core.Running().Single().Status.Id, 1);
        await core.UntilAsync(() => core.Running() is [{ Status.Metadata.Attempt: 1 }], "the container runs again");
        int reads = core.Api.Calls;
        await core.PassAsync(TimeSpan.FromMinutes(2));
        Assert.InRange(core.Api.Calls - reads, 1, 40);
        core.Api.Away = false;
        await core.UntilAsync(() => core.Api.Find("web")!.Status.ContainerStatuses[0] is { RestartCount: 1, State.Running: not null, LastState.Terminated: not null }, "the status");
    }

    [Fact]
    public async Task A_pod_that_ends_while_the_API_server_is_away_is_deleted_afterwards()
    {
        await using PodCore core = await RunningAsync();
        core.Api.Delete("web");
        core.Api.Away = true;
        await core.UntilAsync(() => NothingLeft(core), "nothing is left on the host");
        await core.PassAsync(TimeSpan.FromSeconds(30));
        core.Api.Away = false;
        await core.UntilAsync(() => core.Api.Find("web") is null, "the API object goes");
        Assert.Contains(core.Api.Phases("web")[^1], new[] { "Succeeded", "Failed" });
    }

    [Fact]
    public async Task A_pod_that_succeeded_is_kept_until_it_is_deleted_then_all_of_it_goes()
    {
        await using PodCore core = await RunningAsync(PodCore.Pod(restartPolicy: "Never"));
        core.Fake.ExitContainer(core.Running().Single().Status.Id, 0);
        await core.UntilAsync(() => core.Api.Find("web")!.Status.Phase == "Succeeded", "it succeeds");
        await core.PassAsync(TimeSpan.FromSeconds(30));
        Assert.Single(core.Fake.Containers);
        Assert.True(Directory.Exists(core.Paths.PodLogFolder(core.Api.Find("web")!.Ref)));
        core.KillAgent();
        core.StartAgent();
        await core.PassAsync(TimeSpan.FromSeconds(10));
        Assert.Single(core.Fake.Containers);
        core.Api.Delete("web");
        await core.UntilAsync(() => core.Api.Find("web") is null && NothingLeft(core), "all of it goes");
    }

    [Fact]
    public async Task A_deletion_that_comes_at_the_moment_a_pod_ends_is_not_lost()
    {
        for (int i = 0; i < 10; i++)
        {
            await using PodCore core = await RunningAsync(PodCore.Pod(restartPolicy: "Never"));
            core.Api.Changed = Before(core, core.Api.Changed!);
            core.Fake.ExitContainer(core.Running().Single().Status.Id, 0);
            await core.UntilAsync(() => core.Api.Find("web") is null && NothingLeft(core), "the pod goes");
        }

        static Action<NodeAgent.Kubelet.Sources.PodUpdateKind, Pod> Before(PodCore core, Action<NodeAgent.Kubelet.Sources.PodUpdateKind, Pod> watch) => (kind, pod) =>
        {
            watch(kind, pod);
            if (pod.Status.Phase == "Succeeded" && pod.Metadata.DeletionTimestamp is null)
            {
                core.Api.Delete("web");
            }
        };
    }

    [Fact]
    public async Task A_sandbox_of_an_unknown_pod_goes_only_after_all_sources_have_delivered()
    {
        await using PodCore core = await RunningAsync();
        core.KillAgent();
        core.Api.DeleteByForce("web");
        core.StartAgent(sourcesReady: false);
        await core.PassAsync(TimeSpan.FromSeconds(30));
        Assert.Single(core.Running());
        core.Agent.Deliver();
        await core.UntilAsync(() => NothingLeft(core), "the orphan goes");
    }

    [Fact]
    public async Task A_folder_that_cannot_be_torn_down_keeps_no_other_from_being_removed()
    {
        await using PodCore core = await RunningAsync();
        // In the order of names the frozen one comes first.
        string frozen = core.Paths.Pod(new PodUid("0-frozen")), gone = core.Paths.Pod(new PodUid("z-gone"));
        Directory.CreateDirectory(frozen);
        Directory.CreateDirectory(gone);
        core.Volumes.Frozen = new PodUid("0-frozen");
        await core.UntilAsync(() => !Directory.Exists(gone), "the folder of the other pod that is gone is removed");
        Assert.True(Directory.Exists(frozen));
        string later = core.Paths.Pod(new PodUid("y-later"));
        Directory.CreateDirectory(later);
        await core.UntilAsync(() => !Directory.Exists(later), "the next pass removes what came later");
        Assert.True(Directory.Exists(frozen));
    }

    [Fact]
    public async Task What_carries_no_labels_of_ours_is_left_alone()
    {
        await using PodCore core = await RunningAsync();
        using var connection = new NodeAgent.Cri.Connection.CriConnection(
            NodeAgent.Cri.CriEndpoint.Parse("unix://" + core.Socket), new NodeAgent.Cri.Connection.CriConnectionOptions(), Microsoft.Extensions.Logging.Abstractions.NullLogger<NodeAgent.Cri.Connection.CriConnection>.Instance);
        var sandbox = new PodSandboxConfig { Metadata = new PodSandboxMetadata { Name = "crictl", Namespace = "default", Uid = "foreign" } };
        await new NodeAgent.Cri.RuntimeServiceClient(connection).RunPodSandboxAsync(new RunPodSandboxRequest { Config = sandbox }, default);
        await core.PassAsync(TimeSpan.FromSeconds(40));
        Assert.Contains(core.Fake.Sandboxes, s => s.Config.Metadata.Uid == "foreign" && s.Status.State == PodSandboxState.SandboxReady);
    }

    [Fact]
    public async Task A_sandbox_that_dies_is_replaced_with_the_next_attempt()
    {
        await using PodCore core = await RunningAsync();
        core.Fake.ExitSandbox(core.Fake.Sandboxes.Single().Status.Id);
        await core.UntilAsync(() => core.Running() is [{ Status.Metadata.Attempt: 1 }] && core.Runs("web"), "the pod runs again");
        Assert.Contains(core.Fake.Sandboxes, s => s.Status.Metadata.Attempt == 1 && s.Status.State == PodSandboxState.SandboxReady);
        Assert.Contains(core.Agent.Events.All, e => e.Reason == "SandboxChanged");
    }

    [Fact]
    public async Task A_container_that_keeps_ending_waits_ever_longer()
    {
        await using PodCore core = await RunningAsync();
        var starts = new List<DateTimeOffset>();
        for (uint attempt = 0; attempt < 4; attempt++)
        {
            await core.UntilAsync(() => core.Running() is [var c] && c.Status.Metadata.Attempt == attempt, $"attempt {attempt}");
            starts.Add(core.Time.GetUtcNow());
            core.Fake.ExitContainer(core.Running().Single().Status.Id, 1);
        }

        Assert.InRange((starts[1] - starts[0]).TotalSeconds, 0, 5);
        Assert.InRange((starts[2] - starts[1]).TotalSeconds, 10, 16);
        Assert.InRange((starts[3] - starts[2]).TotalSeconds, 20, 28);
        await core.UntilAsync(() => core.Api.Find("web")!.Status.ContainerStatuses[0] is { State.Waiting: { Reason: "CrashLoopBackOff", Message: { } m }, RestartCount: 3 }
            && m.StartsWith("back-off 40s restarting failed container=main pod=web_default(uid-web)", StringComparison.Ordinal), "CrashLoopBackOff");
    }

    [Fact]
    public async Task A_deadline_decades_ahead_harms_nobody()
    {
        Pod pod = PodCore.Pod();
        await using PodCore core = await RunningAsync(pod with { Spec = pod.Spec with { ActiveDeadlineSeconds = int.MaxValue } });
        core.Fake.ExitContainer(core.Running().Single().Status.Id, 1);
        await core.UntilAsync(() => core.Running() is [{ Status.Metadata.Attempt: 1 }], "it is restarted");
    }

    [Fact]
    public async Task A_job_with_init_containers_runs_each_once_and_in_order()
    {
        await using PodCore core = await PodCore.StartAsync();
        core.Api.Put(PodCore.Pod(restartPolicy: "OnFailure", init: ["one", "two"], containers: ["main"]));
        foreach (string name in (string[])["one", "two", "main"])
        {
            await core.UntilAsync(() => core.Running(name).Length == 1, name);
            Assert.Single(core.Fake.Containers, c => c.Status.State == ContainerState.ContainerRunning);
            core.Fake.ExitContainer(core.Running(name).Single().Status.Id, 0);
        }

        await core.UntilAsync(() => core.Api.Find("web")!.Status.Phase == "Succeeded", "it succeeds");
        Assert.Equal(3, core.Changes().Count(c => c == "CreateContainer"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public async Task Whatever_happens_no_container_runs_twice_none_restarts_under_Never_and_phases_only_go_forward(int seed)
    {
        var random = new Random(seed);
        await using PodCore core = await PodCore.StartAsync();
        Pod[] pods = [.. Enumerable.Range(0, 4).Select(i => PodCore.Pod($"p{i}", ((string[])["Always", "OnFailure", "Never"])[random.Next(3)],
            random.Next(2) == 0 ? [] : ["init"], random.Next(2) == 0 ? ["main"] : ["main", "side"]))];
        Array.ForEach(pods, core.Api.Put);
        for (int i = 0; i < 25; i++)
        {
            await core.PassAsync(TimeSpan.FromSeconds(random.Next(4)));
            Disturb(core, random);
        }

        core.Api.Away = false;
        Array.ForEach(pods, p => core.Api.Delete(p.Metadata.Name!, 1));
        await core.UntilAsync(() => pods.All(p => core.Api.Find(p.Metadata.Name!) is null) && NothingLeftButLogs(core), "all is gone");
        Assert.Empty(core.Breaches);
        foreach (Pod pod in pods)
        {
            int[] ranks = [.. core.Api.Phases(pod.Metadata.Name!).Select(p => p switch { "Pending" => 0, "Running" => 1, _ => 2 })];
            Assert.Equal(ranks.Order(), ranks);
            if (pod.Spec.RestartPolicy == "Never")
            {
                Assert.All(
                    core.Fake.Calls.Select(c => c.Request).OfType<CreateContainerRequest>().Where(r => r.SandboxConfig.Metadata.Uid == pod.Metadata.Uid && r.Config.Metadata.Name != "init"),
                    r => Assert.Equal(0u, r.Config.Metadata.Attempt));
            }
        }
    }

    private static void Disturb(PodCore core, Random random)
    {
        FakeContainer[] running = [.. core.Fake.Containers.Where(c => c.Status.State == ContainerState.ContainerRunning)];
        switch (random.Next(7))
        {
            case 0:
                core.KillAgent();
                core.StartAgent();
                break;
            case 1:
                core.Api.Delete($"p{random.Next(4)}", random.Next(1, 30));
                break;
            case 2:
                core.Api.Away = !core.Api.Away;
                break;
            default:
                if (running.Length > 0)
                {
                    FakeContainer c = running[random.Next(running.Length)];
                    core.Fake.ExitContainer(c.Status.Id, c.Status.Metadata.Name == "init" ? 0 : random.Next(2));
                }

                break;
        }
    }
}
