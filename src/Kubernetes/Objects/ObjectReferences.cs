namespace NodeAgent.Kubernetes.Objects;

/// <summary>Builds references to objects (upstream: client-go/tools/reference).</summary>
public static class ObjectReferences
{
    /// <summary>A full reference to <paramref name="value"/>, or to the part of it that <paramref name="fieldPath"/> names.</summary>
    public static ObjectReference To(IKubernetesObject value, string? fieldPath = null)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new ObjectReference
        {
            ApiVersion = value.ApiVersion,
            Kind = value.Kind,
            Namespace = value.Metadata.Namespace,
            Name = value.Metadata.Name,
            Uid = value.Metadata.Uid,
            ResourceVersion = value.Metadata.ResourceVersion,
            FieldPath = fieldPath,
        };
    }

    /// <summary>A reference to a container of <paramref name="pod"/>, as events carry it: spec.containers{name}.</summary>
    public static ObjectReference ToContainer(Pod pod, string containerName)
    {
        ArgumentNullException.ThrowIfNull(pod);
        string list = pod.Spec.InitContainers.Any(c => c.Name == containerName) ? "initContainers"
            : pod.Spec.EphemeralContainers.Any(c => c.Name == containerName) ? "ephemeralContainers"
            : "containers";
        return To(pod, $"spec.{list}{{{containerName}}}");
    }

    /// <summary>The owner entry that makes <paramref name="owner"/> the controller of another object.</summary>
    public static OwnerReference ControlledBy(IKubernetesObject owner)
    {
        ArgumentNullException.ThrowIfNull(owner);
        return new OwnerReference
        {
            ApiVersion = owner.ApiVersion,
            Kind = owner.Kind,
            Name = owner.Metadata.Name ?? "",
            Uid = owner.Metadata.Uid ?? "",
            Controller = true,
            BlockOwnerDeletion = true,
        };
    }

    /// <summary>The owner that controls the object, or null.</summary>
    public static OwnerReference? ControllerOf(IKubernetesObject value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return value.Metadata.OwnerReferences.FirstOrDefault(o => o.Controller == true);
    }
}
