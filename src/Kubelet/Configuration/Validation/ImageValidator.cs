using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Configuration.Validation;

/// <summary>The runtime's endpoints, image pulls, image garbage collection, log rotation.</summary>
internal static class ImageValidator
{
    internal static void Validate(ValidationRun run)
    {
        Pulls(run);
        Collection(run);
        Logs(run);
        KubeletConfiguration c = run.Configuration;
        run.Require(c.ContainerRuntimeEndpoint.Length > 0, "containerRuntimeEndpoint", "is empty", "give unix:///path/of/the/socket");
    }

    private static void Pulls(ValidationRun run)
    {
        KubeletConfiguration c = run.Configuration;
        run.RequireNotNegative(c.RegistryBurst, "registryBurst");
        run.RequireNotNegative(c.RegistryPullQPS, "registryPullQPS");
        run.Require(c.MaxParallelImagePulls is null or >= 1, "maxParallelImagePulls", $"{c.MaxParallelImagePulls} is not positive", "use 1 or more");
        run.Require(!c.SerializeImagePulls || c.MaxParallelImagePulls is null or <= 1, "maxParallelImagePulls",
            "is more than 1 while serializeImagePulls is true", "set serializeImagePulls: false");
        if (run.Gates.IsEnabled("KubeletEnsureSecretPulledImages"))
        {
            run.RequireOneOf(c.ImagePullCredentialsVerificationPolicy, "imagePullCredentialsVerificationPolicy",
                "NeverVerify", "NeverVerifyPreloadedImages", "NeverVerifyAllowlistedImages", "AlwaysVerify");
            run.Require(c.PreloadedImagesVerificationAllowlist.Count == 0 || c.ImagePullCredentialsVerificationPolicy == "NeverVerifyAllowlistedImages",
                "preloadedImagesVerificationAllowlist", "needs the policy NeverVerifyAllowlistedImages", "set the policy or remove the list");
        }
        else
        {
            run.Require(c.ImagePullCredentialsVerificationPolicy.Length == 0 && c.PreloadedImagesVerificationAllowlist.Count == 0,
                "imagePullCredentialsVerificationPolicy", "needs the feature gate KubeletEnsureSecretPulledImages", "set the gate or remove it");
        }
    }

    private static void Collection(ValidationRun run)
    {
        KubeletConfiguration c = run.Configuration;
        run.RequireRange(c.ImageGCHighThresholdPercent, 0, 100, "imageGCHighThresholdPercent");
        run.RequireRange(c.ImageGCLowThresholdPercent, 0, 100, "imageGCLowThresholdPercent");
        run.Require(c.ImageGCLowThresholdPercent < c.ImageGCHighThresholdPercent, "imageGCLowThresholdPercent",
            $"{c.ImageGCLowThresholdPercent} is not less than imageGCHighThresholdPercent {c.ImageGCHighThresholdPercent}", "lower it");
        run.RequireNotNegative(c.ImageMinimumGCAge.Ticks, "imageMinimumGCAge");
        run.RequireNotNegative(c.ImageMaximumGCAge.Ticks, "imageMaximumGCAge");
        run.Require(c.ImageMaximumGCAge <= TimeSpan.Zero || c.ImageMaximumGCAge > c.ImageMinimumGCAge, "imageMaximumGCAge",
            $"{GoDuration.Format(c.ImageMaximumGCAge)} is not more than imageMinimumGCAge {GoDuration.Format(c.ImageMinimumGCAge)}", "raise it");
    }

    private static void Logs(ValidationRun run)
    {
        KubeletConfiguration c = run.Configuration;
        run.Require(c.ContainerLogMaxWorkers >= 1, "containerLogMaxWorkers", $"{c.ContainerLogMaxWorkers} is not positive", "use 1 or more");
        run.Require(c.ContainerLogMaxFiles > 1, "containerLogMaxFiles", $"{c.ContainerLogMaxFiles} is less than 2", "use 2 or more");
        run.Require(c.ContainerLogMonitorInterval >= TimeSpan.FromSeconds(3), "containerLogMonitorInterval",
            $"{GoDuration.Format(c.ContainerLogMonitorInterval)} is less than 3s", "use 3s or more");
        run.Require(Quantity.TryParse(c.ContainerLogMaxSize, out Quantity size) && size.Sign >= 0, "containerLogMaxSize",
            $"\"{c.ContainerLogMaxSize}\" is no size", "give a quantity such as 10Mi");
        run.Require(c.PodLogsDir.StartsWith('/'), "podLogsDir", $"\"{c.PodLogsDir}\" is not absolute", "give an absolute path");
        run.Require(IsClean(c.PodLogsDir), "podLogsDir", $"\"{c.PodLogsDir}\" is not normalized", "leave out //, . and ..");
        run.Require(c.PodLogsDir.All(char.IsAscii), "podLogsDir", "has characters that are not ASCII", "use ASCII only");
    }

    private static bool IsClean(string path) =>
        path == "/" || (path.StartsWith('/') ? path[1..] : path).Split('/').All(part => part is not ("" or "." or ".."));
}
