using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Status;

/// <summary>What a container is within its pod.</summary>
internal enum ContainerRole
{
    Main,
    Init,
    Sidecar,
    Ephemeral,
}

/// <summary>Computes one container's API status from what the runtime has of it. Pure. Source: pkg/kubelet/kubelet_pods.go.</summary>
internal static class ContainerStatusBuilder
{
    private const string UnknownReason = "ContainerStatusUnknown";
    private const int UnknownExitCode = 137;

    public static ContainerStatus Build(PodStatusInputs inputs, string name, ContainerRole role, string specImage, bool initialised)
    {
        ContainerStatus? previous = Previous(inputs.Previous, role, name);
        var attempts = inputs.Runtime.Containers.Where(c => c.Name == name).ToList();
        ContainerStatus status = attempts.Count > 0
            ? FromRuntime(inputs, name, role, attempts, previous)
            : Vanished(inputs, name, role, specImage, previous, initialised);
        status = inputs.Waiting.TryGetValue(name, out ContainerWaiting? waiting) && status.State?.Running is null && !inputs.Finalised
            ? Wait(status, waiting)
            : status;
        return inputs.Finalised ? EndForGood(status, role, initialised) : status;
    }

    private static ContainerStatus? Previous(PodStatus status, ContainerRole role, string name) =>
        (role switch
        {
            ContainerRole.Main => status.ContainerStatuses,
            ContainerRole.Ephemeral => status.EphemeralContainerStatuses,
            _ => status.InitContainerStatuses,
        }).FirstOrDefault(s => s.Name == name);

    private static ContainerStatus FromRuntime(
        PodStatusInputs inputs, string name, ContainerRole role, List<RuntimeContainerStatus> attempts, ContainerStatus? previous)
    {
        RuntimeContainerStatus c = attempts[0];
        ContainerState? last = attempts.Count > 1 && attempts[1].State == RuntimeContainerState.Exited
            ? State(attempts[1])
            : previous?.LastState is { Terminated: not null } kept && previous.ContainerID == c.Id.ToString() ? kept
            : previous is { State.Terminated: not null } && previous.ContainerID != c.Id.ToString() ? previous.State
            : previous?.LastState;
        ContainerState state = c.State == RuntimeContainerState.Unknown ? AsTold(c, previous) : State(c);
        bool running = c.State == RuntimeContainerState.Running;
        bool started = running && Started(inputs, name, role, c, previous);
        return new ContainerStatus
        {
            Name = name,
            Image = c.Image,
            ImageID = c.ImageRef,
            ContainerID = c.Id.ToString(),
            RestartCount = Math.Max(c.RestartCount, previous?.RestartCount ?? 0),
            State = state,
            LastState = last is { Terminated: not null } ? last : null,
            Started = role == ContainerRole.Ephemeral ? null : started,
            Ready = role switch
            {
                ContainerRole.Init => state.Terminated is { ExitCode: 0 },
                ContainerRole.Ephemeral => false,
                _ => running && started && Ready(inputs, name, role, c, previous),
            },
            Resources = Observed.Resources(inputs.Pod, c, inputs.Actuated.Container(name), previous),
            AllocatedResources = Observed.Allocated(inputs.Pod, name),
            VolumeMounts = Observed.VolumeMounts(inputs.Pod, name, c),
            User = Observed.User(c),
            // An API server without the gate knows neither field.
            StopSignal = Observed.Spec(inputs.Pod, name)?.Lifecycle?.StopSignal is null ? null : StopSignals.Name(c.StopSignal),
        };
    }

    // The runtime tells what became of it once it has been killed; until then it is as it was. Upstream tells an end with 137 at once, which
    // can end the pod for good although the container then turns out to have ended well.
    private static ContainerState AsTold(RuntimeContainerStatus c, ContainerStatus? previous) =>
        previous?.ContainerID == c.Id.ToString() && previous.State is { } told ? told : c.StartedAt != default ? Running(c) : State(c);

    private static ContainerState Running(RuntimeContainerStatus c) => new() { Running = new ContainerStateRunning { StartedAt = c.StartedAt } };

    private static ContainerState State(RuntimeContainerStatus c) => c.State switch
    {
        RuntimeContainerState.Running => Running(c),
        RuntimeContainerState.Exited => new ContainerState
        {
            Terminated = new ContainerStateTerminated
            {
                ExitCode = c.ExitCode,
                Reason = c.Reason,
                Message = c.Message.Length > 0 ? c.Message : null,
                StartedAt = c.StartedAt,
                FinishedAt = c.FinishedAt,
                ContainerID = c.Id.ToString(),
            },
        },
        _ => new ContainerState { Waiting = new ContainerStateWaiting() },
    };

