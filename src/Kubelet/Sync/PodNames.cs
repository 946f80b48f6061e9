using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sync;

/// <summary>Names of containers, which name files and tell statuses apart: the API server vouches for them, and is not to be relied on for that. Pure.</summary>
internal static class PodNames
{
    /// <summary>What is wrong with the first name that cannot be used, and the remedy; null where all can.</summary>
    public static string? Wrong(Pod pod)
    {
        var seen = new HashSet<string>();
        foreach ((string field, string name) in Names(pod))
        {
            if (!Segments.IsSafe(name))
            {
                return $"{field} \"{name}\" cannot name a container; use lower-case letters, digits and '-'";
            }

            if (!seen.Add(name))
            {
                return $"{field} \"{name}\" is used twice; give each container of the pod a name of its own";
            }
        }

        return null;
    }

    private static IEnumerable<(string Field, string Name)> Names(Pod pod) =>
        pod.Spec.InitContainers.Select((c, i) => ($"spec.initContainers[{i}].name", c.Name ?? ""))
            .Concat(pod.Spec.Containers.Select((c, i) => ($"spec.containers[{i}].name", c.Name ?? "")))
            .Concat(pod.Spec.EphemeralContainers.Select((c, i) => ($"spec.ephemeralContainers[{i}].name", c.Name ?? "")));
}
