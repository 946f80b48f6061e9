using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>The fields about the API server, other sources of pods, and feature gates.</summary>
internal static class ApiFields
{
    internal static ConfigurationTable<KubeletConfiguration> AddApi(this ConfigurationTable<KubeletConfiguration> table) => table
        .Pointer("kubeAPIQPS", FieldKinds.Int32, c => c.KubeAPIQPS, (c, v) => c with { KubeAPIQPS = v })
        .Value("kubeAPIBurst", FieldKinds.Int32, c => c.KubeAPIBurst, (c, v) => c with { KubeAPIBurst = v })
        .Value("contentType", FieldKinds.Text, c => c.ContentType, (c, v) => c with { ContentType = v }, SupportState.Ignored)
        .Pointer("eventRecordQPS", FieldKinds.Int32, c => c.EventRecordQPS, (c, v) => c with { EventRecordQPS = v })
        .Value("eventBurst", FieldKinds.Int32, c => c.EventBurst, (c, v) => c with { EventBurst = v })
        .Value("configMapAndSecretChangeDetectionStrategy", FieldKinds.Text,
            c => c.ConfigMapAndSecretChangeDetectionStrategy, (c, v) => c with { ConfigMapAndSecretChangeDetectionStrategy = v })
        .Value("syncFrequency", FieldKinds.Duration, c => c.SyncFrequency, (c, v) => c with { SyncFrequency = v }, SupportState.NoEffectYet)
        .Value("fileCheckFrequency", FieldKinds.Duration, c => c.FileCheckFrequency, (c, v) => c with { FileCheckFrequency = v })
        .Value("httpCheckFrequency", FieldKinds.Duration,
            c => c.HttpCheckFrequency, (c, v) => c with { HttpCheckFrequency = v })
        .Value("staticPodPath", FieldKinds.Text, c => c.StaticPodPath, (c, v) => c with { StaticPodPath = v })
        .Value("staticPodURL", FieldKinds.Text, c => c.StaticPodURL, (c, v) => c with { StaticPodURL = v })
        .Value("staticPodURLHeader", FieldKinds.TextListMap,
            c => c.StaticPodURLHeader, (c, v) => c with { StaticPodURLHeader = v })
        .Value("featureGates", FieldKinds.BoolMap, c => c.FeatureGates, (c, v) => c with { FeatureGates = v }, SupportState.NoEffectYet);
}
