using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Status;

/// <summary>
/// A pod all of whose containers are removed and run again because one exited as a rule says (RestartAllContainers). Pure.
/// Source: pkg/kubelet/container/helpers.go, pkg/kubelet/status/generate.go; KEP-5532.
/// </summary>
internal static class AllContainersRestart
{
    /// <summary>The condition; only pods with such a rule have it.</summary>
    public const string Condition = "AllContainersRestarting";

    /// <summary>Why a container waits, and how it ended, that was removed for it.</summary>
    public const string Reason = "RestartingAllContainers";

    /// <summary>Text of both.</summary>
    public const string Removed = "The container is removed because RestartAllContainers in place";

    /// <summary>Begun and perhaps not ended: the condition says so, or a container has exited so.</summary>
    public static bool IsUnderWay(Pod pod, RuntimePodStatus runtime, PodStatus previous) =>
        RestartRules.MayRestartAll(pod)
        && (IsTrue(previous)
            || Containers(pod).Any(c => runtime.Find(c.Name) is { State: RuntimeContainerState.Exited } s && RestartRules.RestartsAll(c, s.ExitCode)));

    /// <summary>Whether the condition holds: containers are still to be removed.</summary>
    public static bool IsTrue(PodStatus status) => status.Conditions.Any(c => c is { Type: Condition, Status: "True" });

    /// <summary>The condition, or null for a pod without such a rule.</summary>
    public static PodCondition? ConditionOf(PodStatusInputs inputs, string phase)
    {
        if (!RestartRules.MayRestartAll(inputs.Pod))
        {
            return null;
        }

        var no = new PodCondition { Type = Condition, Status = "False" };
        if (phase is "Succeeded" or "Failed")
        {
            return no with { Reason = phase == "Succeeded" ? "PodCompleted" : "PodFailed" };
        }

        bool cleanedUp = Containers(inputs.Pod).All(c => inputs.Runtime.Find(c.Name) is null);
        return cleanedUp || !IsUnderWay(inputs.Pod, inputs.Runtime, inputs.Previous) ? no
            : no with { Status = "True", Reason = "RestartAllContainersStarted", Message = "container exited with restart policy rule" };
    }

    private static IEnumerable<Container> Containers(Pod pod) => pod.Spec.InitContainers.Concat(pod.Spec.Containers);
}
