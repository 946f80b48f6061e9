using System.Collections.Immutable;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>A volume of a pod, ready to be bound into containers.</summary>
/// <param name="Name">spec.volumes[].name.</param>
/// <param name="HostPath">Absolute path on the host; empty where it has none.</param>
/// <param name="ReadOnly">The volume as a whole is read-only.</param>
/// <param name="Kind">The plugin, e.g. emptyDir, configMap.</param>
public sealed record MountedVolume(string Name, string HostPath, bool ReadOnly, string Kind)
{
    /// <summary>The kind of volumes that are images: <see cref="HostPath"/> is empty.</summary>
    public const string ImageKind = "image";
}

/// <summary>Volumes of pods on this node.</summary>
public interface IVolumeManager
{
    /// <summary>Sets up every volume of the pod that is not yet set up; returns when all are mounted.</summary>
    /// <exception cref="VolumeSetupException">A volume cannot be set up; names volume, object, field and remedy. The caller retries.</exception>
    Task<ImmutableDictionary<string, MountedVolume>> MountAsync(Pod pod, CancellationToken cancellationToken);

    /// <summary>Tears down every volume of the pod, known or found on disk or in the mount table. Idempotent.</summary>
    Task UnmountAsync(PodUid uid, CancellationToken cancellationToken);

    /// <summary>True while anything of the pod's volumes is mounted or being mounted.</summary>
    bool HasMounts(PodUid uid);
}

/// <summary>A volume could not be set up; the message is what users read in the FailedMount event.</summary>
/// <param name="volume">spec.volumes[].name.</param>
/// <param name="message">Names object, field and remedy.</param>
/// <param name="inner">The cause.</param>
public sealed class VolumeSetupException(string volume, string message, Exception? inner = null)
    : Exception($"MountVolume.SetUp failed for volume \"{volume}\" : {message}", inner)
{
    /// <summary>spec.volumes[].name.</summary>
    public string Volume { get; } = volume;
}

/// <summary>Secrets and config maps that this node's pods refer to, kept current by watches.</summary>
public interface IPodObjectStore
{
    /// <summary>The object, from cache or (first use, or where the watch is not yet in sync) from the API server. Throws ApiException with Status.</summary>
    Task<Secret> GetSecretAsync(string @namespace, string name, CancellationToken cancellationToken);

    /// <summary>As <see cref="GetSecretAsync"/>.</summary>
    Task<ConfigMap> GetConfigMapAsync(string @namespace, string name, CancellationToken cancellationToken);

    /// <summary>Starts (ref-counted) watches for all objects the pod refers to; call again when the spec changes.</summary>
    void RegisterPod(Pod pod);

    /// <summary>Ends the pod's references.</summary>
    void UnregisterPod(PodUid uid);
}
