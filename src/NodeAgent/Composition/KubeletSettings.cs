using NodeAgent.Cri;
using NodeAgent.Kubelet;
using NodeAgent.Kubelet.Admission;
using NodeAgent.Kubelet.Certificates;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Eviction;
using NodeAgent.Kubelet.Images;
using NodeAgent.Kubelet.Logs;
using NodeAgent.Kubelet.Nodes;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubelet.Server;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Composition;

/// <summary>Everything the kubelet half is made from, read from flags and configuration, checked.</summary>
internal sealed record KubeletSettings
{
    public required NodeOptions Node { get; init; }
    public required KubeletServerOptions Server { get; init; }
    public required KubeletPaths Paths { get; init; }
    public required CgroupOptions Cgroups { get; init; }
    public required CgroupDriver CgroupDriver { get; init; }
    public required RuntimeManagerOptions Runtime { get; init; }
    public required CriEndpoint RuntimeEndpoint { get; init; }
    public required CriEndpoint ImageEndpoint { get; init; }
    public CriTimeLimits CriLimits { get; init; } = CriTimeLimits.Default;

    /// <summary>Null: standalone, without an API server.</summary>
    public NodeIdentitySettings? Identity { get; init; }
    public KubernetesClientOptions ApiClient { get; init; } = new();
    public KubernetesClientOptions EventClient { get; init; } = new();

    public string CpuManagerPolicy { get; init; } = "none";
    public string MemoryManagerPolicy { get; init; } = "None";

    /// <summary>staticPodPath; null = none.</summary>
    public string? StaticPodPath { get; init; }
    /// <summary>Credentials for image pulls.</summary>
    public required ImageCredentialOptions ImageCredentials { get; init; }
    /// <summary>Which present images a pod may use; null: all (gate KubeletEnsureSecretPulledImages off).</summary>
    public PullVerification? PullVerification { get; init; }
    /// <summary>staticPodURL; null = none.</summary>
    public Uri? StaticPodUrl { get; init; }
    public IReadOnlyDictionary<string, IReadOnlyList<string>> StaticPodUrlHeaders { get; init; } = new Dictionary<string, IReadOnlyList<string>>();
    public TimeSpan HttpCheckFrequency { get; init; } = TimeSpan.FromSeconds(20);
    /// <summary>Dead containers kept.</summary>
    public DeadContainerPolicy DeadContainers { get; init; } = DeadContainerPolicy.Default;
    /// <summary>When pods are evicted.</summary>
    public EvictionSettings Eviction { get; init; } = new();
    /// <summary>When images are removed.</summary>
    public ImageGarbagePolicy ImageGarbage { get; init; } = ImageGarbagePolicy.Default;
    /// <summary>How container logs are rotated.</summary>
    public LogRotationPolicy LogRotation { get; init; } = LogRotationPolicy.Default;
    /// <summary>failSwapOn.</summary>
    public bool FailSwapOn { get; init; } = true;
    /// <summary>oomScoreAdj of this process.</summary>
    public int OomScoreAdj { get; init; } = -999;
    /// <summary>maxOpenFiles of this process.</summary>
    public long MaxOpenFiles { get; init; } = 1_000_000;
    public TimeSpan FileCheckFrequency { get; init; } = TimeSpan.FromSeconds(20);
    public required NodeCertificateOptions Certificates { get; init; }
    public AdmissionFeatures AdmissionFeatures { get; init; } = AdmissionFeatures.All;
    public uint UserNamespaceIdsPerPod { get; init; } = UserNamespaceRange.DefaultPerPod;
    public bool ResizesPodLevel { get; init; } = true;
    public IReadOnlyList<string> AllowedUnsafeSysctls { get; init; } = [];
    public PodObjectStoreOptions Objects { get; init; } = new();
}
