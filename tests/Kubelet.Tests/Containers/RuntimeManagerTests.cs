using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Cri.V1;
using NodeAgent.FakeCriRuntime;
using NodeAgent.Grpc;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using Container = NodeAgent.Kubernetes.Objects.Container;

namespace NodeAgent.Kubelet.Tests.Containers;

public sealed class RuntimeManagerTests
{
    private static readonly string[] Mutations = ["RunPodSandbox", "CreateContainer", "StartContainer", "StopContainer", "StopPodSandbox", "RemoveContainer", "RemovePodSandbox"];

    [Fact]
    public async Task A_new_pod_runs_after_one_pass_and_the_next_pass_changes_nothing()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        Assert.True((await f.PassAsync(pod)).Succeeded);
        Assert.Equal(["RunPodSandbox", "CreateContainer", "StartContainer"], f.Calls(Mutations));
        PodSyncResult second = await f.PassAsync(pod);
        Assert.False(second.Changed);
        Assert.Equal(3, f.Calls(Mutations).Count());
        Assert.Equal(["Pulled", "Created", "Started"], f.Events.Select(e => e.Reason));
        RuntimePodStatus status = await f.Manager.GetPodStatusAsync(pod.Ref, default);
        Assert.Equal(RuntimeContainerState.Running, status.Find("main")!.State);
        Assert.NotEmpty(status.IPs);
    }

    [Fact]
    public async Task What_was_read_of_a_sandbox_just_made_is_asked_for_again_by_the_second_look_only()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        await f.PassAsync(pod);
        RuntimePodStatus first = await f.Manager.GetPodStatusAsync(pod.Ref, default);
        Assert.Single(f.Calls("PodSandboxStatus"));
        RuntimePodStatus second = await f.Manager.GetPodStatusAsync(pod.Ref, default);
        Assert.Equal(2, f.Calls("PodSandboxStatus").Count());
        Assert.Equal(second.Sandboxes[0] with { IPs = first.Sandboxes[0].IPs }, first.Sandboxes[0]);
        Assert.True(second.IPs.SequenceEqual(first.IPs));
    }

    [Fact]
    public async Task A_sandbox_that_ended_since_it_was_made_is_asked_for()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        await f.PassAsync(pod);
        foreach (FakeSandbox sandbox in f.Fake.Sandboxes)
        {
            f.Fake.ExitSandbox(sandbox.Status.Id);
        }

        Assert.Equal(RuntimeSandboxState.NotReady, (await f.Manager.GetPodStatusAsync(pod.Ref, default)).Sandboxes[0].State);
        Assert.Equal(2, f.Calls("PodSandboxStatus").Count());
    }

    [Fact]
    public async Task A_sandbox_that_ended_by_itself_is_stopped_before_it_is_removed_for_its_network_may_be_there()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        await f.PassAsync(pod);
        foreach (FakeSandbox sandbox in f.Fake.Sandboxes)
        {
            f.Fake.ExitSandbox(sandbox.Status.Id);
        }

        await f.Manager.RemovePodAsync((await f.Manager.GetPodStatusAsync(pod.Ref, default)) with { Containers = [] }, default);
        Assert.Equal(["StopPodSandbox", "RemovePodSandbox"], f.Calls("StopPodSandbox", "RemovePodSandbox"));
    }

    [Fact]
    public async Task A_started_containers_log_has_a_link_that_goes_with_the_pod()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        await f.PassAsync(pod);
        string link = Assert.Single(Directory.GetFileSystemEntries(ContainerLogLinks.FolderOf(f.Paths)));
        Assert.Equal(Path.Combine(f.Paths.PodLogFolder(pod.Ref), "main", "0.log"), new FileInfo(link).LinkTarget);
        await f.Manager.KillPodAsync(pod, await f.Manager.GetPodStatusAsync(pod.Ref, default), TimeSpan.FromSeconds(2), default);
        await f.Manager.RemovePodAsync(await f.Manager.GetPodStatusAsync(pod.Ref, default), default);
        Assert.Empty(Directory.GetFileSystemEntries(ContainerLogLinks.FolderOf(f.Paths)));
        Assert.False(Directory.Exists(f.Paths.PodLogFolder(pod.Ref)));
        Assert.Empty(f.Fake.Containers);
        Assert.Empty(f.Fake.Sandboxes);
    }

    [Theory]
    [InlineData("failed to create containerd task: failed to create shim task: context canceled: unknown", true)]
    [InlineData("failed to create containerd task: failed to create shim task: exec: \"absent\": executable file not found in $PATH: unknown", false)]
    public async Task A_start_that_broke_off_with_its_caller_is_made_up_for_and_one_that_failed_counts_as_an_end(string message, bool brokeOff)
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        f.Fake.Behaviour.On("StartContainer", Reaction.Fail(StatusCode.Unknown, message), times: 1);
        await f.PassAsync(pod);
        f.Fake.ExitContainer(f.Fake.Containers.Single().Status.Id, 128, "StartError", message);
        await f.PassAsync(pod);
        RuntimeContainerStatus again = (await f.Manager.GetPodStatusAsync(pod.Ref, default)).Find("main")!;
        Assert.Equal((RuntimeContainerState.Running, brokeOff ? 0 : 1), (again.State, again.RestartCount));
        Assert.Equal(brokeOff ? 1 : 2, f.Fake.Containers.Length);
    }

    [Fact]
    public async Task A_process_that_the_runtime_made_and_forgot_is_killed_so_that_its_container_can_be_removed()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        f.Fake.Behaviour.On("StartContainer", Reaction.Fail(StatusCode.Unavailable, "the connection broke"), times: 1);
        await f.PassAsync(pod);
        string id = f.Fake.Containers.Single().Status.Id;
        f.Fake.Behaviour.On("RemoveContainer", Reaction.Fail(StatusCode.Unknown, "cannot delete running task: failed precondition"), times: 1);
        PodSyncResult refused = await f.PassAsync(pod);
        Assert.Equal("RunContainerError", refused.Waiting["main"].Reason);
        Assert.Equal(TimeSpan.FromSeconds(1), refused.RetryAfter);
        Assert.Equal([id], f.Killed);
        await f.PassAsync(pod);
        RuntimeContainerStatus again = (await f.Manager.GetPodStatusAsync(pod.Ref, default)).Find("main")!;
        Assert.Equal((RuntimeContainerState.Running, 0), (again.State, again.RestartCount));
        Assert.Single(f.Fake.Containers);
    }

    [Fact]
    public async Task A_container_that_ended_is_started_again_at_once_and_then_after_a_delay()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        await f.PassAsync(pod);
        f.Fake.ExitContainer(f.Fake.Containers.Single().Status.Id, 1);
        Assert.True((await f.PassAsync(pod)).Succeeded);
        RuntimeContainerStatus again = (await f.Manager.GetPodStatusAsync(pod.Ref, default)).Find("main")!;
        Assert.Equal((RuntimeContainerState.Running, 1), (again.State, again.RestartCount));
        // For an agent that is started later and finds this attempt only.
        Assert.Equal("0", again.Annotations["node-agent.container.restartDelay"]);
        f.Fake.ExitContainer(again.Id.Id, 1);
        PodSyncResult waits = await f.PassAsync(pod);
        Assert.Equal("CrashLoopBackOff", waits.Waiting["main"].Reason);
        Assert.Equal("back-off 10s restarting failed container=main pod=web_default(uid-web)", waits.Waiting["main"].Message);
        Assert.InRange(waits.RetryAfter!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Collecting_leaves_one_dead_attempt_and_what_runs()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        await f.PassAsync(pod);
        string sandbox = f.Fake.Sandboxes.Single().Status.Id;
        f.Fake.ExitContainer(f.Fake.Containers.Single().Status.Id, 1);
        await f.PassAsync(pod);
        f.Fake.ExitContainer(f.Fake.Containers.Single(c => c.Status.State == Cri.V1.ContainerState.ContainerRunning).Status.Id, 1);
        var collector = new ContainerGarbageCollector(f.Runtime, f.Paths, f.Work, DeadContainerPolicy.Default, TimeProvider.System, NullLogger<ContainerGarbageCollector>.Instance);
        await collector.CollectAsync(await f.Manager.ListPodsAsync(default), _ => PodClaim.Wanted, endedToo: false, default);
        Assert.Equal(1u, Assert.Single(f.Fake.Containers).Status.Metadata.Attempt);
        Assert.Equal(sandbox, Assert.Single(f.Fake.Sandboxes).Status.Id);
        Assert.False(File.Exists(Path.Combine(f.Paths.PodLogFolder(pod.Ref), "main", "0.log")));
        Assert.True(File.Exists(Path.Combine(f.Paths.PodLogFolder(pod.Ref), "main", "1.log")));
    }

    [Fact]
    public async Task A_missing_config_map_makes_the_container_wait_with_upstreams_words_and_creates_nothing()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Container c = RuntimeManagerFixture.Container("main") with { EnvFrom = [new EnvFromSource { ConfigMapRef = new ConfigMapEnvSource { Name = "absent" } }] };
        PodSyncResult result = await f.PassAsync(RuntimeManagerFixture.Pod("Always", c));
        Assert.Equal(new ContainerWaiting("CreateContainerConfigError", "configmap \"absent\" not found"), result.Waiting["main"]);
        Assert.Empty(f.Fake.Containers);
    }

    [Fact]
    public async Task A_pull_that_fails_backs_off_and_says_why()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        f.Fake.Behaviour.On("PullImage", Reaction.Fail(Grpc.StatusCode.Unknown, "no route"));
        Pod pod = RuntimeManagerFixture.Pod("Always", RuntimeManagerFixture.Container("main") with { Image = "absent:1" });
        Assert.Equal("ErrImagePull", (await f.PassAsync(pod)).Waiting["main"].Reason);
        PodSyncResult second = await f.PassAsync(pod);
        Assert.Equal("ImagePullBackOff", second.Waiting["main"].Reason);
        Assert.StartsWith("Back-off pulling image \"absent:1\": ErrImagePull: ", second.Waiting["main"].Message, StringComparison.Ordinal);
        Assert.Single(f.Calls("PullImage"));
    }

    [Fact]
    public async Task A_broken_pull_secret_fails_the_pull_and_not_the_pass()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        f.Objects.Secrets["pull"] = new Secret
        {
            Metadata = new ObjectMeta { Namespace = "default", Name = "pull" },
            Type = "kubernetes.io/dockerconfigjson",
            Data = new Dictionary<string, byte[]> { [".dockerconfigjson"] = "{hush"u8.ToArray() },
        };
        Pod pod = RuntimeManagerFixture.Pod("Always", RuntimeManagerFixture.Container("main") with { Image = "absent:1" });
        PodSyncResult result = await f.PassAsync(pod with { Spec = pod.Spec with { ImagePullSecrets = [new LocalObjectReference { Name = "pull" }] } });
        Assert.Equal("ErrImagePull", result.Waiting["main"].Reason);
        Assert.DoesNotContain("hush", result.Waiting["main"].Message + string.Concat(f.Events), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stopping_honours_the_grace_period_and_ends_sidecars_after_the_others()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod() is var p
            ? p with { Spec = p.Spec with { TerminationGracePeriodSeconds = 7, InitContainers = [RuntimeManagerFixture.Container("proxy") with { RestartPolicy = "Always" }] } }
            : null!;
        await f.PassAsync(pod);
        await f.PassAsync(pod);
        Assert.Equal(2, f.Fake.Containers.Length);
        await f.Manager.KillPodAsync(pod, await f.Manager.GetPodStatusAsync(pod.Ref, default), null, default);
        string[] names = [.. f.Fake.Calls.Where(c => c.Request is StopContainerRequest).Select(c => f.Fake.Containers.Single(x => x.Status.Id == ((StopContainerRequest)c.Request).ContainerId).Status.Metadata.Name)];
        Assert.Equal(["main", "proxy"], names);
        Assert.All(f.Fake.Calls.Select(c => c.Request).OfType<StopContainerRequest>(), r => Assert.InRange(r.Timeout, 6, 7));
        Assert.False((await f.Manager.GetPodStatusAsync(pod.Ref, default)).AnythingRunning);
    }

    [Fact]
    public async Task A_preStop_annotation_that_nobody_can_read_does_not_keep_an_unknown_pod_running()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        await f.PassAsync(pod);
        RuntimePodStatus status = await f.Manager.GetPodStatusAsync(pod.Ref, default);
        RuntimeContainerStatus main = status.Find("main")!;
        status = status with { Containers = [main with { Annotations = main.Annotations.SetItem(CriNames.PreStopHandler, "{") }] };
        await f.Manager.KillPodAsync(null, status, TimeSpan.FromSeconds(2), default);
        Assert.False((await f.Manager.GetPodStatusAsync(pod.Ref, default)).AnythingRunning);
    }

    [Fact]
    public async Task A_lost_answer_to_RunPodSandbox_leads_to_no_second_sandbox()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        f.Fake.Behaviour.On("RunPodSandbox", Reaction.FailAfterwards(Grpc.StatusCode.DeadlineExceeded, "too late"), times: 1);
        Pod pod = RuntimeManagerFixture.Pod();
        Assert.NotNull((await f.PassAsync(pod)).Error);
        Assert.True((await f.PassAsync(pod)).Succeeded);
        Assert.Single(f.Fake.Sandboxes);
        Assert.Single(f.Fake.Containers);
    }

    [Fact]
    public async Task A_new_pods_first_sandbox_is_no_changed_sandbox()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        await f.PassAsync(pod);
        Assert.DoesNotContain(f.Events, e => e.Reason == "SandboxChanged");
        f.Fake.ExitSandbox(f.Fake.Sandboxes.Single().Status.Id);
        await f.PassAsync(pod);
        Assert.Contains(f.Events, e => e == ("SandboxChanged", "Pod sandbox changed, it will be killed and re-created."));
        Assert.Equal(1u, f.Fake.Sandboxes.Max(s => s.Status.Metadata.Attempt));
    }

    [Fact]
    public async Task A_sandbox_of_another_network_mode_is_replaced_without_a_word()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        await f.PassAsync(pod);
        await f.PassAsync(pod with { Spec = pod.Spec with { HostNetwork = true } });
        Assert.Equal(2, f.Fake.Sandboxes.Length);
        Assert.DoesNotContain(f.Events, e => e.Reason == "SandboxChanged");
    }

    [Fact]
    public async Task The_hosts_file_is_rewritten_in_place_for_containers_that_run()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        await f.PassAsync(pod);
        string path = f.Paths.PodHostsFile(pod.Uid);
        await using FileStream mounted = File.OpenRead(path);
        f.Fake.ExitContainer(f.Fake.Containers.Single().Status.Id, 1);
        await f.PassAsync(pod with { Spec = pod.Spec with { HostAliases = [new HostAlias { Ip = "10.1.1.1", Hostnames = ["other"] }] } });
        using var reader = new StreamReader(mounted);
        Assert.Contains("10.1.1.1\tother", await reader.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_the_resolvConf_file_no_sandbox_is_made()
    {
        await using var f = await RuntimeManagerFixture.StartAsync("/no/such/resolv.conf");
        PodSyncResult result = await f.PassAsync(RuntimeManagerFixture.Pod());
        Assert.Contains("/no/such/resolv.conf", result.Error, StringComparison.Ordinal);
        Assert.Contains(f.Events, e => e.Reason == "FailedCreatePodSandBox");
        Assert.Empty(f.Fake.Sandboxes);
    }

    [Fact]
    public async Task A_failed_pull_is_told_in_the_runtimes_words_once()
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        const string said = "failed to pull and unpack image \"docker.io/library/absent:1\": not found";
        f.Fake.Behaviour.On("PullImage", Reaction.Fail(Grpc.StatusCode.NotFound, said), times: 1);
        f.Fake.Behaviour.On("PullImage", Reaction.Fail(Grpc.StatusCode.Unknown, "RegistryUnavailable: asleep"), times: 1);
        PodSyncResult result = await f.PassAsync(RuntimeManagerFixture.Pod("Always", RuntimeManagerFixture.Container("main") with { Image = "absent:1" }));
        Assert.Equal(new ContainerWaiting("ErrImagePull", said), result.Waiting["main"]);
        Assert.Contains(f.Events, e => e == ("Failed", $"Failed to pull image \"absent:1\": {said}"));
        result = await f.PassAsync(RuntimeManagerFixture.Pod("Always", RuntimeManagerFixture.Container("main") with { Image = "other:1" }));
        Assert.Equal(new ContainerWaiting("RegistryUnavailable", "image pull failed for other:1 because the registry is unavailable: asleep"), result.Waiting["main"]);
    }

    [Theory]
    [InlineData("Enabled", true, null, true, true, null)]
    [InlineData("IfPossible", true, "None", true, true, null)]
    [InlineData("IfPossible", true, null, false, false, null)]
    [InlineData("Disabled", true, null, true, false, null)]
    [InlineData(null, true, null, true, false, null)]
    [InlineData("Enabled", true, null, false, false, "not supported by the runtime")]
    [InlineData("Enabled", false, null, true, false, "not read-only")]
    [InlineData("IfPossible", true, "HostToContainer", true, false, "not compatible with propagation \"HostToContainer\"")]
    [InlineData("Maybe", true, null, true, false, "unknown recursive read-only mode \"Maybe\"")]
    public void Recursive_read_only(string? mode, bool readOnly, string? propagation, bool supported, bool expected, string? error)
    {
        var mount = new VolumeMount { Name = "v", MountPath = "/v", ReadOnly = readOnly, MountPropagation = propagation, RecursiveReadOnly = mode };
        if (error is null)
        {
            Assert.Equal(expected, RecursiveReadOnly.Resolve(mount, supported));
        }
        else
        {
            Assert.Contains(error, Assert.Throws<ContainerConfigException>(() => RecursiveReadOnly.Resolve(mount, supported)).Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_recursively_read_only_mount_needs_a_handler_that_can(bool supported)
    {
        await using RuntimeManagerFixture f = await RuntimeManagerFixture.StartAsync();
        f.Features = new NodeRuntimeHandlerFeatures { RecursiveReadOnlyMounts = supported };
        Pod pod = RuntimeManagerFixture.Pod("Always", RuntimeManagerFixture.Container("main") with
        {
            VolumeMounts = [new VolumeMount { Name = "v", MountPath = "/v", ReadOnly = true, RecursiveReadOnly = "Enabled" }],
        });
        Directory.CreateDirectory(f.Paths.Pod(pod.Uid));
        RuntimePodStatus status = await f.Manager.GetPodStatusAsync(pod.Ref, default);
        PodSyncResult result = await f.Manager.SyncPodAsync(
            new PodSyncRequest(pod, status, ImmutableDictionary<string, MountedVolume>.Empty.Add("v", new MountedVolume("v", "/tmp", false, "hostPath")), "/kubepods/x", ["10.0.0.1"], null), default);
        if (!supported)
        {
            Assert.Equal(("CreateContainerConfigError", true), (result.Waiting["main"].Reason, result.Waiting["main"].Message.EndsWith("not supported by the runtime", StringComparison.Ordinal)));
            return;
        }

        Assert.True(f.Fake.Containers.Single().Config.Mounts.Single(m => m.ContainerPath == "/v") is { Readonly: true, RecursiveReadOnly: true });
        RuntimeContainerStatus observed = (await f.Manager.GetPodStatusAsync(pod.Ref, default)).Containers.Single();
        Assert.Equal("Enabled", Observed.VolumeMounts(pod, "main", observed).Single().RecursiveReadOnly);
    }
}
