using FsCheck;
using FsCheck.Fluent;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;
using static NodeAgent.Kubelet.Tests.Sync.RuntimeStates;
using State = NodeAgent.Kubelet.Pleg.RuntimeContainerState;

namespace NodeAgent.Kubelet.Tests.Sync;

public sealed class PodActionPlannerTests
{
    private static readonly ContainerHealth Healthy = new(false, false, Started: true);

    private static PodActions Plan(Pod pod, RuntimePodStatus status, ContainerHealth? health = null) => PodActionPlanner.Compute(pod, status, _ => health ?? Healthy);

    private static Pod WithInit(Pod pod, params Container[] init) => pod with { Spec = pod.Spec with { InitContainers = init } };

    private static Container Init(string name) => new() { Name = name, Image = "busybox" };

    private static Container Sidecar(string name, bool startupProbe = false) =>
        new() { Name = name, Image = "busybox", RestartPolicy = "Always", StartupProbe = startupProbe ? new Probe() : null };

    [Fact]
    public void A_new_pod_gets_a_sandbox_and_all_its_containers()
    {
        Pod pod = TestPods.Pod(containers: ["a", "b"]);
        PodActions actions = Plan(pod, Having(pod, []));
        Assert.True(actions.CreateSandbox);
        Assert.False(actions.KillPod);
        Assert.Equal(0u, actions.Attempt);
        Assert.Equal(["a", "b"], actions.Start.Select(c => c.Name));
    }

    [Fact]
    public void A_pod_that_runs_as_its_spec_says_needs_nothing()
    {
        Pod pod = TestPods.Pod();
        Assert.True(Plan(pod, Running(pod, Container("main", State.Running))).IsEmpty);
    }

    [Fact]
    public void With_init_containers_a_new_pod_starts_the_first_of_them_only()
    {
        Pod pod = WithInit(TestPods.Pod(), Init("one"), Init("two"));
        PodActions actions = Plan(pod, Having(pod, []));
        Assert.Equal(["one"], actions.StartInit.Select(c => c.Name));
        Assert.Empty(actions.Start);
    }

    [Theory]
    [InlineData(State.Running, 0, new string[0], new string[0])]
    [InlineData(State.Exited, 0, new[] { "two" }, new string[0])]
    [InlineData(State.Exited, 1, new[] { "one" }, new string[0])]
    [InlineData(State.Created, 0, new[] { "one" }, new string[0])]
    [InlineData(State.Unknown, 0, new string[0], new[] { "one" })]
    public void The_first_init_container_decides_what_comes_next(State state, int exitCode, string[] starts, string[] kills)
    {
        Pod pod = WithInit(TestPods.Pod(), Init("one"), Init("two"));
        PodActions actions = Plan(pod, Running(pod, Container("one", state, exitCode)));
        Assert.Equal(starts, actions.StartInit.Select(c => c.Name));
        Assert.Equal(kills, actions.Kill.Select(k => k.Container.Name));
        Assert.Empty(actions.Start);
    }

    [Fact]
    public void A_failed_init_container_of_a_Never_pod_ends_the_pod()
    {
        Pod pod = WithInit(TestPods.Pod(restartPolicy: "Never"), Init("one"));
        PodActions actions = Plan(pod, Running(pod, Container("one", State.Exited, 1)));
        Assert.True(actions is { KillPod: true, CreateSandbox: false });
    }

    [Fact]
    public void An_init_container_killed_for_memory_has_failed_even_with_exit_code_0()
    {
        Pod pod = WithInit(TestPods.Pod(), Init("one"), Init("two"));
        PodActions actions = Plan(pod, Running(pod, Container("one", State.Exited, 0, reason: "OOMKilled")));
        Assert.Equal(["one"], actions.StartInit.Select(c => c.Name));
    }

    [Theory]
    [InlineData(false, false, true)]
    [InlineData(true, false, false)]
    [InlineData(true, true, true)]
    public void What_follows_a_sidecar_waits_until_the_sidecar_has_started(bool startupProbe, bool succeeded, bool goesOn)
    {
        Pod pod = WithInit(TestPods.Pod(), Sidecar("proxy", startupProbe));
        PodActions actions = Plan(pod, Running(pod, Container("proxy", State.Running)), new ContainerHealth(false, false, succeeded));
        Assert.Equal(goesOn ? ["main"] : [], actions.Start.Select(c => c.Name));
    }

    [Fact]
    public void A_sidecar_that_ended_is_restarted_while_main_containers_run()
    {
        Pod pod = WithInit(TestPods.Pod(), Sidecar("proxy"));
        PodActions actions = Plan(pod, Running(pod, Container("main", State.Running), Container("proxy", State.Exited)));
        Assert.Equal(["proxy"], actions.StartInit.Select(c => c.Name));
        Assert.Empty(actions.Kill);
    }

