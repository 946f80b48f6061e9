using System.Threading.Channels;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet.Containers;

/// <summary>
/// Removes earlier attempts of a container as soon as a later one has ended too, and everything of an evicted pod once it has ended. What
/// fails or is missed is left to the periodic collection. Source: pkg/kubelet/pod_container_deletor.go, kubelet.go (cleanUpContainersInPod).
/// </summary>
/// <param name="collector">Removes.</param>
/// <param name="policy">How many attempts stay; one at least, which users may ask for the log of.</param>
/// <param name="status">What is known of a pod's containers.</param>
/// <param name="evicted">Whether a pod was evicted and nothing of it is left to do.</param>
public sealed class DeadContainerPruner(ContainerGarbageCollector collector, DeadContainerPolicy policy, Func<PodUid, RuntimePodStatus?> status, Func<PodUid, bool> evicted)
{
    private readonly Channel<PodUid> _asked = Channel.CreateUnbounded<PodUid>(new UnboundedChannelOptions { SingleReader = true });
    private readonly int _kept = policy.PerContainer < 0 ? int.MaxValue : Math.Max(1, policy.PerContainer);

    /// <summary>Something of the pod may have ended. Returns at once, from any thread.</summary>
    /// <returns>Whether something is to be removed.</returns>
    public bool Look(PodUid pod) => status(pod) is { } known && IsDue(known) && _asked.Writer.TryWrite(pod);

    /// <summary>Removes what <see cref="Look"/> has found, one pod after the other, until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await foreach (PodUid pod in _asked.Reader.ReadAllAsync(cancellationToken))
        {
            if (status(pod) is { } known && IsDue(known))
            {
                var kept = new DeadContainerPolicy(_kept, -1, TimeSpan.Zero);
                await collector.CollectPodAsync(new RuntimePodListing(known.Pod, known.Sandboxes, known.Containers), kept, evicted(pod), cancellationToken);
            }
        }
    }

    private bool IsDue(RuntimePodStatus pod) =>
        pod.Containers.Where(c => c.State == RuntimeContainerState.Exited).GroupBy(c => c.Name).Any(g => g.Count() > _kept)
        || ((pod.Containers.Length > 0 || pod.Sandboxes.Length > 0) && evicted(pod.Pod.Uid));
}