    private static bool Started(PodStatusInputs inputs, string name, ContainerRole role, RuntimeContainerStatus c, ContainerStatus? previous) =>
        role != ContainerRole.Ephemeral && (Observed.Spec(inputs.Pod, name)?.StartupProbe is null
            || (inputs.Verdict(c.Id, ProbeType.Startup) is { } verdict && verdict != ProbeResult.Unknown ? verdict == ProbeResult.Success
                : previous?.ContainerID == c.Id.ToString() && previous.Started == true));

    private static bool Ready(PodStatusInputs inputs, string name, ContainerRole role, RuntimeContainerStatus c, ContainerStatus? previous) =>
        Observed.Spec(inputs.Pod, name)?.ReadinessProbe is null
            || (inputs.Verdict(c.Id, ProbeType.Readiness) is { } verdict && verdict != ProbeResult.Unknown ? verdict == ProbeResult.Success
                : previous?.ContainerID == c.Id.ToString() && previous.Ready);

    private static ContainerStatus Vanished(
        PodStatusInputs inputs, string name, ContainerRole role, string image, ContainerStatus? previous, bool initialised)
    {
        if (role != ContainerRole.Ephemeral && previous is { State: { Waiting: null } } && AllContainersRestart.IsUnderWay(inputs.Pod, inputs.Runtime, inputs.Previous))
        {
            return RemovedForRestart(inputs.Pod, name, image, previous);
        }

        if (role == ContainerRole.Init && initialised && previous?.State?.Terminated is null)
        {
            return Fresh(inputs.Pod, name, image, previous) with
            {
                Ready = true,
                State = new ContainerState
                {
                    Terminated = new ContainerStateTerminated
                    {
                        ExitCode = 0,
                        Reason = "Completed",
                        Message = "Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally",
                    },
                },
            };
        }

        if (previous is { State.Terminated: not null })
        {
            return previous with { Started = role == ContainerRole.Ephemeral ? null : false, Ready = role == ContainerRole.Init && previous.State.Terminated.ExitCode == 0 };
        }

        ContainerStatus status = Fresh(inputs.Pod, name, image, previous) with
        {
            State = new ContainerState
            {
                Waiting = new ContainerStateWaiting { Reason = inputs.Pod.Spec.InitContainers.Count > 0 ? "PodInitializing" : "ContainerCreating" },
            },
            Started = role == ContainerRole.Ephemeral ? null : false,
        };
        return previous?.State?.Running is not { } was
            ? status
            : status with
            {
                LastState = new ContainerState
                {
                    Terminated = Lost("The container could not be located when the pod was deleted.  The container used to be Running", was.StartedAt, previous.ContainerID),
                },
                RestartCount = previous.RestartCount + (inputs.Terminating ? 0 : 1),
            };
    }

    private static ContainerStatus RemovedForRestart(Pod pod, string name, string image, ContainerStatus previous) => Fresh(pod, name, image, previous) with
    {
        State = new ContainerState { Waiting = new ContainerStateWaiting { Reason = AllContainersRestart.Reason, Message = AllContainersRestart.Removed } },
        LastState = new ContainerState
        {
            Terminated = new ContainerStateTerminated { Reason = AllContainersRestart.Reason, Message = AllContainersRestart.Removed, ExitCode = UnknownExitCode },
        },
        RestartCount = previous.RestartCount + 1,
    };

    private static ContainerStatus Fresh(Pod pod, string name, string image, ContainerStatus? previous) => new()
    {
        Name = name,
        Image = image,
        ImageID = "",
        RestartCount = previous?.RestartCount ?? 0,
        LastState = previous?.LastState,
        VolumeMounts = Observed.VolumeMounts(pod, name, null),
        Started = false,
    };

    private static ContainerStatus Wait(ContainerStatus status, ContainerWaiting waiting) => status with
    {
        LastState = status.State is { Terminated: not null } ended ? ended : status.LastState,
        State = new ContainerState
        {
            Waiting = new ContainerStateWaiting { Reason = waiting.Reason, Message = waiting.Message.Length > 0 ? waiting.Message : null },
        },
        Ready = false,
        Started = status.Started is null ? null : false,
    };

    /// <summary>At the end of a pod's life a container without an end on record gets one, if the pod ever came so far.</summary>
    private static ContainerStatus EndForGood(ContainerStatus status, ContainerRole role, bool initialised) =>
        status.State?.Terminated is not null || !(initialised || role is ContainerRole.Init && status.ContainerID is { Length: > 0 })
            ? status with { Ready = role == ContainerRole.Init && status.State?.Terminated is { ExitCode: 0 }, Started = status.Started is null ? null : false }
            : status with
            {
                State = new ContainerState { Terminated = Lost("The container could not be located when the pod was terminated", status.State?.Running?.StartedAt, status.ContainerID) },
                Ready = false,
                Started = status.Started is null ? null : false,
            };

    private static ContainerStateTerminated Lost(string message, DateTimeOffset? startedAt, string? containerId) => new()
    {
        ExitCode = UnknownExitCode,
        Reason = UnknownReason,
        Message = message,
        StartedAt = startedAt,
        ContainerID = containerId,
    };
}
