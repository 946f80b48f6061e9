using System.Collections.Immutable;
using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sync;

/// <summary>Decides what a pod needs next. Pure. Source: pkg/kubelet/kuberuntime/kuberuntime_manager.go (computePodActions).</summary>
public static class PodActionPlanner
{
    /// <summary>Computes the actions.</summary>
    /// <param name="pod">The pod as wanted; it is neither deleted nor ended.</param>
    /// <param name="status">What the runtime has.</param>
    /// <param name="health">Verdicts for an instance.</param>
    /// <param name="restartAll">A container has exited so that all have to run again (condition AllContainersRestarting).</param>
    /// <param name="actuated">Resources that were given last; null where resources are left alone.</param>
    public static PodActions Compute(
        Pod pod, RuntimePodStatus status, Func<RuntimeContainerStatus, ContainerHealth> health, ActuatedResources? actuated = null, bool restartAll = false)
    {
        if (restartAll)
        {
            return new PodActions { Reset = ResetOrder(pod, status) };
        }

        // Whether it runs, and how it ended, is known once it has been killed: whatever depends on that is planned then, not on a guess.
        if (status.Containers.Where(c => c.State == RuntimeContainerState.Unknown).ToImmutableArray() is { IsEmpty: false } unknown)
        {
            return new PodActions { Kill = [.. unknown.Select(c => new KillAction(c, $"Container {c.Name} is in \"unknown\" state, try killing it"))] };
        }

        return Sandbox(pod, status) is { } next ? WithNewSandbox(pod, status, next) : InSandbox(pod, status, health, actuated is null ? null : new ResizePlanner(pod.Spec.Resources, actuated));
    }

    /// <summary>Main containers, then init containers; those whose exit was the cause come last, so that the cause is still seen after a restart of the agent.</summary>
    private static ImmutableArray<ResetAction> ResetOrder(Pod pod, RuntimePodStatus status)
    {
        List<ResetAction> causes = [], others = [];
        foreach (Container c in pod.Spec.Containers.Concat(pod.Spec.InitContainers))
        {
            foreach (RuntimeContainerStatus s in status.Containers.Where(s => s.Name == c.Name))
            {
                bool exited = s.State == RuntimeContainerState.Exited;
                (exited && RestartRules.RestartsAll(c, s.ExitCode) ? causes : others).Add(new ResetAction(s, !exited));
            }
        }

        return [.. others, .. causes];
    }

    /// <summary>What the sandbox to be made is like, or null where the newest one serves.</summary>
    private static (uint Attempt, bool Announced)? Sandbox(Pod pod, RuntimePodStatus status)
    {
        if (status.Sandboxes.IsEmpty)
        {
            return (0, false);
        }

        RuntimeSandboxStatus newest = status.Sandboxes[0];
        uint next = status.Sandboxes.Max(s => s.Attempt) + 1;
        if (status.Sandboxes.Count(s => s.State == RuntimeSandboxState.Ready) > 1 || newest.State != RuntimeSandboxState.Ready)
        {
            return (next, true);
        }

        // Upstream names no changed sandbox here, so no event is written either.
        return newest.HostNetwork != pod.IsHostNetwork ? (next, false)
            : !pod.IsHostNetwork && newest.NetworkReported && newest.IPs.IsEmpty ? (next, true)
            : null;
    }

    private static PodActions WithNewSandbox(Pod pod, RuntimePodStatus status, (uint Attempt, bool Announced) next)
    {
        bool ranOnce = next.Attempt > 0 && status.Containers.Any(c => c.State != RuntimeContainerState.Created);
        if (pod.Spec.RestartPolicy == "Never" && ranOnce && pod.Spec.Containers.All(c => c.RestartPolicy is null))
        {
            // It ran and may not run again: nothing is made, what is left is killed.
            return new PodActions { KillPod = true };
        }

        var wanted = pod.Spec.Containers.Where(c => status.Find(c.Name) is not { } s || RestartPolicies.RunsInNewSandbox(pod, c, s)).ToImmutableArray();
        if (wanted.IsEmpty)
        {
            return new PodActions { KillPod = status.AnythingRunning };
        }

        ImmutableArray<Container> firstInit = [.. pod.Spec.InitContainers.Take(1)];
        return new PodActions
        {
            KillPod = !status.Sandboxes.IsEmpty,
            CreateSandbox = true,
            Attempt = next.Attempt,
            AnnouncesNewSandbox = next.Announced,
            StartInit = firstInit,
            Start = firstInit.IsEmpty ? wanted : [],
        };
    }

