namespace NodeAgent.Kubelet.Configuration;

// The fields about the API server, other sources of pods, and feature gates.
public sealed partial record KubeletConfiguration
{
    /// <summary>kubeAPIQPS: Requests to the API server for each second.</summary>
    public int KubeAPIQPS { get; init; } = 50;

    /// <summary>kubeAPIBurst: Requests to the API server in a burst.</summary>
    public int KubeAPIBurst { get; init; } = 100;

    /// <summary>contentType: Content type of API requests; JSON is used whatever it says.</summary>
    public string ContentType { get; init; } = "application/vnd.kubernetes.protobuf";

    /// <summary>eventRecordQPS: Events for each second.</summary>
    public int EventRecordQPS { get; init; } = 50;

    /// <summary>eventBurst: Events in a burst.</summary>
    public int EventBurst { get; init; } = 100;

    /// <summary>configMapAndSecretChangeDetectionStrategy: Watch, Cache or Get.</summary>
    public string ConfigMapAndSecretChangeDetectionStrategy { get; init; } = "Watch";

    /// <summary>syncFrequency: A pod is synced at least this often.</summary>
    public TimeSpan SyncFrequency { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>fileCheckFrequency: How often static files are read again.</summary>
    public TimeSpan FileCheckFrequency { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>httpCheckFrequency: How often staticPodURL is read.</summary>
    public TimeSpan HttpCheckFrequency { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>staticPodPath: File or folder of static pods.</summary>
    public string StaticPodPath { get; init; } = "";

    /// <summary>staticPodURL: Where else static pods come from.</summary>
    public string StaticPodURL { get; init; } = "";

    /// <summary>staticPodURLHeader: Headers for staticPodURL; may hold secrets, never logged.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> StaticPodURLHeader { get; init; } = NoHeaders;

    /// <summary>featureGates: Feature gates that are set.</summary>
    public IReadOnlyDictionary<string, bool> FeatureGates { get; init; } = NoSwitches;
}
