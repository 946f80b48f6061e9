using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Containers;

/// <summary>volumeMounts[].recursiveReadOnly. Pure. Source: resolveRecursiveReadOnly in pkg/kubelet/kubelet_pods.go; KEP-3857.</summary>
internal static class RecursiveReadOnly
{
    /// <summary>True where the mount asks for anything that the runtime's handler has to be asked about.</summary>
    public static bool IsAsked(VolumeMount mount) => mount.RecursiveReadOnly is not (null or "Disabled");

    /// <summary>Whether what is mounted below the volume becomes read-only too.</summary>
    /// <param name="mount">The mount.</param>
    /// <param name="supported">The pod's runtime handler can do it.</param>
    /// <exception cref="ContainerConfigException">It is asked for and cannot be; the message is what users read.</exception>
    public static bool Resolve(VolumeMount mount, bool supported)
    {
        if (!IsAsked(mount))
        {
            return false;
        }

        string what = $"failed to resolve recursive read-only mode: volume \"{mount.Name}\" requested recursive read-only mode, but it is not";
        if (mount.ReadOnly != true)
        {
            throw new ContainerConfigException($"{what} read-only");
        }

        if (mount.MountPropagation is { } propagation && propagation != "None")
        {
            throw new ContainerConfigException($"{what} compatible with propagation \"{propagation}\"");
        }

        return mount.RecursiveReadOnly switch
        {
            "IfPossible" => supported,
            "Enabled" => supported ? true : throw new ContainerConfigException($"{what} supported by the runtime"),
            var unknown => throw new ContainerConfigException($"failed to resolve recursive read-only mode: unknown recursive read-only mode \"{unknown}\""),
        };
    }
}
