using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>image: nothing of it lies on the node's paths, the runtime mounts it into each container. Source: pkg/volume/image.</summary>
internal sealed class ImageVolumePlugin : IVolumePlugin
{
    /// <inheritdoc/>
    public bool Handles(Volume volume) => volume.Image is not null;

    /// <inheritdoc/>
    public string Key(Pod pod, Volume volume) => "image:" + volume.Name;

    /// <inheritdoc/>
    public Task<MountedVolume> SetUpAsync(VolumeRequest request, CancellationToken cancellationToken) =>
        Task.FromResult(new MountedVolume(request.Volume.Name, "", ReadOnly: true, MountedVolume.ImageKind));
}
