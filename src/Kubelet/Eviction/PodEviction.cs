using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Eviction;

/// <summary>The end of a pod, and what users are told of it. Texts are upstream's. Source: pkg/kubelet/eviction/helpers.go.</summary>
/// <param name="Signal">What it is counted under.</param>
/// <param name="Message">status.message and the event's.</param>
/// <param name="Grace">Time it gets.</param>
public sealed record PodEviction(string Signal, string Message, TimeSpan Grace)
{
    /// <summary>status.reason and the event's.</summary>
    public const string Reason = "Evicted";

    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(1);

    /// <summary>The event's annotations.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>();

    /// <summary>True where the pod pays for the node's want: it gets the condition DisruptionTarget.</summary>
    public bool IsDisruption { get; init; }

    /// <summary>For want of something on the node.</summary>
    /// <param name="threshold">What is acted on.</param>
    /// <param name="pod">The pod.</param>
    /// <param name="use">What it uses; null: not known.</param>
    /// <param name="due">All thresholds that are met for long enough, in order.</param>
    /// <param name="signals">As seen.</param>
    /// <param name="grace">Time it gets.</param>
    public static PodEviction ForWant(
        EvictionThreshold threshold, Pod pod, PodUse? use, IEnumerable<EvictionThreshold> due, IReadOnlyDictionary<string, EvictionSignal> signals, TimeSpan grace)
    {
        string resource = EvictionSignals.ResourceOf(threshold.Signal);
        string message = $"The node was low on resource: {resource}. ";
        if (due.FirstOrDefault(t => EvictionSignals.ResourceOf(t.Signal) == resource && signals.ContainsKey(t.Signal)) is { } first)
        {
            EvictionSignal seen = signals[first.Signal];
            message += $"Threshold quantity: {first.Value.Quantity(seen.Capacity)}, available: {Quantity.FromValue(seen.Available, EvictionSignals.FormatOf(first.Signal))}. ";
        }

        if (use is null)
        {
            return new PodEviction(threshold.Signal, message, grace) { IsDisruption = true };
        }

        Dictionary<string, string> annotations = [];
        if (resource == PodResources.Memory && PodResources.Amount(pod.Spec.Resources?.Requests, resource) is { } request && use.Memory is { } memory)
        {
            string used = Bytes(memory);
            message += $"Pod {pod.Metadata.Name} was using {used}, request is {request}, has larger consumption of {resource}. ";
            (annotations["offending_pod"], annotations["offending_pod_usage"]) = (pod.Metadata.Name ?? "", used);
        }

        (string Name, string Used, Quantity Request)[] greedy = [.. Greedy(pod, use, resource)];
        message += string.Concat(greedy.Select(g => $"Container {g.Name} was using {g.Used}, request is {g.Request}, has larger consumption of {resource}. "));
        annotations["offending_containers"] = string.Join(',', greedy.Select(g => g.Name));
        annotations["offending_containers_usage"] = string.Join(',', greedy.Select(g => g.Used));
        annotations["starved_resource"] = resource;
        return new PodEviction(threshold.Signal, message, grace) { IsDisruption = true, Annotations = annotations };
    }

    /// <summary>For a limit of its own on local storage; null while it keeps to all of them.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="use">What it uses of disks.</param>
    /// <param name="layout">Containers' own layers count where they share the root directory's disk.</param>
    public static PodEviction? ForLimit(Pod pod, PodUse use, DiskLayout layout)
    {
        foreach (Volume volume in pod.Spec.Volumes)
        {
            if (volume.EmptyDir?.SizeLimit is { Sign: > 0 } limit && use.Volumes.TryGetValue(volume.Name, out DiskUse used) && used.Bytes > limit.Value())
            {
                return new PodEviction("emptydirfs.limit", $"Usage of EmptyDir volume \"{volume.Name}\" exceeds the limit \"{limit}\". ", AtOnce);
            }
        }

        if (PodResources.Amount(PodResources.Limits(pod), PodResources.EphemeralStorage) is { } total && use.Ephemeral.Bytes > total.Value())
        {
            return new PodEviction("ephemeralpodfs.limit", $"Pod ephemeral local storage usage exceeds the total limit of containers {total}. ", AtOnce);
        }

        foreach (ContainerUse container in use.Containers)
        {
            Quantity? limit = PodResources.Amount(pod.Spec.Containers.FirstOrDefault(c => c.Name == container.Name)?.Resources?.Limits, PodResources.EphemeralStorage);
            long used = (container.Logs?.Bytes ?? 0) + (layout == DiskLayout.One ? container.RootFs?.Bytes ?? 0 : 0);
            if (limit is { IsZero: false } most && used > most.Value())
            {
                return new PodEviction("ephemeralcontainerfs.limit", $"Container {container.Name} exceeded its local ephemeral storage limit \"{most}\". ", AtOnce);
            }
        }

        return null;
    }

    /// <summary>True where the pod has any limit that <see cref="ForLimit"/> looks at: only then its disks need to be measured.</summary>
    public static bool HasLimit(Pod pod) =>
        pod.Spec.Volumes.Any(v => v.EmptyDir is { SizeLimit.Sign: > 0 } e && string.IsNullOrEmpty(e.Medium))
        || PodResources.AllContainers(pod).Any(c => PodResources.Amount(c.Resources?.Limits, PodResources.EphemeralStorage) is not null);

    private static IEnumerable<(string Name, string Used, Quantity Request)> Greedy(Pod pod, PodUse use, string resource)
    {
        foreach (ContainerUse container in use.Containers)
        {
            if (pod.Spec.Containers.Concat(pod.Spec.InitContainers).FirstOrDefault(c => c.Name == container.Name) is not { } spec)
            {
                continue;
            }

            Quantity request = PodResources.Amount(spec.Resources?.Requests, resource) ?? Quantity.Zero;
            long? used = resource switch
            {
                PodResources.Memory => container.Memory,
                PodResources.EphemeralStorage => container.RootFs?.Bytes + container.Logs?.Bytes,
                _ => null,
            };
            if (used is { } bytes && bytes > request.Value())
            {
                yield return (container.Name, Bytes(bytes), request);
            }
        }
    }

    private static string Bytes(long bytes) => Quantity.FromValue(bytes, QuantityFormat.BinarySI).ToString();
}
