using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Status;

/// <summary>The pod's phase from its containers' statuses. Pure. Source: pkg/kubelet/kubelet_pods.go (getPhase).</summary>
internal static class PodPhase
{
    public static string Compute(Pod pod, IReadOnlyList<ContainerStatus> init, IReadOnlyList<ContainerStatus> main, bool finalised)
    {
        bool mainEverStarted = main.Any(s => s.State?.Running is not null || s.State?.Terminated is not null || s.LastState?.Terminated is not null);
        (bool initFailed, bool initPending) = Init(pod, init, mainEverStarted);
        if (initFailed)
        {
            return "Failed";
        }

        int waiting = 0, running = 0, stopped = 0, succeeded = 0, unknown = 0, restartable = 0;
        foreach (Container container in pod.Spec.Containers)
        {
            ContainerStatus? status = main.FirstOrDefault(s => s.Name == container.Name);
            ContainerStateTerminated? ended = status?.State?.Terminated ?? (status?.State?.Waiting is not null ? status.LastState?.Terminated : null);
            if (status?.State?.Running is not null)
            {
                running++;
            }
            else if (ended is not null)
            {
                stopped++;
                succeeded += ended.ExitCode == 0 ? 1 : 0;
                restartable += Again(pod, container, ended) ? 1 : 0;
            }
            else if (status?.State?.Waiting is not null)
            {
                waiting++;
            }
            else
            {
                unknown++;
            }
        }

        if (initPending || waiting > 0)
        {
            return "Pending";
        }

        if (running > 0 && unknown == 0)
        {
            return "Running";
        }

        if (running == 0 && stopped > 0 && unknown == 0)
        {
            string end = stopped == succeeded ? "Succeeded" : "Failed";
            return finalised && !pod.IsStatic ? end : restartable > 0 ? "Running" : end;
        }

        return "Pending";
    }

    private static (bool Failed, bool Pending) Init(Pod pod, IReadOnlyList<ContainerStatus> statuses, bool mainEverStarted)
    {
        bool failed = false, pending = false;
        foreach (Container container in pod.Spec.InitContainers)
        {
            ContainerStatus? status = statuses.FirstOrDefault(s => s.Name == container.Name);
            if (container.RestartPolicy == "Always")
            {
                pending |= !mainEverStarted && status?.Started != true;
                continue;
            }

            ContainerStateTerminated? ended = status?.State?.Terminated ?? (status?.State?.Waiting is not null ? status.LastState?.Terminated : null);
            if (ended is { ExitCode: not 0 })
            {
                bool again = Again(pod, container, ended);
                failed |= !again;
                pending |= again && !mainEverStarted;
            }
            else
            {
                pending |= ended is null || status?.State?.Waiting is not null;
            }
        }

        return (failed, pending);
    }

    private static bool Again(Pod pod, Container container, ContainerStateTerminated ended) =>
        RestartRules.Restarts(pod, container, ended.ExitCode) || ended.Reason == AllContainersRestart.Reason;
}
