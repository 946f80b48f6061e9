using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sources;

/// <summary>Where pods come from.</summary>
public enum PodSourceKind
{
    /// <summary>Watch on the API server.</summary>
    Api,
    /// <summary>Static files.</summary>
    File,
    /// <summary>A URL.</summary>
    Http,
}

/// <summary>What changed for a pod. Source: pkg/kubelet/types/pod_update.go.</summary>
public enum PodUpdateKind
{
    /// <summary>First seen.</summary>
    Add,
    /// <summary>Spec, labels or annotations differ.</summary>
    Update,
    /// <summary>A deletion timestamp or a shorter grace period arrived: stop it gracefully.</summary>
    Delete,
    /// <summary>Gone from its source.</summary>
    Remove,
    /// <summary>Only the status differs from what was delivered before.</summary>
    Reconcile,
}

/// <summary>One change of the desired state.</summary>
/// <param name="Kind">What changed.</param>
/// <param name="Pod">The newest object; for <see cref="PodUpdateKind.Remove"/> the last known.</param>
public sealed record PodUpdate(PodUpdateKind Kind, Pod Pod);

/// <summary>Takes what sources deliver.</summary>
public interface IPodSourceSink
{
    /// <summary>The source's whole set; pods absent from it are removed. Marks the source as ready.</summary>
    void Replace(PodSourceKind source, IReadOnlyCollection<Pod> pods);

    /// <summary>One pod came or changed.</summary>
    void Upsert(PodSourceKind source, Pod pod);

    /// <summary>One pod is gone.</summary>
    void Remove(PodSourceKind source, Pod pod);

    /// <summary>The source has delivered all it had at its start.</summary>
    void MarkReady(PodSourceKind source);
}

/// <summary>A source of pods; runs until cancelled.</summary>
public interface IPodSource
{
    /// <summary>Which one.</summary>
    PodSourceKind Kind { get; }

    /// <summary>Delivers to the sink until cancelled; throws only where the agent cannot go on.</summary>
    Task RunAsync(IPodSourceSink sink, CancellationToken cancellationToken);
}
