using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>A secret or config map.</summary>
/// <param name="IsSecret">Which of the two.</param>
/// <param name="Namespace">metadata.namespace.</param>
/// <param name="Name">metadata.name.</param>
internal readonly record struct ObjectReference(bool IsSecret, string Namespace, string Name);

/// <summary>What secrets and config maps a pod refers to. Pure. Source: pkg/api/v1/pod/util.go.</summary>
internal static class PodReferences
{
    /// <summary>All references: image pull secrets, environment, volumes.</summary>
    public static HashSet<ObjectReference> Of(Pod pod)
    {
        string ns = pod.Metadata.Namespace ?? "";
        HashSet<ObjectReference> found = [];
        foreach (LocalObjectReference pull in pod.Spec.ImagePullSecrets)
        {
            Add(true, pull.Name);
        }

        foreach (Container c in pod.Spec.InitContainers.Concat(pod.Spec.Containers))
        {
            Environment(c.Env, c.EnvFrom);
        }

        foreach (EphemeralContainer c in pod.Spec.EphemeralContainers)
        {
            Environment(c.Env, c.EnvFrom);
        }

        foreach (Volume v in pod.Spec.Volumes)
        {
            Add(true, v.Secret?.SecretName);
            Add(false, v.ConfigMap?.Name);
            foreach (VolumeProjection p in v.Projected?.Sources ?? [])
            {
                Add(true, p.Secret?.Name);
                Add(false, p.ConfigMap?.Name);
            }
        }

        return found;

        void Environment(IReadOnlyList<EnvVar> env, IReadOnlyList<EnvFromSource> from)
        {
            foreach (EnvVar e in env)
            {
                Add(true, e.ValueFrom?.SecretKeyRef?.Name);
                Add(false, e.ValueFrom?.ConfigMapKeyRef?.Name);
            }

            foreach (EnvFromSource e in from)
            {
                Add(true, e.SecretRef?.Name);
                Add(false, e.ConfigMapRef?.Name);
            }
        }

        void Add(bool secret, string? name)
        {
            if (!string.IsNullOrEmpty(name))
            {
                found.Add(new ObjectReference(secret, ns, name));
            }
        }
    }
}
