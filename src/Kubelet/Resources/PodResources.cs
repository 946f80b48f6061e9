using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Resources;

/// <summary>
/// What a pod asks for in all. Pure. Source: component-helpers/resource/helpers.go and KEP-753 (sidecars), KEP-2837 (pod level).
/// </summary>
public static class PodResources
{
    /// <summary>cpu.</summary>
    public const string Cpu = "cpu";
    /// <summary>memory.</summary>
    public const string Memory = "memory";
    /// <summary>ephemeral-storage.</summary>
    public const string EphemeralStorage = "ephemeral-storage";
    /// <summary>pods.</summary>
    public const string Pods = "pods";
    /// <summary>Beginning of hugepages-2Mi and the like.</summary>
    public const string HugePagesPrefix = "hugepages-";

    private static readonly Dictionary<string, Quantity> Nothing = [];

    /// <summary>Requests of the whole pod: main containers and sidecars, or the peak while init containers run; pod-level values win; overhead added.</summary>
    public static IReadOnlyDictionary<string, Quantity> Requests(Pod pod, bool includeOverhead = true)
    {
        Dictionary<string, Quantity> sum = Aggregate(pod, c => c.Resources?.Requests ?? Nothing);
        Override(sum, pod.Spec.Resources?.Requests);
        if (includeOverhead)
        {
            Add(sum, pod.Spec.Overhead);
        }

        return sum;
    }

    /// <summary>Limits of the whole pod, as <see cref="Requests"/>; overhead is added only to limits that are there.</summary>
    public static IReadOnlyDictionary<string, Quantity> Limits(Pod pod, bool includeOverhead = true)
    {
        Dictionary<string, Quantity> sum = Aggregate(pod, c => c.Resources?.Limits ?? Nothing);
        Override(sum, pod.Spec.Resources?.Limits);
        if (includeOverhead)
        {
            foreach ((string name, Quantity overhead) in pod.Spec.Overhead)
            {
                if (sum.TryGetValue(name, out Quantity limit) && !limit.IsZero)
                {
                    sum[name] = limit + overhead;
                }
            }
        }

        return sum;
    }

    /// <summary>True where every container (or, failing that, the pod as a whole) has a limit for the resource.</summary>
    public static bool IsLimited(Pod pod, string resource) =>
        Amount(pod.Spec.Resources?.Limits, resource) is { IsZero: false }
        || AllContainers(pod).All(c => Amount(c.Resources?.Limits, resource) is { IsZero: false });

    /// <summary>True where the pod has requests or limits as a whole.</summary>
    public static bool IsPodLevelSet(Pod pod) => IsPodLevelSet(pod.Spec.Resources?.Requests) || IsPodLevelSet(pod.Spec.Resources?.Limits);

    /// <summary>True where one of the list's resources may be given for the pod as a whole.</summary>
    public static bool IsPodLevelSet(IReadOnlyDictionary<string, Quantity>? list) => list is not null && list.Keys.Any(IsPodLevelResource);

    /// <summary>What a container gets: its own resources, with the pod's limits of CPU and memory where it has none of its own.</summary>
    /// <param name="podLevel">spec.resources.</param>
    /// <param name="own">The container's.</param>
    public static ResourceRequirements OfContainer(ResourceRequirements? podLevel, ResourceRequirements? own)
    {
        own ??= ResourceRequirements.Empty;
        Dictionary<string, Quantity>? limits = null;
        foreach (string name in (ReadOnlySpan<string>)[Cpu, Memory])
        {
            if (Amount(podLevel?.Limits, name) is { IsZero: false } shared && Amount(own.Limits, name) is null or { IsZero: true })
            {
                limits ??= own.Limits.ToDictionary();
                limits[name] = shared;
            }
        }

        return limits is null ? own : own with { Limits = limits };
    }

    /// <summary>Sum or peak of the containers' own requests; what the pod has as a whole and its overhead do not count.</summary>
    public static IReadOnlyDictionary<string, Quantity> OfContainersRequests(Pod pod) => Aggregate(pod, c => c.Resources?.Requests ?? Nothing);

    /// <summary>Likewise limits.</summary>
    public static IReadOnlyDictionary<string, Quantity> OfContainersLimits(Pod pod) => Aggregate(pod, c => c.Resources?.Limits ?? Nothing);

    /// <summary>True where the resource may be given for the pod as a whole.</summary>
    public static bool IsPodLevelResource(string name) => name is Cpu or Memory || name.StartsWith(HugePagesPrefix, StringComparison.Ordinal);

    /// <summary>A resource's amount, or null where it is not given.</summary>
    public static Quantity? Amount(IReadOnlyDictionary<string, Quantity>? list, string name) =>
        list is not null && list.TryGetValue(name, out Quantity value) ? value : null;

    internal static IEnumerable<Container> AllContainers(Pod pod) => pod.Spec.InitContainers.Concat(pod.Spec.Containers);

    internal static void Add(Dictionary<string, Quantity> sum, IReadOnlyDictionary<string, Quantity> more)
    {
        foreach ((string name, Quantity value) in more)
        {
            sum[name] = sum.TryGetValue(name, out Quantity before) ? before + value : value;
        }
    }

    private static Dictionary<string, Quantity> Aggregate(Pod pod, Func<Container, IReadOnlyDictionary<string, Quantity>> of)
    {
        Dictionary<string, Quantity> running = [], sidecars = [], peak = [];
        foreach (Container container in pod.Spec.Containers)
        {
            Add(running, of(container));
        }

        foreach (Container container in pod.Spec.InitContainers)
        {
            Dictionary<string, Quantity> now;
            if (container.RestartPolicy == "Always")
            {
                Add(running, of(container));
                Add(sidecars, of(container));
                now = sidecars;
            }
            else
            {
                now = new(sidecars);
                Add(now, of(container));
            }

            Maximum(peak, now);
        }

        Maximum(running, peak);
        return running;
    }

    private static void Maximum(Dictionary<string, Quantity> into, Dictionary<string, Quantity> other)
    {
        foreach ((string name, Quantity value) in other)
        {
            if (!into.TryGetValue(name, out Quantity before) || value > before)
            {
                into[name] = value;
            }
        }
    }

    private static void Override(Dictionary<string, Quantity> sum, IReadOnlyDictionary<string, Quantity>? podLevel)
    {
        foreach ((string name, Quantity value) in podLevel ?? Nothing)
        {
            if (IsPodLevelResource(name))
            {
                sum[name] = value;
            }
        }
    }
}
