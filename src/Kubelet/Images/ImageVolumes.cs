using System.Collections.Immutable;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Images;

/// <summary>Images that are volumes, by the volumes' names. Source: kuberuntime_manager.go (getImageVolumes).</summary>
internal sealed class ImageVolumes
{
    private readonly ImmutableDictionary<string, ImageResult> _results;
    private readonly string _handler;
    private readonly Pod _pod;

    private ImageVolumes(Pod pod, string handler, ImmutableDictionary<string, ImageResult> results) => (_pod, _handler, _results) = (pod, handler, results);

    /// <summary>Makes all of a pod's present.</summary>
    /// <param name="images">Pulls.</param>
    /// <param name="pod">The pod.</param>
    /// <param name="handler">Its runtime handler, "" = default.</param>
    /// <param name="sandbox">The sandbox.</param>
    /// <param name="turn">The start's place among those that count.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<ImageVolumes> PullAsync(ImageManager images, Pod pod, string handler, PodSandboxConfig sandbox, IStartTurn? turn, CancellationToken cancellationToken)
    {
        var results = ImmutableDictionary.CreateBuilder<string, ImageResult>();
        foreach (Volume volume in pod.Spec.Volumes)
        {
            if (volume.Image is { } source)
            {
                results[volume.Name] = await images.EnsureAsync(pod, null, source.Reference ?? "", source.PullPolicy, sandbox, turn, cancellationToken);
            }
        }

        return new ImageVolumes(pod, handler, results.ToImmutable());
    }

    /// <summary>Those that a container mounts and that are not there, in the order of its mounts.</summary>
    public IEnumerable<ImageResult.Failed> Missing(IEnumerable<VolumeMount> mounts) => mounts.Select(m => _results.GetValueOrDefault(m.Name ?? "")).OfType<ImageResult.Failed>();

    /// <summary>What the runtime mounts, or null where the volume is no image.</summary>
    public ImageSpec? Find(string volume)
    {
        if (_results.GetValueOrDefault(volume) is not ImageResult.Present present)
        {
            return null;
        }

        var spec = new ImageSpec { Image = present.ImageRef, UserSpecifiedImage = present.Requested, RuntimeHandler = _handler };
        spec.Annotations.Add(_pod.Metadata.Annotations.ToDictionary(a => a.Key, a => a.Value));
        return spec;
    }
}
