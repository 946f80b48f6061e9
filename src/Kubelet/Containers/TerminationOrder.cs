using System.Collections.Immutable;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Containers;

/// <summary>
/// In which order a pod's containers end: everything that is no sidecar at once, then the sidecars, the one that started last first.
/// Pure. Source: KEP-753, pkg/kubelet/kuberuntime/kuberuntime_termination_order.go.
/// </summary>
internal static class TerminationOrder
{
    /// <summary>Waves: each container's stop waits until all of the waves before it have ended (its preStop hook does not wait).</summary>
    /// <param name="pod">The pod; null where only the runtime knows it, then all end at once.</param>
    /// <param name="containers">What the runtime shows; what neither runs nor may run is left out.</param>
    public static ImmutableArray<ImmutableArray<RuntimeContainerStatus>> Compute(Pod? pod, IEnumerable<RuntimeContainerStatus> containers)
    {
        Dictionary<string, int> started = [];
        foreach (Container c in pod?.Spec.InitContainers ?? [])
        {
            if (c.RestartPolicy == "Always" && c.Name is { } name)
            {
                started[name] = started.Count;
            }
        }

        return
        [
            .. containers
                .Where(c => c.State is RuntimeContainerState.Running or RuntimeContainerState.Unknown)
                .GroupBy(c => started.TryGetValue(c.Name, out int place) ? place : int.MaxValue)
                .OrderByDescending(wave => wave.Key)
                .Select(wave => wave.ToImmutableArray()),
        ];
    }
}
