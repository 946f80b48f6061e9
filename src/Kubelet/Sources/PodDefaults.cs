using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Sources;

/// <summary>What the API server would have filled in: static pods never pass it. Pure. Source: pkg/apis/core/v1/defaults.go.</summary>
internal static class PodDefaults
{
    private const int ReadOnlyForAll = 420;

    public static Pod Apply(Pod pod)
    {
        PodSpec spec = pod.Spec;
        return PodLevel(pod with
        {
            ApiVersion = "v1",
            Kind = "Pod",
            Spec = spec with
            {
                RestartPolicy = spec.RestartPolicy ?? "Always",
                DnsPolicy = spec.DnsPolicy ?? "ClusterFirst",
                TerminationGracePeriodSeconds = spec.TerminationGracePeriodSeconds ?? 30,
                SchedulerName = spec.SchedulerName ?? "default-scheduler",
                EnableServiceLinks = spec.EnableServiceLinks ?? true,
                SecurityContext = spec.SecurityContext ?? new PodSecurityContext(),
                Containers = [.. spec.Containers.Select(c => Container(c, spec.HostNetwork == true))],
                InitContainers = [.. spec.InitContainers.Select(c => Container(c, spec.HostNetwork == true))],
                Volumes = [.. spec.Volumes.Select(Volume)],
            },
        });
    }

    /// <summary>What the pod has as a whole, filled up from its containers' resources and then from its own limits.</summary>
    private static Pod PodLevel(Pod pod)
    {
        if (pod.Spec.Resources is not { } own || own.Limits.Count + own.Requests.Count == 0)
        {
            return pod;
        }

        var limits = own.Limits.ToDictionary();
        foreach ((string name, Quantity sum) in PodResources.OfContainersLimits(pod))
        {
            if (IsHugePage(name) && !own.Requests.ContainsKey(name))
            {
                limits.TryAdd(name, sum);
            }
        }

        var requests = own.Requests.ToDictionary();
        foreach ((string name, Quantity sum) in limits.Count == 0 ? new Dictionary<string, Quantity>() : PodResources.OfContainersRequests(pod))
        {
            if (PodResources.IsPodLevelResource(name) && !IsHugePage(name))
            {
                requests.TryAdd(name, sum);
            }
        }

        foreach ((string name, Quantity limit) in limits.Where(l => PodResources.IsPodLevelResource(l.Key)))
        {
            requests.TryAdd(name, limit);
        }

        return pod with { Spec = pod.Spec with { Resources = own with { Limits = limits, Requests = requests } } };
    }

    private static bool IsHugePage(string name) => name.StartsWith(PodResources.HugePagesPrefix, StringComparison.Ordinal);

    private static Container Container(Container c, bool hostNetwork) => c with
    {
        ImagePullPolicy = c.ImagePullPolicy ?? (TagIsLatest(c.Image ?? "") ? "Always" : "IfNotPresent"),
        TerminationMessagePath = c.TerminationMessagePath ?? "/dev/termination-log",
        TerminationMessagePolicy = c.TerminationMessagePolicy ?? "File",
        Resources = c.Resources is { Limits.Count: > 0 } r
            ? r with { Requests = r.Limits.Concat(r.Requests).GroupBy(p => p.Key).ToDictionary(g => g.Key, g => g.Last().Value) }
            : c.Resources,
        Ports = [.. c.Ports.Select(p => p with { Protocol = p.Protocol ?? "TCP", HostPort = hostNetwork ? p.HostPort ?? p.ContainerPortValue : p.HostPort })],
        Env = [.. c.Env.Select(Variable)],
        Lifecycle = c.Lifecycle is null ? null : c.Lifecycle with { PostStart = Hook(c.Lifecycle.PostStart), PreStop = Hook(c.Lifecycle.PreStop) },
        LivenessProbe = Probe(c.LivenessProbe),
        ReadinessProbe = Probe(c.ReadinessProbe),
        StartupProbe = Probe(c.StartupProbe),
    };