    [Fact]
    public void When_main_containers_are_done_a_sidecar_does_not_keep_the_pod_alive()
    {
        Pod pod = WithInit(TestPods.Pod(restartPolicy: "Never"), Sidecar("proxy"));
        Assert.True(Plan(pod, Running(pod, Container("main", State.Exited), Container("proxy", State.Running))).KillPod);
    }

    [Theory]
    [InlineData("Always", 0, true)]
    [InlineData("Always", 1, true)]
    [InlineData("OnFailure", 0, false)]
    [InlineData("OnFailure", 1, true)]
    [InlineData("Never", 0, false)]
    [InlineData("Never", 1, false)]
    public void The_restart_policy_decides_about_a_container_that_ended(string policy, int exitCode, bool restarts)
    {
        Pod pod = TestPods.Pod(restartPolicy: policy, containers: ["main", "other"]);
        PodActions actions = Plan(pod, Running(pod, Container("main", State.Exited, exitCode), Container("other", State.Running)));
        Assert.Equal(restarts ? ["main"] : [], actions.Start.Select(c => c.Name));
        Assert.False(actions.KillPod);
    }

    [Theory]
    [InlineData(true, false, "Container main failed liveness probe, will be restarted")]
    [InlineData(false, true, "Container main failed startup probe, will be restarted")]
    public void A_failed_probe_ends_the_container_and_starts_it_again(bool liveness, bool startup, string message)
    {
        Pod pod = TestPods.Pod();
        PodActions actions = Plan(pod, Running(pod, Container("main", State.Running)), new ContainerHealth(liveness, startup, false));
        Assert.Equal(message, Assert.Single(actions.Kill).Reason);
        Assert.Equal(["main"], actions.Start.Select(c => c.Name));
    }

    [Fact]
    public void A_failed_probe_of_a_Never_pod_ends_the_container_for_good()
    {
        Pod pod = TestPods.Pod(restartPolicy: "Never", containers: ["main", "other"]);
        RuntimePodStatus status = Running(pod, Container("main", State.Running), Container("other", State.Running));
        PodActions actions = PodActionPlanner.Compute(pod, status, c => Healthy with { LivenessFailed = c.Name == "main" });
        Assert.Equal("Container main failed liveness probe", Assert.Single(actions.Kill).Reason);
        Assert.Empty(actions.Start);
    }

    [Fact]
    public void Another_image_replaces_the_container_whatever_the_policy()
    {
        Pod pod = TestPods.Pod(restartPolicy: "Never");
        PodActions actions = Plan(pod, Running(pod, Container("main", State.Running, image: "busybox:old")));
        Assert.Equal("Container main definition changed, will be restarted", Assert.Single(actions.Kill).Reason);
        Assert.Equal(["main"], actions.Start.Select(c => c.Name));
    }

    [Fact]
    public void A_container_without_a_hash_is_left_alone()
    {
        Pod pod = TestPods.Pod();
        Assert.True(Plan(pod, Running(pod, Container("main", State.Running) with { Hash = 0 })).IsEmpty);
    }

    public static TheoryData<string, RuntimeSandboxStatus[]> SandboxesThatDoNotFit => new()
    {
        { "not ready", [Sandbox(3, RuntimeSandboxState.NotReady)] },
        { "no address", [Sandbox(3, ip: "")] },
        { "the node's network", [Sandbox(3, host: true)] },
        { "two are ready", [Sandbox(3), Sandbox(2)] },
    };

    [Theory]
    [MemberData(nameof(SandboxesThatDoNotFit))]
    public void A_sandbox_that_does_not_fit_is_replaced_by_the_next_attempt(string why, RuntimeSandboxStatus[] sandboxes)
    {
        Pod pod = TestPods.Pod();
        PodActions actions = Plan(pod, Having(pod, sandboxes));
        Assert.True(actions is { KillPod: true, CreateSandbox: true, Attempt: 4 }, why);
    }

    [Fact]
    public void A_Never_pod_that_ran_gets_no_second_sandbox()
    {
        Pod pod = TestPods.Pod(restartPolicy: "Never");
        PodActions actions = Plan(pod, Having(pod, [Sandbox(0, RuntimeSandboxState.NotReady)], Container("main", State.Exited, 1)));
        Assert.False(actions.CreateSandbox);
        Assert.Empty(actions.Start);
    }

