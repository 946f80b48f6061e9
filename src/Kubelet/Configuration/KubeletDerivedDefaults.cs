using System.Text.Json.Nodes;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>Defaults that depend on other fields (upstream: SetDefaults_KubeletConfiguration and the eviction defaults of --config).</summary>
internal static class KubeletDerivedDefaults
{
    /// <summary>Linux's hard thresholds.</summary>
    internal static IReadOnlyDictionary<string, string> EvictionHard { get; } = new SortedDictionary<string, string>(StringComparer.Ordinal)
    {
        ["imagefs.available"] = "15%",
        ["imagefs.inodesFree"] = "5%",
        ["memory.available"] = "100Mi",
        ["nodefs.available"] = "10%",
        ["nodefs.inodesFree"] = "5%",
    };

    /// <summary>Completes a configuration read from a file or from the merge with drop-ins.</summary>
    /// <param name="configuration">As decoded.</param>
    /// <param name="root">What was decoded: tells "absent" from "default".</param>
    /// <param name="fromConfigFile">Whether --config was given: only then are there default thresholds.</param>
    internal static KubeletConfiguration Complete(KubeletConfiguration configuration, JsonObject root, bool fromConfigFile)
    {
        KubeletConfiguration result = configuration;
        if (IsZeroDuration(root["nodeStatusReportFrequency"]) && !IsZeroDuration(root["nodeStatusUpdateFrequency"]))
            result = result with { NodeStatusReportFrequency = result.NodeStatusUpdateFrequency };
        if (root["serializeImagePulls"] is null && result.MaxParallelImagePulls >= 2)
            result = result with { SerializeImagePulls = false };
        if (result.PodPidsLimit < 0)
            result = result with { PodPidsLimit = -1 };
        if (IsOff(result, "KubeletCrashLoopBackOffMax") && root["crashLoopBackOff"]?["maxContainerRestartPeriod"] is null)
            result = result with { MaxContainerRestartPeriod = null };
        if (IsOff(result, "KubeletEnsureSecretPulledImages") && root["imagePullCredentialsVerificationPolicy"] is null)
            result = result with { ImagePullCredentialsVerificationPolicy = "" };
        return fromConfigFile ? CompleteEviction(result) : result;
    }

    private static KubeletConfiguration CompleteEviction(KubeletConfiguration configuration)
    {
        if (configuration.EvictionHard is null)
            return configuration with { EvictionHard = EvictionHard };
        if (!configuration.MergeDefaultEvictionSettings)
            return configuration;
        SortedDictionary<string, string> merged = new(StringComparer.Ordinal);
        foreach ((string signal, string threshold) in EvictionHard.Concat(configuration.EvictionHard))
            merged[signal] = threshold;
        return configuration with { EvictionHard = merged };
    }

    private static bool IsZeroDuration(JsonNode? node) =>
        node is null || (Kubernetes.Configuration.FieldKinds.Duration.TryRead(node, [], out TimeSpan value) && value == TimeSpan.Zero);

    // The gate's own default is on for both.
    private static bool IsOff(KubeletConfiguration configuration, string gate) =>
        configuration.FeatureGates.TryGetValue(gate, out bool on) && !on;
}
