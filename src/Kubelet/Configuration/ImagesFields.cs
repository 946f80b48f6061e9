using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>The fields about runtime, images and logs.</summary>
internal static class ImagesFields
{
    internal static ConfigurationTable<KubeletConfiguration> AddImages(this ConfigurationTable<KubeletConfiguration> table) => table
        .Pointer("registryPullQPS", FieldKinds.Int32, c => c.RegistryPullQPS, (c, v) => c with { RegistryPullQPS = v })
        .Value("registryBurst", FieldKinds.Int32, c => c.RegistryBurst, (c, v) => c with { RegistryBurst = v })
        .Pointer("serializeImagePulls", FieldKinds.Bool, c => c.SerializeImagePulls, (c, v) => c with { SerializeImagePulls = v })
        .Pointer("maxParallelImagePulls", FieldKinds.Optional(FieldKinds.Int32),
            c => c.MaxParallelImagePulls, (c, v) => c with { MaxParallelImagePulls = v })
        .Value("imageMinimumGCAge", FieldKinds.Duration,
            c => c.ImageMinimumGCAge, (c, v) => c with { ImageMinimumGCAge = v })
        .Value("imageMaximumGCAge", FieldKinds.Duration,
            c => c.ImageMaximumGCAge, (c, v) => c with { ImageMaximumGCAge = v })
        .Pointer("imageGCHighThresholdPercent", FieldKinds.Int32,
            c => c.ImageGCHighThresholdPercent, (c, v) => c with { ImageGCHighThresholdPercent = v })
        .Pointer("imageGCLowThresholdPercent", FieldKinds.Int32,
            c => c.ImageGCLowThresholdPercent, (c, v) => c with { ImageGCLowThresholdPercent = v })
        .Value("imagePullCredentialsVerificationPolicy", FieldKinds.Text,
            c => c.ImagePullCredentialsVerificationPolicy, (c, v) => c with { ImagePullCredentialsVerificationPolicy = v })
        .Value("preloadedImagesVerificationAllowlist", FieldKinds.TextList,
            c => c.PreloadedImagesVerificationAllowlist, (c, v) => c with { PreloadedImagesVerificationAllowlist = v })
        .Value("containerRuntimeEndpoint", FieldKinds.Text,
            c => c.ContainerRuntimeEndpoint, (c, v) => c with { ContainerRuntimeEndpoint = v })
        .Value("imageServiceEndpoint", FieldKinds.Text, c => c.ImageServiceEndpoint, (c, v) => c with { ImageServiceEndpoint = v })
        .Value("runtimeRequestTimeout", FieldKinds.Duration, c => c.RuntimeRequestTimeout, (c, v) => c with { RuntimeRequestTimeout = v })
        .Value("containerLogMaxSize", FieldKinds.Text,
            c => c.ContainerLogMaxSize, (c, v) => c with { ContainerLogMaxSize = v })
        .Pointer("containerLogMaxFiles", FieldKinds.Int32,
            c => c.ContainerLogMaxFiles, (c, v) => c with { ContainerLogMaxFiles = v })
        .Pointer("containerLogMaxWorkers", FieldKinds.Int32,
            c => c.ContainerLogMaxWorkers, (c, v) => c with { ContainerLogMaxWorkers = v })
        .Pointer("containerLogMonitorInterval", FieldKinds.Duration,
            c => c.ContainerLogMonitorInterval, (c, v) => c with { ContainerLogMonitorInterval = v })
        .Value("podLogsDir", FieldKinds.Text, c => c.PodLogsDir, (c, v) => c with { PodLogsDir = v });
}
