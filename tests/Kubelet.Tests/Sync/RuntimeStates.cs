using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Sync;

/// <summary>Observations for tests of planning.</summary>
internal static class RuntimeStates
{
    public static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    public static RuntimeSandboxStatus Sandbox(uint attempt = 0, RuntimeSandboxState state = RuntimeSandboxState.Ready, string ip = "10.0.0.2", bool host = false) => new()
    {
        Id = $"s{attempt}",
        Attempt = attempt,
        State = state,
        CreatedAt = Start.AddSeconds(attempt),
        IPs = ip.Length > 0 ? [ip] : [],
        HostNetwork = host,
    };

    public static RuntimeContainerStatus Container(
        string name, RuntimeContainerState state, int exitCode = 0, int attempt = 0, string sandbox = "s0", string image = "busybox", string reason = "") => new()
        {
            Id = new ContainerId("fake", $"{name}-{attempt}"),
            Name = name,
            SandboxId = sandbox,
            RestartCount = attempt,
            State = state,
            CreatedAt = Start.AddSeconds(attempt),
            StartedAt = Start,
            FinishedAt = state == RuntimeContainerState.Exited ? Start.AddSeconds(1) : default,
            ExitCode = exitCode,
            Reason = reason,
            Hash = ContainerHash.Compute(name, image),
        };

    public static RuntimePodStatus Having(Pod pod, RuntimeSandboxStatus[] sandboxes, params RuntimeContainerStatus[] containers) => new()
    {
        Pod = pod.Ref,
        Sandboxes = [.. sandboxes],
        Containers = [.. containers],
        ObservedAt = Start,
    };

    public static RuntimePodStatus Running(Pod pod, params RuntimeContainerStatus[] containers) => Having(pod, [Sandbox()], containers);
}