    private static PodActions InSandbox(Pod pod, RuntimePodStatus status, Func<RuntimeContainerStatus, ContainerHealth> health, ResizePlanner? resizes)
    {
        string sandbox = status.Sandboxes[0].Id;
        // Containers of an earlier sandbox count as not there: a new sandbox runs everything again.
        RuntimePodStatus now = status with { Containers = [.. status.Containers.Where(c => c.SandboxId == sandbox)] };
        var kill = new List<KillAction>();
        var ephemeral = pod.Spec.EphemeralContainers.Where(e => status.Find(e.Name) is null).ToImmutableArray();
        (bool initialised, ImmutableArray<Container> startInit, bool failed) = Init(pod, now, health, kill, resizes);
        if (failed)
        {
            return new PodActions { KillPod = true };
        }

        var start = new List<Container>();
        bool keepsRunning = !startInit.IsEmpty;
        foreach (Container c in initialised ? pod.Spec.Containers : [])
        {
            keepsRunning |= Main(pod, c, status.Find(c.Name), sandbox, new Verdicts(health, resizes), kill, start);
        }

        if (initialised && !keepsRunning && ephemeral.IsEmpty)
        {
            return new PodActions { KillPod = true };
        }

        // Whatever made it, a name never runs twice.
        kill.AddRange(now.Containers
            .Where(c => c.State == RuntimeContainerState.Running && Names(pod).Contains(c.Name) && now.Find(c.Name) != c)
            .Select(c => new KillAction(c, $"Container {c.Name} runs twice, the older one is ended")));
        kill.AddRange(now.Containers
            .Where(c => c.State == RuntimeContainerState.Running && !Names(pod).Contains(c.Name))
            .Select(c => new KillAction(c, $"Container {c.Name} is not in the pod any more")));
        return new PodActions
        {
            SandboxId = sandbox,
            Kill = [.. kill],
            StartEphemeral = ephemeral,
            StartInit = startInit,
            Start = [.. start],
            ResizeMemory = resizes?.Memory ?? [],
            ResizeCpu = resizes?.Cpu ?? [],
            ResizePod = resizes?.ResizePod ?? false,
            ResizePodLevel = resizes?.ResizePodLevel ?? false,
        };
    }

    /// <summary>What decides about a container that runs.</summary>
    private sealed record Verdicts(Func<RuntimeContainerStatus, ContainerHealth> Health, ResizePlanner? Resizes);

    private static IEnumerable<string> Names(Pod pod) =>
        pod.Spec.Containers.Select(c => c.Name).Concat(pod.Spec.InitContainers.Select(c => c.Name)).Concat(pod.Spec.EphemeralContainers.Select(c => c.Name))!;

    /// <summary>Decides about one main container; true where it keeps the pod alive.</summary>
    private static bool Main(
        Pod pod, Container c, RuntimeContainerStatus? s, string sandbox, Verdicts verdicts, List<KillAction> kill, List<Container> start)
    {
        if (s is null || s.SandboxId != sandbox || s.State is RuntimeContainerState.Created or RuntimeContainerState.Exited)
        {
            // A container that was created and never started is replaced: what became of the start is not known.
            bool again = s is null || s.State == RuntimeContainerState.Created || RestartPolicies.Restarts(pod, c, s) || s.State == RuntimeContainerState.Running;
            if (again)
            {
                start.Add(c);
            }

            return again;
        }

        if (Unfit(c, s, verdicts.Health(s)) is not { } verdict)
        {
            if (verdicts.Resizes?.Restarts(c, s) == true)
            {
                kill.Add(new KillAction(s, $"Container {c.Name} resize requires restart"));
                start.Add(c);
            }

            return true;
        }

        bool restarts = verdict.AlwaysRestart || RestartPolicies.RestartsAfterFailure(pod, c);
        kill.Add(new KillAction(s, verdict.Reason + (restarts ? ", will be restarted" : ""), verdict.Grace));
        if (restarts)
        {
            start.Add(c);
        }

        return restarts;
    }

