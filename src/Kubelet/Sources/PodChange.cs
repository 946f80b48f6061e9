using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Sources;

/// <summary>Decides what a new version of a pod object means. Pure. Source: pkg/kubelet/config/config.go.</summary>
internal static class PodChange
{
    private static readonly string[] LocalAnnotations =
        [PodIdentityExtensions.ConfigSourceAnnotation, PodIdentityExtensions.ConfigSeenAnnotation];

    /// <summary>Classifies the step from the version known to the version delivered (same UID).</summary>
    public static PodUpdateKind Classify(Pod known, Pod delivered)
    {
        ObjectMeta a = known.Metadata, b = delivered.Metadata;
        if (b.DeletionTimestamp is not null
            && (a.DeletionTimestamp != b.DeletionTimestamp || a.DeletionGracePeriodSeconds != b.DeletionGracePeriodSeconds))
        {
            return PodUpdateKind.Delete;
        }

        return SameSpec(known, delivered) && SameMap(a.Labels, b.Labels, []) && SameMap(a.Annotations, b.Annotations, LocalAnnotations)
            ? PodUpdateKind.Reconcile
            : b.DeletionTimestamp is null ? PodUpdateKind.Update : PodUpdateKind.Delete;
    }

    /// <summary>The generation settles it where the API server counts one; else the specs are compared as they serialise.</summary>
    private static bool SameSpec(Pod a, Pod b) =>
        ReferenceEquals(a.Spec, b.Spec)
        || (a.Metadata.Generation is > 0 && a.Metadata.Generation == b.Metadata.Generation)
        || KubernetesJson.SerializeToUtf8Bytes(a.Spec).AsSpan().SequenceEqual(KubernetesJson.SerializeToUtf8Bytes(b.Spec));

    private static bool SameMap(IReadOnlyDictionary<string, string> a, IReadOnlyDictionary<string, string> b, string[] ignored) =>
        Included(a, b, ignored) && Included(b, a, ignored);

    private static bool Included(IReadOnlyDictionary<string, string> a, IReadOnlyDictionary<string, string> b, string[] ignored)
    {
        foreach ((string key, string value) in a)
        {
            if (!ignored.Contains(key) && (!b.TryGetValue(key, out string? other) || other != value))
            {
                return false;
            }
        }

        return true;
    }
}
