using System.Globalization;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Status;

/// <summary>Which of two objects of one pod is the newer. Pure. Source: KEP-5504, comparable resource versions.</summary>
internal static class PodVersion
{
    /// <summary>The newer one; the first where that cannot be told or they are of different pods.</summary>
    public static Pod Newer(Pod pod, Pod? other) =>
        other is not null && other.Uid == pod.Uid && Number(other) is { } a && Number(pod) is { } b && a > b ? other : pod;

    private static ulong? Number(Pod pod) =>
        ulong.TryParse(pod.Metadata.ResourceVersion, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) ? number : null;
}
