using NodeAgent.Kubelet.Configuration.Validation;
using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>All rules of upstream's validation, one class for each concern; every violation is reported.</summary>
public static class KubeletValidation
{
    /// <summary>Checks a complete configuration.</summary>
    /// <param name="configuration">Defaults, files and flags merged.</param>
    /// <param name="gates">Its feature gates.</param>
    /// <param name="hostHasCgroupV1">Whether this host has cgroup v1.</param>
    /// <param name="source">What messages name as the place.</param>
    public static IReadOnlyList<ConfigurationProblem> Validate(
        KubeletConfiguration configuration, FeatureGates gates, bool hostHasCgroupV1, string source)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(gates);
        ValidationRun run = new(configuration, gates, source);
        ServerValidator.Validate(run);
        NodeValidator.Validate(run, hostHasCgroupV1);
        ApiValidator.Validate(run);
        ImageValidator.Validate(run);
        PodValidator.Validate(run);
        ResourceValidator.Validate(run);
        NodeAllocatableValidator.Validate(run);
        ShutdownValidator.Validate(run);
        EvictionValidator.Validate(run);
        return [.. run.Problems, .. LoggingFields.Validate(configuration.Logging, gates, source)];
    }
}
