using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>What a pod's spec says about its volumes. Pure.</summary>
internal static class VolumeFacts
{
    /// <summary>Volumes that a container mounts; upstream leaves others alone. Source: desired_state_of_world_populator.go.</summary>
    public static IEnumerable<Volume> Used(Pod pod)
    {
        HashSet<string> names = new(StringComparer.Ordinal);
        foreach ((IReadOnlyList<VolumeMount> mounts, IReadOnlyList<VolumeDevice> devices) in Mounting(pod))
        {
            names.UnionWith(mounts.Select(m => m.Name));
            names.UnionWith(devices.Select(d => d.Name));
        }

        return pod.Spec.Volumes.Where(v => names.Contains(v.Name));
    }

    /// <summary>The user that all containers share, or null. Source: pkg/volume/util/util.go, FsUserFrom.</summary>
    public static uint? SharedUser(Pod pod)
    {
        long? shared = null;
        IEnumerable<SecurityContext?> contexts = pod.Spec.InitContainers.Concat(pod.Spec.Containers).Select(c => c.SecurityContext)
            .Concat(pod.Spec.EphemeralContainers.Select(c => c.SecurityContext));
        foreach (SecurityContext? context in contexts)
        {
            long? user = context?.RunAsUser ?? pod.Spec.SecurityContext?.RunAsUser;
            if (user is null || (shared is not null && shared != user))
            {
                return null;
            }

            shared = user;
        }

        return shared is { } uid ? checked((uint)uid) : null;
    }

    /// <summary>
    /// Folders that must exist in a volume because another volume is mounted inside it, relative, no folder below another.
    /// Source: pkg/volume/util/nested_volumes.go.
    /// </summary>
    public static IReadOnlyList<string> NestedMountPoints(Pod pod, string volume)
    {
        List<string> found = [];
        foreach ((IReadOnlyList<VolumeMount> mounts, _) in Mounting(pod))
        {
            foreach (string root in mounts.Where(m => m.Name == volume && string.IsNullOrEmpty(m.SubPath) && string.IsNullOrEmpty(m.SubPathExpr)).Select(m => Clean(m.MountPath)))
            {
                found.AddRange(mounts.Where(m => m.Name != volume).Select(m => Clean(m.MountPath))
                    .Where(p => p.StartsWith(root + "/", StringComparison.Ordinal)).Select(p => p[(root.Length + 1)..]));
            }
        }

        found.Sort(StringComparer.Ordinal);
        List<string> tops = [];
        foreach (string path in found)
        {
            if (!tops.Any(t => path == t || path.StartsWith(t + "/", StringComparison.Ordinal)))
            {
                tops.Add(path);
            }
        }

        return tops;
    }

    /// <summary>
    /// The size of a memory-backed volume: the least of the node's allocatable memory, the pod's memory limit and sizeLimit; null
    /// where none is known. Source: pkg/volume/emptydir/empty_dir.go.
    /// </summary>
    public static long? MemorySize(Pod pod, Quantity? sizeLimit, IReadOnlyDictionary<string, Quantity> allocatable)
    {
        long? size = allocatable.TryGetValue("memory", out Quantity node) && !node.IsZero ? node.Value() : null;
        foreach (long? bound in (ReadOnlySpan<long?>)[PodMemoryLimit(pod), sizeLimit?.Value()])
        {
            size = bound is > 0 && (size is null || bound <= size) ? bound : size;
        }

        return size;
    }

    /// <summary>The pod's memory limit where it has one: that of the pod, else the containers' where each has its own.</summary>
    public static long? PodMemoryLimit(Pod pod)
    {
        if (pod.Spec.Resources?.Limits.TryGetValue("memory", out Quantity whole) == true && !whole.IsZero)
        {
            return whole.Value();
        }

        long sidecars = 0, starting = 0, running = 0;
        foreach (Container c in pod.Spec.InitContainers)
        {
            if (Limit(c) is not { } limit)
            {
                return null;
            }

            sidecars += c.RestartPolicy == "Always" ? limit : 0;
            starting = Math.Max(starting, c.RestartPolicy == "Always" ? sidecars : sidecars + limit);
        }

        foreach (Container c in pod.Spec.Containers)
        {
            if (Limit(c) is not { } limit)
            {
                return null;
            }

            running += limit;
        }

        return Math.Max(running + sidecars, starting) + (pod.Spec.Overhead.TryGetValue("memory", out Quantity overhead) ? overhead.Value() : 0);

        static long? Limit(Container c) => c.Resources?.Limits.TryGetValue("memory", out Quantity q) == true && !q.IsZero ? q.Value() : null;
    }

    private static IEnumerable<(IReadOnlyList<VolumeMount> Mounts, IReadOnlyList<VolumeDevice> Devices)> Mounting(Pod pod)
        => pod.Spec.InitContainers.Concat(pod.Spec.Containers).Select(c => (c.VolumeMounts, c.VolumeDevices))
            .Concat(pod.Spec.EphemeralContainers.Select(c => (c.VolumeMounts, c.VolumeDevices)));

    private static string Clean(string path) => "/" + string.Join('/', path.Split('/').Where(s => s is not ("" or "." or "..")));
}