    [Fact]
    public void Ephemeral_containers_start_once()
    {
        Pod pod = TestPods.Pod() is var p ? p with { Spec = p.Spec with { EphemeralContainers = [new EphemeralContainer { Name = "debug", Image = "busybox" }] } } : null!;
        Assert.Equal(["debug"], Plan(pod, Running(pod, Container("main", State.Running))).StartEphemeral.Select(e => e.Name));
        Assert.True(Plan(pod, Running(pod, Container("main", State.Running), Container("debug", State.Exited))).IsEmpty);
    }

    [Theory]
    [InlineData("In", 42, 42, true)]
    [InlineData("In", 42, 1, false)]
    [InlineData("NotIn", 42, 1, true)]
    [InlineData("NotIn", 42, 42, false)]
    public void A_restart_rule_comes_before_the_policies(string op, int value, int exitCode, bool restarts)
    {
        Pod pod = TestPods.Pod(restartPolicy: "Never", containers: ["main", "other"]);
        Container main = pod.Spec.Containers[0] with
        {
            RestartPolicy = "Never",
            RestartPolicyRules = [new ContainerRestartRule { Action = "Restart", ExitCodes = new ContainerRestartRuleOnExitCodes { Operator = op, Values = [value] } }],
        };
        pod = pod with { Spec = pod.Spec with { Containers = [main, pod.Spec.Containers[1]] } };
        PodActions actions = Plan(pod, Running(pod, Container("main", State.Exited, exitCode), Container("other", State.Running)));
        Assert.Equal(restarts ? ["main"] : [], actions.Start.Select(c => c.Name));
    }

    [Theory]
    [InlineData("Always")]
    [InlineData("OnFailure")]
    [InlineData("Never")]
    public void What_the_runtime_cannot_tell_of_is_killed_whatever_it_is_and_everything_else_waits_for_what_became_of_it(string policy)
    {
        Pod pod = WithInit(TestPods.Pod(restartPolicy: policy, containers: ["main", "other"]), Init("init"), Sidecar("proxy", startupProbe: true), Sidecar("second"));
        pod = pod with { Spec = pod.Spec with { EphemeralContainers = [new EphemeralContainer { Name = "debug", Image = "busybox" }] } };
        RuntimeContainerStatus runs = Container("other", State.Running), ended = Container("main", State.Exited, attempt: 1);
        foreach (string name in (string[])["init", "proxy", "second", "main", "debug", "of nobody"])
        {
            RuntimeContainerStatus unknown = Container(name, State.Unknown);
            foreach (RuntimePodStatus status in (RuntimePodStatus[])
            [
                Running(pod, unknown), Running(pod, unknown, runs), Running(pod, ended, unknown, runs), Running(pod, unknown with { SandboxId = "s9" }, runs),
                Having(pod, [Sandbox(0, RuntimeSandboxState.NotReady)], unknown), Having(pod, [], unknown),
            ])
            {
                PodActions actions = Plan(pod, status, Healthy with { LivenessFailed = true });
                Assert.Equal(name, Assert.Single(actions.Kill).Container.Name);
                Assert.True(actions is { KillPod: false, CreateSandbox: false, OnlyKills: true }, $"{name}: {actions}");
            }
        }
    }

    private static readonly Gen<(Pod Pod, RuntimePodStatus Status, bool Liveness, bool Startup)> AnyPod =
        from policy in Gen.Elements("Always", "OnFailure", "Never")
        from roles in Gen.ListOf(Gen.Elements("main", "init", "sidecar"), 4)
        from states in Gen.ListOf(Gen.Elements<State?>(null, State.Created, State.Running, State.Exited, State.Unknown), 5)
        from codes in Gen.ListOf(Gen.Choose(0, 1), 5)
        from sandbox in Gen.Elements("ready", "dead", "none", "noip")
        from liveness in Gen.Elements(true, false)
        from startup in Gen.Elements(true, false)
        select Make(policy, roles.ToArray(), states.ToArray(), codes.ToArray(), sandbox, liveness, startup);

    private static (Pod, RuntimePodStatus, bool, bool) Make(
        string policy, string[] roles, State?[] states, int[] codes, string sandbox, bool liveness, bool startup)
    {
        Container[] init = [.. roles.Select((r, i) => r == "sidecar" ? Sidecar($"c{i}") : r == "init" ? Init($"c{i}") : null!).Where(c => c is not null)];
        string[] main = ["c4", .. roles.Select((r, i) => r == "main" ? $"c{i}" : null!).Where(c => c is not null)];
        Pod pod = WithInit(TestPods.Pod(restartPolicy: policy, containers: main), init);
        RuntimeSandboxStatus[] sandboxes = sandbox switch
        {
            "ready" => [Sandbox()],
            "dead" => [Sandbox(0, RuntimeSandboxState.NotReady)],
            "noip" => [Sandbox(ip: "")],
            _ => [],
        };
        RuntimeContainerStatus[] containers = sandboxes.Length == 0 ? [] :
            [.. states.Select((s, i) => s is { } state ? Container($"c{i}", state, codes[i]) : null!).Where(c => c is not null)];
        return (pod, Having(pod, sandboxes, containers), liveness, startup);
    }

