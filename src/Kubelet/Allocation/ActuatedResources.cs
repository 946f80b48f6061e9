using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Allocation;

/// <summary>What a pod was given last.</summary>
/// <param name="Container">By name; null where that is not on record.</param>
/// <param name="PodLevel">As a whole; null where that is not on record.</param>
public sealed record ActuatedResources(Func<string, ResourceRequirements?> Container, ResourceRequirements? PodLevel)
{
    /// <summary>As on record.</summary>
    public static ActuatedResources Of(PodResourceRecord? record) => new(name => record?.Containers.GetValueOrDefault(name), record?.PodLevel);
}