    private static Probe? Probe(Probe? p) => p is null ? null : p with
    {
        TimeoutSeconds = p.TimeoutSeconds ?? 1,
        PeriodSeconds = p.PeriodSeconds ?? 10,
        SuccessThreshold = p.SuccessThreshold ?? 1,
        FailureThreshold = p.FailureThreshold ?? 3,
        HttpGet = Request(p.HttpGet),
        Grpc = p.Grpc is null ? null : p.Grpc with { Service = p.Grpc.Service ?? "" },
    };

    private static LifecycleHandler? Hook(LifecycleHandler? h) => h is null ? null : h with { HttpGet = Request(h.HttpGet) };

    private static HTTPGetAction? Request(HTTPGetAction? r) => r is null ? null : r with { Path = r.Path is { Length: > 0 } path ? path : "/", Scheme = r.Scheme ?? "HTTP" };

    private static EnvVar Variable(EnvVar e) => e.ValueFrom is null ? e : e with
    {
        ValueFrom = e.ValueFrom with
        {
            FieldRef = Field(e.ValueFrom.FieldRef),
            FileKeyRef = e.ValueFrom.FileKeyRef is null ? null : e.ValueFrom.FileKeyRef with { Optional = e.ValueFrom.FileKeyRef.Optional ?? false },
        },
    };

    private static ObjectFieldSelector? Field(ObjectFieldSelector? f) => f is null ? null : f with { ApiVersion = f.ApiVersion ?? "v1" };

    private static IReadOnlyList<DownwardAPIVolumeFile> Files(IReadOnlyList<DownwardAPIVolumeFile> files) => [.. files.Select(f => f with { FieldRef = Field(f.FieldRef) })];

    private static Volume Volume(Volume v) => WithoutSource(v) ? v with { EmptyDir = new EmptyDirVolumeSource() } : v with
    {
        Secret = v.Secret is null ? null : v.Secret with { DefaultMode = v.Secret.DefaultMode ?? ReadOnlyForAll },
        ConfigMap = v.ConfigMap is null ? null : v.ConfigMap with { DefaultMode = v.ConfigMap.DefaultMode ?? ReadOnlyForAll },
        DownwardAPI = v.DownwardAPI is null ? null : v.DownwardAPI with { DefaultMode = v.DownwardAPI.DefaultMode ?? ReadOnlyForAll, Items = Files(v.DownwardAPI.Items) },
        Projected = v.Projected is null ? null : v.Projected with { DefaultMode = v.Projected.DefaultMode ?? ReadOnlyForAll, Sources = [.. v.Projected.Sources.Select(Projection)] },
        HostPath = v.HostPath is null ? null : v.HostPath with { Type = v.HostPath.Type ?? "" },
        Image = v.Image is null ? null : v.Image with { PullPolicy = v.Image.PullPolicy ?? (TagIsLatest(v.Image.Reference ?? "") ? "Always" : "IfNotPresent") },
    };

    /// <summary>A volume of a name only.</summary>
    private static bool WithoutSource(Volume v) => KubernetesJson.SerializeToNode(v).Count <= 1;

    private static VolumeProjection Projection(VolumeProjection p) => p with
    {
        DownwardAPI = p.DownwardAPI is null ? null : p.DownwardAPI with { Items = Files(p.DownwardAPI.Items) },
        ServiceAccountToken = p.ServiceAccountToken is null ? null : p.ServiceAccountToken with { ExpirationSeconds = p.ServiceAccountToken.ExpirationSeconds ?? 3600 },
    };

    /// <summary>No tag and no digest means latest.</summary>
    private static bool TagIsLatest(string image)
    {
        if (image.Contains('@', StringComparison.Ordinal))
        {
            return false;
        }

        int colon = image.LastIndexOf(':');
        return colon <= image.LastIndexOf('/') || image[(colon + 1)..] == "latest";
    }
}