    private static (string Reason, bool AlwaysRestart, long? Grace)? Unfit(Container c, RuntimeContainerStatus s, ContainerHealth h)
    {
        if (s.Hash != 0 && s.Hash != ContainerHash.Compute(c.Name ?? "", c.Image ?? ""))
        {
            return ($"Container {c.Name} definition changed", true, null);
        }

        return h.LivenessFailed ? ($"Container {c.Name} failed liveness probe", false, c.LivenessProbe?.TerminationGracePeriodSeconds)
            : h.StartupFailed ? ($"Container {c.Name} failed startup probe", false, c.StartupProbe?.TerminationGracePeriodSeconds)
            : h.PostStartFailed ? ($"Container {c.Name} failed postStart hook", false, null)
            : null;
    }

    /// <summary>Init containers strictly in order; sidecars restart at any time and gate only until they are started.</summary>
    private static (bool Initialised, ImmutableArray<Container> Start, bool Failed) Init(
        Pod pod, RuntimePodStatus now, Func<RuntimeContainerStatus, ContainerHealth> health, List<KillAction> kill, ResizePlanner? resizes)
    {
        bool mainRan = pod.Spec.Containers.Any(c => now.Find(c.Name) is { State: not RuntimeContainerState.Created });
        var start = new List<Container>();
        bool open = true;
        foreach (Container c in pod.Spec.InitContainers)
        {
            RuntimeContainerStatus? s = now.Find(c.Name);
            if (c.RestartPolicy == "Always")
            {
                open = Sidecar(c, s, new Verdicts(health, resizes), kill, start, open || mainRan);
                if (!open && !mainRan)
                {
                    return (false, [.. start], false);
                }

                continue;
            }

            if (mainRan || s is { State: RuntimeContainerState.Exited, ExitCode: 0, Reason: not "OOMKilled" })
            {
                continue;
            }

            (bool again, bool failed) = Regular(pod, c, s);
            if (again)
            {
                start.Add(c);
            }

            return (false, [.. start], failed);
        }

        return (true, [.. start], false);
    }

    private static (bool Start, bool Failed) Regular(Pod pod, Container c, RuntimeContainerStatus? s) => s?.State switch
    {
        null or RuntimeContainerState.Created => (true, false),
        RuntimeContainerState.Running => (false, false),
        _ => RestartPolicies.RestartsInit(pod, c, s) ? (true, false) : (false, true),
    };

    private static bool Sidecar(
        Container c, RuntimeContainerStatus? s, Verdicts verdicts, List<KillAction> kill, List<Container> start, bool mayStart)
    {
        if (s?.State == RuntimeContainerState.Running)
        {
            ContainerHealth h = verdicts.Health(s);
            if (Unfit(c, s, h) is { } verdict)
            {
                kill.Add(new KillAction(s, verdict.Reason + ", will be restarted", verdict.Grace));
                start.Add(c);
                return false;
            }

            if (verdicts.Resizes?.Restarts(c, s) == true)
            {
                kill.Add(new KillAction(s, $"Container {c.Name} resize requires restart"));
                start.Add(c);
                return false;
            }

            // Before the first verdict a sidecar with a startup probe has not started: the next container waits.
            return c.StartupProbe is null || h.Started;
        }

        if (mayStart)
        {
            start.Add(c);
        }

        return false;
    }
}

/// <summary>Restart policies of pod and container. Pure. Source: pkg/kubelet/container/helpers.go.</summary>
internal static class RestartPolicies
{
    /// <summary>Whether an ended main container runs again.</summary>
    public static bool Restarts(Pod pod, Container c, RuntimeContainerStatus s) =>
        pod.Metadata.DeletionTimestamp is null && s.State != RuntimeContainerState.Running && RestartRules.PolicyAfter(pod, c, s.ExitCode) switch
        {
            "Never" => false,
            "OnFailure" => s.ExitCode != 0,
            _ => true,
        };

    // What runs in the old sandbox is killed with it, and what was only created has not run.
    public static bool RunsInNewSandbox(Pod pod, Container c, RuntimeContainerStatus s) => s.State switch
    {
        RuntimeContainerState.Created => true,
        RuntimeContainerState.Running => RestartsAfterFailure(pod, c),
        _ => Restarts(pod, c, s),
    };

    /// <summary>Whether a container that is killed for a failed probe runs again; it has no exit code that rules could match.</summary>
    public static bool RestartsAfterFailure(Pod pod, Container c) => RestartRules.Policy(pod, c) != "Never";

    /// <summary>Whether a failed regular init container runs again.</summary>
    public static bool RestartsInit(Pod pod, Container c, RuntimeContainerStatus s) => RestartRules.PolicyAfter(pod, c, s.ExitCode) != "Never";
}
