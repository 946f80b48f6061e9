using NodeAgent.Kubelet.Eviction;
using NodeAgent.Kubelet.Nodes;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Composition;

/// <summary>Ends pods for the node's own reasons and waits for it. Source: killPodNow in pkg/kubelet/pod_workers.go.</summary>
internal sealed class PodEnder(Func<PodWorkers> workers, StatusManager statuses, IPodEventRecorder events, TimeProvider time)
{
    private static readonly TimeSpan ShortestWait = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    /// <summary>Returns when nothing of the pod runs, or its time is over: then its end goes on by itself.</summary>
    public async Task EndAsync(Pod pod, PodKill kill, PodCondition? condition, CancellationToken cancellationToken)
    {
        if (condition is not null)
        {
            PodStatus status = statuses.StatusOf(pod);
            statuses.Set(pod, status with { Conditions = [.. status.Conditions.Where(c => c.Type != condition.Type), condition with { LastTransitionTime = time.GetUtcNow() }] });
        }

        workers().Kill(pod.Uid, kill);
        TimeSpan wait = 1.5 * (kill.Grace ?? TimeSpan.FromSeconds(pod.Spec.TerminationGracePeriodSeconds ?? 30));
        wait = wait > ShortestWait ? wait : ShortestWait;
        long from = time.GetTimestamp();
        while (workers().CouldHaveRunningContainers(pod.Uid))
        {
            if (time.GetElapsedTime(from) >= wait)
            {
                events.Record(pod, null, "Warning", "ExceededGracePeriod", "Container runtime did not kill the pod within specified grace period.");
                return;
            }

            await Task.Delay(Poll, time, cancellationToken);
        }
    }
}

/// <summary>How the eviction manager acts on this node.</summary>
internal sealed class EvictionActions(
    Func<IReadOnlyList<Pod>> active, Func<PodWorkers> workers, PodEnder ender, IPodEventRecorder podEvents, NodeEvents nodeEvents, Func<NodeGarbage> garbage) : IEvictionActions
{
    private static readonly double[] AgeBuckets = [.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10];
    private CounterFamily? _evictions;
    private HistogramFamily? _ages;

    public IReadOnlyList<Pod> ActivePods => active();

    public void Register(MetricsRegistry metrics)
    {
        _evictions = metrics.Counter("kubelet_evictions", "Cumulative number of pod evictions by eviction signal", "eviction_signal");
        _ages = metrics.Histogram("kubelet_eviction_stats_age_seconds", "Time between when stats are collected, and when pod is evicted based on those stats by eviction signal", AgeBuckets, "eviction_signal");
    }

    public Task EvictAsync(Pod pod, PodEviction eviction, CancellationToken cancellationToken)
    {
        podEvents.RecordAnnotated(pod, "Warning", PodEviction.Reason, eviction.Message, eviction.Annotations);
        PodCondition? condition = eviction.IsDisruption ? new PodCondition
        {
            Type = "DisruptionTarget",
            Status = "True",
            Reason = "TerminationByKubelet",
            Message = eviction.Message,
            ObservedGeneration = pod.Metadata.Generation,
        } : null;
        return ender.EndAsync(pod, new PodKill(PodEviction.Reason, eviction.Message, eviction.Grace) { Evicts = true }, condition, cancellationToken);
    }

    public bool IsCleanedUp(PodUid uid) => workers().StateOf(uid) is null or { Phase: PodWorkPhase.Finished };

    public Task RemoveDeadContainersAsync(CancellationToken cancellationToken) => garbage().RemoveDeadAsync(cancellationToken);

    public Task RemoveUnusedImagesAsync(CancellationToken cancellationToken) => garbage().RemoveUnusedImagesAsync(cancellationToken);

    public void Attempting(string resource) => nodeEvents.Record("Warning", "EvictionThresholdMet", $"Attempting to reclaim {resource}");

    public void Count(string signal, TimeSpan? age)
    {
        _evictions?.With(signal).Increment();
        if (age is { } known)
        {
            _ages?.With(signal).Observe(known.TotalSeconds);
        }
    }
}
