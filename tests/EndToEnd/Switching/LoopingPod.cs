using NodeAgent.Cri.V1;
using NodeAgent.Harness.Cluster;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.EndToEnd.Switching;

/// <summary>The pod that is started again and again: what may not be forgotten of it when the node changes hands.</summary>
/// <param name="Restarts">How often it had been restarted.</param>
/// <param name="Attempt">The runtime's newest attempt.</param>
internal sealed record LoopingPod(int Restarts, uint Attempt)
{
    // No wait is shorter after the first restart, so one that was forgotten shows as a gap of almost nothing. A runtime's clock is the host's.
    private static readonly TimeSpan ShortestWait = TimeSpan.FromSeconds(9.5);

    /// <summary>What is so now.</summary>
    internal static async Task<LoopingPod> OfAsync(NodeCluster cluster, Workloads work)
    {
        Pod pod = await work.GetPodAsync(SwitchShape.Looping);
        return new LoopingPod(pod.Status.ContainerStatuses.Single().RestartCount, (await AttemptsAsync(cluster, pod))[^1].Metadata.Attempt);
    }

    /// <summary>What was forgotten since.</summary>
    /// <param name="cluster">The node.</param>
    /// <param name="work">The namespace.</param>
    /// <param name="waitsOn">Whether the kubelet knows how long the pod has waited before. Go's does not: it starts it at once when it has been started itself.</param>
    internal async Task<IReadOnlyList<string>> ForgottenAsync(NodeCluster cluster, Workloads work, bool waitsOn)
    {
        Pod pod = await work.GetPodAsync(SwitchShape.Looping);
        List<string> wrong = [];
        if (pod.Status.ContainerStatuses.Single() is var main && (main.RestartCount < Restarts || main.LastState?.Terminated is null))
        {
            wrong.Add($"{Restarts} restarts before: {Workloads.Describe(pod)}, last ended: {main.LastState?.Terminated?.FinishedAt}");
        }

        IReadOnlyList<ContainerStatus> attempts = await AttemptsAsync(cluster, pod);
        foreach ((ContainerStatus earlier, ContainerStatus later) in attempts.Zip(attempts.Skip(1)).Where(pair => pair.Second.Metadata.Attempt > Attempt))
        {
            TimeSpan waited = TimeSpan.FromMicroseconds((later.CreatedAt - earlier.FinishedAt) / 1000);
            if (later.Metadata.Attempt != earlier.Metadata.Attempt + 1) wrong.Add($"attempt {later.Metadata.Attempt} after {earlier.Metadata.Attempt}");
            if (waitsOn && waited < ShortestWait) wrong.Add($"attempt {later.Metadata.Attempt} was made {waited} after the one before had ended");
        }
        return wrong;
    }

    // Oldest first.
    private static async Task<IReadOnlyList<ContainerStatus>> AttemptsAsync(NodeCluster cluster, Pod pod)
    {
        IEnumerable<Container> all = (await cluster.Runtime.Runtime.ListContainersAsync(new ListContainersRequest(), CancellationToken.None)).Containers
            .Where(container => container.Labels.GetValueOrDefault("io.kubernetes.pod.uid") == pod.Metadata.Uid);
        List<ContainerStatus> attempts = [];
        foreach (Container container in all)
        {
            attempts.Add((await cluster.Runtime.Runtime.ContainerStatusAsync(new ContainerStatusRequest { ContainerId = container.Id }, CancellationToken.None)).Status);
        }
        return [.. attempts.OrderBy(status => status.Metadata.Attempt)];
    }
}
