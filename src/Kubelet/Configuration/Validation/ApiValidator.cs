namespace NodeAgent.Kubelet.Configuration.Validation;

/// <summary>Rates towards the API server and how watched objects are followed.</summary>
internal static class ApiValidator
{
    internal static void Validate(ValidationRun run)
    {
        KubeletConfiguration c = run.Configuration;
        run.RequireNotNegative(c.EventBurst, "eventBurst");
        run.RequireNotNegative(c.EventRecordQPS, "eventRecordQPS");
        run.RequireNotNegative(c.KubeAPIBurst, "kubeAPIBurst");
        run.RequireNotNegative(c.KubeAPIQPS, "kubeAPIQPS");
        run.RequireOneOf(c.ConfigMapAndSecretChangeDetectionStrategy, "configMapAndSecretChangeDetectionStrategy", "Get", "Cache", "Watch");
    }
}
