using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sources;

/// <summary>
/// Makes one stream of updates of what the sources deliver and remembers the desired pods. A source is ready once it has
/// delivered; nothing may be cleaned up before all are. Source: pkg/kubelet/config/config.go (podStorage).
/// </summary>
/// <param name="sources">The sources that will deliver.</param>
/// <param name="publish">Receives each update in order; called under the merger's lock, so it must only enqueue.</param>
/// <param name="duplicateName">Told of a pod dropped because its source already has another of that namespace and name.</param>
public sealed class PodSourceMerger(IReadOnlyCollection<PodSourceKind> sources, Action<PodUpdate> publish, Action<Pod> duplicateName) : IPodSourceSink
{
    private readonly Lock _lock = new();
    private readonly Dictionary<PodSourceKind, Dictionary<PodUid, Pod>> _pods = sources.ToDictionary(s => s, _ => new Dictionary<PodUid, Pod>());
    private readonly HashSet<PodSourceKind> _ready = [];
    private readonly TaskCompletionSource _allReady = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>True once every source has delivered at least once.</summary>
    public bool AllReady => _allReady.Task.IsCompleted;

    /// <summary>Completes once every source has delivered at least once.</summary>
    public Task WhenAllReady => _allReady.Task;

    /// <inheritdoc/>
    public void Replace(PodSourceKind source, IReadOnlyCollection<Pod> pods)
    {
        lock (_lock)
        {
            var delivered = pods.Select(p => p.Uid).ToHashSet();
            foreach (Pod gone in _pods[source].Values.Where(p => !delivered.Contains(p.Uid)).ToList())
            {
                RemoveLocked(source, gone);
            }

            foreach (Pod pod in pods)
            {
                UpsertLocked(source, pod);
            }
        }

        MarkReady(source);
    }

    /// <inheritdoc/>
    public void Upsert(PodSourceKind source, Pod pod)
    {
        lock (_lock)
        {
            UpsertLocked(source, pod);
        }
    }

    /// <inheritdoc/>
    public void Remove(PodSourceKind source, Pod pod)
    {
        lock (_lock)
        {
            RemoveLocked(source, pod);
        }
    }

    /// <inheritdoc/>
    public void MarkReady(PodSourceKind source)
    {
        lock (_lock)
        {
            _ready.Add(source);
            if (_ready.Count == _pods.Count)
            {
                _allReady.TrySetResult();
            }
        }
    }

    private void UpsertLocked(PodSourceKind source, Pod pod)
    {
        Dictionary<PodUid, Pod> known = _pods[source];
        if (known.TryGetValue(pod.Uid, out Pod? before))
        {
            if (ReferenceEquals(before, pod))
            {
                return; // a source looked again and found what it had found before
            }

            known[pod.Uid] = pod;
            publish(new PodUpdate(PodChange.Classify(before, pod), pod));
            return;
        }

        // A successor may be delivered before its predecessor's removal: the API server names are unique, files may repeat.
        if (source != PodSourceKind.Api
            && known.Values.Any(p => p.Metadata.Name == pod.Metadata.Name && p.Metadata.Namespace == pod.Metadata.Namespace))
        {
            duplicateName(pod);
            return;
        }

        known.Add(pod.Uid, pod);
        publish(new PodUpdate(PodUpdateKind.Add, pod));
    }

    private void RemoveLocked(PodSourceKind source, Pod pod)
    {
        if (_pods[source].Remove(pod.Uid, out Pod? last))
        {
            publish(new PodUpdate(PodUpdateKind.Remove, pod.Metadata.DeletionTimestamp is null ? last : pod));
        }
    }
}