    private static void ForAnyPod(Func<Pod, RuntimePodStatus, PodActions, bool> holds) => Prop.ForAll(
        AnyPod.ToArbitrary(),
        x => holds(x.Pod, x.Status, PodActionPlanner.Compute(x.Pod, x.Status, _ => new ContainerHealth(x.Liveness, x.Startup, !x.Startup))))
        .Check(Config.QuickThrowOnFailure.WithMaxTest(5000));

    private static IEnumerable<string> Starts(PodActions a) => a.StartInit.Concat(a.Start).Select(c => c.Name).Concat(a.StartEphemeral.Select(e => e.Name));

    [Fact]
    public void No_container_is_ever_started_beside_a_running_attempt_of_its_name() => ForAnyPod((_, status, actions) =>
        actions.KillPod || Starts(actions).All(name => status.Containers
            .Where(c => c.Name == name && c.State is State.Running or State.Unknown && c.Name == name)
            .All(c => actions.Kill.Any(k => k.Container.Id == c.Id))));

    [Fact]
    public void No_container_of_a_Never_pod_that_ended_in_this_sandbox_runs_again() => ForAnyPod((pod, status, actions) =>
        pod.Spec.RestartPolicy != "Never" || actions.CreateSandbox || actions.Start.Concat(actions.StartInit)
            .Where(c => c.RestartPolicy != "Always")
            .All(c => status.Find(c.Name) is not { State: State.Exited }));

    [Fact]
    public void Nothing_is_made_while_the_runtime_cannot_tell_of_a_container() => ForAnyPod((_, status, actions) =>
        !status.Containers.Any(c => c.State == State.Unknown)
        || (actions is { KillPod: false, OnlyKills: true } && actions.Kill.Select(k => k.Container).SequenceEqual(status.Containers.Where(c => c.State == State.Unknown))));

    [Fact]
    public void Nothing_is_started_twice_in_one_pass() => ForAnyPod((_, _, actions) => Starts(actions).Distinct().Count() == Starts(actions).Count());

    [Fact]
    public void Main_containers_never_start_while_an_init_container_runs() => ForAnyPod((pod, status, actions) =>
        actions.Start.IsEmpty || pod.Spec.Containers.Any(c => status.Find(c.Name) is { State: not State.Created })
        || pod.Spec.InitContainers.Where(c => c.RestartPolicy != "Always").All(c => status.Find(c.Name) is { State: State.Exited, ExitCode: 0 })
        || pod.Spec.InitContainers.All(c => c.RestartPolicy == "Always"));

    [Fact]
    public void Planning_again_gives_the_same() => ForAnyPod((pod, status, actions) =>
    {
        PodActions again = PodActionPlanner.Compute(pod, status, _ => Healthy);
        PodActions third = PodActionPlanner.Compute(pod, status, _ => Healthy);
        return Starts(again).SequenceEqual(Starts(third)) && again.KillPod == third.KillPod && again.Attempt == actions.Attempt;
    });

    [Fact]
    public void Rules_of_exit_codes_do_not_count_for_a_container_that_is_killed_for_its_probe()
    {
        Pod pod = TestPods.Pod(restartPolicy: "Never", containers: ["main", "other"]);
        var rule = new ContainerRestartRule { Action = "Restart", ExitCodes = new ContainerRestartRuleOnExitCodes { Operator = "In", Values = [137] } };
        pod = pod with { Spec = pod.Spec with { Containers = [pod.Spec.Containers[0] with { RestartPolicy = "Never", RestartPolicyRules = [rule] }, pod.Spec.Containers[1]] } };
        PodActions actions = PodActionPlanner.Compute(
            pod, Running(pod, Container("main", State.Running), Container("other", State.Running)), c => Healthy with { LivenessFailed = c.Name == "main" });
        Assert.Equal("Container main failed liveness probe", Assert.Single(actions.Kill).Reason);
        Assert.Empty(actions.Start);
        actions = Plan(pod, Running(pod, Container("main", State.Exited, 137), Container("other", State.Running)));
        Assert.Equal(["main"], actions.Start.Select(c => c.Name));
    }
}
