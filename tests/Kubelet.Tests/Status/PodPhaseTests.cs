using NodeAgent.Kubelet.Status;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Status;

public sealed class PodPhaseTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>States: r running, 0 exited with success, 1 exited with failure, w waiting for its first start, b waiting after an end, - absent.</summary>
    [Theory]
    [InlineData("Always", "r", false, "Running")]
    [InlineData("Always", "rr", false, "Running")]
    [InlineData("Always", "r0", false, "Running")]
    [InlineData("Always", "rw", false, "Pending")]
    [InlineData("Always", "w", false, "Pending")]
    [InlineData("Always", "b", false, "Running")]
    [InlineData("Always", "00", false, "Running")]
    [InlineData("OnFailure", "00", false, "Succeeded")]
    [InlineData("OnFailure", "01", false, "Running")]
    [InlineData("Never", "00", false, "Succeeded")]
    [InlineData("Never", "01", false, "Failed")]
    [InlineData("Never", "1r", false, "Running")]
    [InlineData("Always", "00", true, "Succeeded")]
    [InlineData("Always", "01", true, "Failed")]
    [InlineData("Always", "r-", false, "Pending")]
    public void Main_containers_make_the_phase(string policy, string states, bool finalised, string expected)
    {
        string[] names = [.. states.Select((_, i) => $"c{i}")];
        Pod pod = TestPods.Pod("p", policy, names);
        ContainerStatus[] statuses = [.. states.Select((s, i) => (s, i)).Where(x => x.s != '-').Select(x => Status(names[x.i], x.s))];
        Assert.Equal(expected, PodPhase.Compute(pod, [], statuses, finalised));
    }

    [Theory]
    [InlineData("Never", null, "1", "w", "Failed")]
    [InlineData("Always", null, "1", "w", "Pending")]
    [InlineData("Always", null, "b", "w", "Pending")]
    [InlineData("Always", null, "r", "w", "Pending")]
    [InlineData("Always", null, "0", "r", "Running")]
    [InlineData("Always", "Always", "w", "w", "Pending")]
    [InlineData("Never", "Always", "1", "r", "Running")]
    [InlineData("Never", "Always", "1", "0", "Succeeded")]
    public void Init_containers_come_first_and_ended_sidecars_never_count(string policy, string? sidecar, string init, string main, string expected)
    {
        Pod pod = TestPods.Pod("p", policy, "main");
        pod = pod with { Spec = pod.Spec with { InitContainers = [new Container { Name = "i", RestartPolicy = sidecar }] } };
        Assert.Equal(expected, PodPhase.Compute(pod, [Status("i", init[0])], [Status("main", main[0])], finalised: false));
    }

    private static ContainerStatus Status(string name, char state) => new()
    {
        Name = name,
        State = state switch
        {
            'r' => new ContainerState { Running = new ContainerStateRunning { StartedAt = Now } },
            '0' or '1' => new ContainerState { Terminated = new ContainerStateTerminated { ExitCode = state - '0' } },
            _ => new ContainerState { Waiting = new ContainerStateWaiting() },
        },
        LastState = state == 'b' ? new ContainerState { Terminated = new ContainerStateTerminated { ExitCode = 1 } } : null,
    };

    [Theory]
    [InlineData(42, "Running")]
    [InlineData(1, "Failed")]
    public void A_rule_that_restarts_a_container_keeps_a_Never_pod_from_its_end(int exitCode, string expected)
    {
        Pod pod = TestPods.Pod("p", "Never");
        var rule = new ContainerRestartRule { Action = "Restart", ExitCodes = new ContainerRestartRuleOnExitCodes { Operator = "In", Values = [42] } };
        pod = pod with { Spec = pod.Spec with { Containers = [pod.Spec.Containers[0] with { RestartPolicy = "Never", RestartPolicyRules = [rule] }] } };
        var ended = new ContainerStatus { Name = "main", State = new ContainerState { Terminated = new ContainerStateTerminated { ExitCode = exitCode } } };
        Assert.Equal(expected, PodPhase.Compute(pod, [], [ended], finalised: false));
    }
}
