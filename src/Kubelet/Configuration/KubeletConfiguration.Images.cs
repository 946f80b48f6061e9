namespace NodeAgent.Kubelet.Configuration;

// The fields about runtime, images and logs.
public sealed partial record KubeletConfiguration
{
    /// <summary>registryPullQPS: Image pulls for each second; 0: no limit.</summary>
    public int RegistryPullQPS { get; init; } = 5;

    /// <summary>registryBurst: Image pulls in a burst.</summary>
    public int RegistryBurst { get; init; } = 10;

    /// <summary>serializeImagePulls: One image pull at a time; false by itself when maxParallelImagePulls is 2 or more.</summary>
    public bool SerializeImagePulls { get; init; } = true;

    /// <summary>maxParallelImagePulls: Image pulls at once; null: no limit.</summary>
    public int? MaxParallelImagePulls { get; init; }

    /// <summary>imageMinimumGCAge: Unused images younger than this stay.</summary>
    public TimeSpan ImageMinimumGCAge { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>imageMaximumGCAge: Unused images older than this go; zero: off.</summary>
    public TimeSpan ImageMaximumGCAge { get; init; }

    /// <summary>imageGCHighThresholdPercent: Disk use at which images are removed.</summary>
    public int ImageGCHighThresholdPercent { get; init; } = 85;

    /// <summary>imageGCLowThresholdPercent: Disk use down to which images are removed.</summary>
    public int ImageGCLowThresholdPercent { get; init; } = 80;

    /// <summary>imagePullCredentialsVerificationPolicy: Who may use images that are already here.</summary>
    public string ImagePullCredentialsVerificationPolicy { get; init; } = "NeverVerifyPreloadedImages";

    /// <summary>preloadedImagesVerificationAllowlist: Image patterns never verified.</summary>
    public IReadOnlyList<string> PreloadedImagesVerificationAllowlist { get; init; } = [];

    /// <summary>containerRuntimeEndpoint: Socket of the runtime.</summary>
    public string ContainerRuntimeEndpoint { get; init; } = "unix:///run/containerd/containerd.sock";

    /// <summary>imageServiceEndpoint: Socket of the image service; empty: the runtime's.</summary>
    public string ImageServiceEndpoint { get; init; } = "";

    /// <summary>runtimeRequestTimeout: Limit of runtime requests other than long ones.</summary>
    public TimeSpan RuntimeRequestTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>containerLogMaxSize: Size at which a container's log is rotated.</summary>
    public string ContainerLogMaxSize { get; init; } = "10Mi";

    /// <summary>containerLogMaxFiles: Log files kept for a container.</summary>
    public int ContainerLogMaxFiles { get; init; } = 5;

    /// <summary>containerLogMaxWorkers: Log rotations at once.</summary>
    public int ContainerLogMaxWorkers { get; init; } = 1;

    /// <summary>containerLogMonitorInterval: How often logs are measured.</summary>
    public TimeSpan ContainerLogMonitorInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>podLogsDir: Folder of the pods' logs.</summary>
    public string PodLogsDir { get; init; } = "/var/log/pods";
}
