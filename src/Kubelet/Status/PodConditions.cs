using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Status;

/// <summary>The conditions this agent owns. Pure. Source: pkg/kubelet/status/generate.go.</summary>
internal static class PodConditions
{
    private static readonly string[] Owned =
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled", "DisruptionTarget", "PodResizePending", "PodResizeInProgress", AllContainersRestart.Condition];

    /// <summary>Conditions of others first, then ours in upstream's order; transition times kept where the status did not change.</summary>
    public static IReadOnlyList<PodCondition> Compute(PodStatusInputs inputs, PodStatus status)
    {
        Pod pod = inputs.Pod;
        PodCondition containersReady = ContainersReady(pod, status);
        List<PodCondition> conditions =
        [
            .. inputs.Pod.Status.Conditions.Where(c => !Owned.Contains(c.Type)),
            .. status.Phase is "Succeeded" or "Failed" ? [] : inputs.Resize,
            .. inputs.Previous.Conditions.Where(c => c.Type == "DisruptionTarget").Take(1),
            New("PodReadyToStartContainers", SandboxReady(inputs)),
            Initialized(inputs, status),
            Ready(pod, containersReady),
            containersReady,
            New("PodScheduled", true),
            .. AllContainersRestart.ConditionOf(inputs, status.Phase ?? "") is { } restarting ? [restarting] : Array.Empty<PodCondition>(),
        ];
        return [.. conditions.Select(c => Stamp(c, inputs))];
    }

    private static PodCondition Stamp(PodCondition c, PodStatusInputs inputs)
    {
        // Those of a resize have the generation and the times of its decision.
        if (!Owned.Contains(c.Type) || inputs.Resize.Contains(c))
        {
            return c;
        }

        PodCondition? before = inputs.Previous.Conditions.FirstOrDefault(p => p.Type == c.Type);
        return c with
        {
            ObservedGeneration = inputs.Pod.Metadata.Generation,
            LastTransitionTime = before?.Status == c.Status && before.LastTransitionTime is { } kept ? kept : inputs.Now,
        };
    }

    private static bool SandboxReady(PodStatusInputs inputs) =>
        inputs.Runtime.Sandboxes is [{ State: RuntimeSandboxState.Ready } newest, ..] && (newest.HostNetwork || newest.IPs.Length > 0);

    private static PodCondition Initialized(PodStatusInputs inputs, PodStatus status)
    {
        if (status.Phase == "Succeeded")
        {
            return New("Initialized", true) with { Reason = "PodCompleted" };
        }

        if (status.ContainerStatuses.Any(s => s.State?.Running is not null || s.LastState?.Terminated is not null || s.State?.Terminated is not null))
        {
            return New("Initialized", true);
        }

        List<string> incomplete = [], unknown = [];
        foreach (Container c in inputs.Pod.Spec.InitContainers)
        {
            ContainerStatus? s = status.InitContainerStatuses.FirstOrDefault(x => x.Name == c.Name);
            if (s is null)
            {
                unknown.Add(c.Name);
            }
            else if (c.RestartPolicy == "Always" ? s.Started != true : !s.Ready)
            {
                incomplete.Add(c.Name);
            }
        }

        return incomplete.Count + unknown.Count == 0
            ? New("Initialized", true)
            : New("Initialized", false) with { Reason = "ContainersNotInitialized", Message = Message("incomplete", incomplete, unknown) };
    }

    private static PodCondition ContainersReady(Pod pod, PodStatus status)
    {
        const string type = "ContainersReady";
        if (status.Phase is "Succeeded" or "Failed")
        {
            return New(type, false) with { Reason = status.Phase == "Succeeded" ? "PodCompleted" : "PodFailed" };
        }

        List<string> unready = [], unknown = [];
        foreach (Container c in pod.Spec.InitContainers.Where(c => c.RestartPolicy == "Always").Concat(pod.Spec.Containers))
        {
            ContainerStatus? s = status.ContainerStatuses.Concat(status.InitContainerStatuses).FirstOrDefault(x => x.Name == c.Name);
            if (s is null)
            {
                unknown.Add(c.Name);
            }
            else if (!s.Ready)
            {
                unready.Add(c.Name);
            }
        }

        return unready.Count + unknown.Count == 0
            ? New(type, true)
            : New(type, false) with { Reason = "ContainersNotReady", Message = Message("unready", unready, unknown) };
    }

    private static PodCondition Ready(Pod pod, PodCondition containersReady)
    {
        if (containersReady.Status != "True")
        {
            return containersReady with { Type = "Ready" };
        }

        List<string> missing = [];
        foreach (string gate in pod.Spec.ReadinessGates.Select(g => g.ConditionType))
        {
            PodCondition? c = pod.Status.Conditions.FirstOrDefault(x => x.Type == gate);
            if (c is null)
            {
                missing.Add($"corresponding condition of pod readiness gate \"{gate}\" does not exist.");
            }
            else if (c.Status != "True")
            {
                missing.Add($"the status of pod readiness gate \"{gate}\" is not \"True\", but {c.Status}");
            }
        }

        return missing.Count == 0
            ? New("Ready", true)
            : New("Ready", false) with { Reason = "ReadinessGatesNotReady", Message = string.Join(", ", missing) };
    }

    private static string Message(string kind, List<string> listed, List<string> unknown)
    {
        List<string> parts = [];
        if (unknown.Count > 0)
        {
            parts.Add($"containers with unknown status: [{string.Join(' ', unknown)}]");
        }

        if (listed.Count > 0)
        {
            parts.Add($"containers with {kind} status: [{string.Join(' ', listed)}]");
        }

        return string.Join(", ", parts);
    }

    private static PodCondition New(string type, bool value) => new() { Type = type, Status = value ? "True" : "False" };
}
