using NodeAgent.Kubernetes.Events;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Pods;

/// <summary>Records events with the field path of the container they are about.</summary>
public sealed class PodEventRecorder(IEventRecorder recorder) : IPodEventRecorder
{
    /// <inheritdoc/>
    public void Record(Pod pod, string? containerName, string type, string reason, string message) =>
        recorder.Record(Reference(pod, containerName), type, reason, message);

    /// <inheritdoc/>
    public void RecordAnnotated(Pod pod, string type, string reason, string message, IReadOnlyDictionary<string, string> annotations) =>
        recorder.RecordAnnotated(Reference(pod, null), type, reason, message, annotations);

    private static ObjectReference Reference(Pod pod, string? container) => new()
    {
        ApiVersion = "v1",
        Kind = "Pod",
        Namespace = pod.Metadata.Namespace,
        Name = pod.Metadata.Name,
        Uid = pod.Metadata.Uid,
        ResourceVersion = pod.Metadata.ResourceVersion,
        FieldPath = container is null ? null : FieldPath(pod, container),
    };

    private static string FieldPath(Pod pod, string container) =>
        pod.Spec.Containers.Any(c => c.Name == container) ? $"spec.containers{{{container}}}"
        : pod.Spec.InitContainers.Any(c => c.Name == container) ? $"spec.initContainers{{{container}}}"
        : $"spec.ephemeralContainers{{{container}}}";
}
