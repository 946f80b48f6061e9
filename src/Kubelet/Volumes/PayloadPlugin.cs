using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Linux.Files;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>Where the content of payload volumes comes from.</summary>
/// <param name="Objects">Config maps and secrets.</param>
/// <param name="Tokens">Service account tokens.</param>
/// <param name="Node">Allocatable resources.</param>
internal sealed record PayloadSources(IPodObjectStore Objects, ServiceAccountTokens Tokens, INodeInfo Node);

/// <summary>configMap, secret, downwardAPI and projected: content from API objects, written by <see cref="AtomicWriter"/>.</summary>
internal sealed class PayloadPlugin(VolumeHost host, PayloadSources sources, TimeProvider time) : IVolumePlugin
{
    private const int ModeOfTokens = 0x180;

    /// <inheritdoc/>
    public bool Handles(Volume volume) => volume.ConfigMap is not null || volume.Secret is not null || volume.DownwardAPI is not null || volume.Projected is not null;

    /// <summary>The plugin's name in paths.</summary>
    public static string Escaped(Volume volume) => volume.ConfigMap is not null ? "kubernetes.io~configmap"
        : volume.Secret is not null ? "kubernetes.io~secret"
        : volume.DownwardAPI is not null ? "kubernetes.io~downward-api" : "kubernetes.io~projected";

    /// <inheritdoc/>
    public async Task<MountedVolume> SetUpAsync(VolumeRequest request, CancellationToken cancellationToken)
    {
        Dictionary<string, FileProjection> payload = await CollectAsync(request.Pod, request.Volume, cancellationToken);
        return await host.Work.RunAsync(request.Key, () => SetUp(request, payload), cancellationToken);
    }

    private MountedVolume SetUp(VolumeRequest request, Dictionary<string, FileProjection> payload)
    {
        Pod pod = request.Pod;
        Volume volume = request.Volume;
        string escaped = Escaped(volume), name = Segments.Checked(volume.Name, "spec.volumes[].name");
        string path = host.Paths.PodVolume(pod.Uid, escaped, name);
        if (volume.ConfigMap is null)
        {
            EmptyDirPlugin.MountMemory(host, pod.Uid, escaped, name, VolumeFacts.MemorySize(pod, null, sources.Node.Allocatable));
        }
        else
        {
            host.MakeVolumeFolder(pod.Uid, escaped, name, 0x1FF);
        }

        EmptyDirPlugin.SetReady(host.ReadyMarker(pod.Uid, "wrapped_" + name));
        MakeNestedMountPoints(path, VolumeFacts.NestedMountPoints(pod, name));
        AtomicWriter.Write(path, payload, time.GetUtcNow(), () =>
        {
            if (request.FsGroup is { } group)
            {
                GroupOwnership.Apply(path, group, readOnly: true);
            }
        });
        return new MountedVolume(name, path, ReadOnly: true, volume.ConfigMap is not null ? "configMap" : volume.Secret is not null ? "secret"
            : volume.DownwardAPI is not null ? "downwardAPI" : "projected");
    }

    private static void MakeNestedMountPoints(string path, IReadOnlyList<string> nested)
    {
        using var root = FileAt.OpenDirectory(path);
        foreach (string relative in nested)
        {
            string at = "";
            foreach (string segment in relative.Split('/'))
            {
                using var parent = FileAt.Open(root, at.Length == 0 ? "." : at, OpenFlags.Directory, ResolveFlags.Beneath);
                FileAt.MakeDirectory(parent, segment, 0x1ED);
                at = at.Length == 0 ? segment : at + "/" + segment;
            }
        }
    }

    private async Task<Dictionary<string, FileProjection>> CollectAsync(Pod pod, Volume volume, CancellationToken cancellationToken)
    {
        if (volume.ConfigMap is { } map)
        {
            return ObjectPayloads.FromConfigMap(
                map.Items, await ConfigMapAsync(pod, map.Name, map.Optional == true, cancellationToken), map.DefaultMode, map.Optional == true);
        }

        if (volume.Secret is { } secret)
        {
            return ObjectPayloads.FromSecret(
                secret.Items, await SecretAsync(pod, secret.SecretName, secret.Optional == true, cancellationToken), secret.DefaultMode, secret.Optional == true);
        }

        return volume.DownwardAPI is { } downward
            ? DownwardApi.Files(downward.Items, pod, sources.Node.Allocatable, downward.DefaultMode)
            : await ProjectAsync(pod, volume.Projected!, cancellationToken);
    }

    // All sources are tried, so that the message has every error; later sources win where paths are the same, as upstream.
    private async Task<Dictionary<string, FileProjection>> ProjectAsync(Pod pod, ProjectedVolumeSource projected, CancellationToken cancellationToken)
    {
        var payload = new Dictionary<string, FileProjection>(StringComparer.Ordinal);
        List<string> errors = [];
        foreach (VolumeProjection source in projected.Sources)
        {
            try
            {
                foreach ((string path, FileProjection file) in await OneAsync(pod, source, projected.DefaultMode, cancellationToken))
                {
                    payload[path] = file;
                }
            }
            catch (Exception e) when (e is PayloadException or KubernetesException)
            {
                errors.Add(e.Message);
            }
        }

        return errors.Count == 0 ? payload : throw new PayloadException(errors.Count == 1 ? errors[0] : $"[{string.Join(", ", errors)}]");
    }

    private async Task<Dictionary<string, FileProjection>> OneAsync(Pod pod, VolumeProjection source, int? mode, CancellationToken cancellationToken)
    {
        if (source.Secret is { } secret)
        {
            return ObjectPayloads.FromSecret(
                secret.Items, await SecretAsync(pod, secret.Name, secret.Optional == true, cancellationToken), mode, secret.Optional == true);
        }

        if (source.ConfigMap is { } map)
        {
            return ObjectPayloads.FromConfigMap(
                map.Items, await ConfigMapAsync(pod, map.Name, map.Optional == true, cancellationToken), mode, map.Optional == true);
        }

        if (source.DownwardAPI is { } downward)
        {
            return DownwardApi.Files(downward.Items, pod, sources.Node.Allocatable, mode);
        }

        if (source.ServiceAccountToken is { } token)
        {
            uint? user = VolumeFacts.SharedUser(pod);
            bool narrow = user is not null || pod.Spec.SecurityContext?.FsGroup is not null;
            byte[] content = await sources.Tokens.GetAsync(pod, token.Audience, token.ExpirationSeconds, cancellationToken);
            return new(StringComparer.Ordinal) { [token.Path] = new FileProjection(content, narrow ? ModeOfTokens : mode ?? ObjectPayloads.DefaultMode, user) };
        }

        string field = source.ClusterTrustBundle is not null ? "clusterTrustBundle" : source.PodCertificate is not null ? "podCertificate" : "an unknown source";
        throw new PayloadException($"spec.volumes[].projected.sources[].{field} is not supported by this agent; remove it from the volume");
    }

    private async Task<ConfigMap> ConfigMapAsync(Pod pod, string? name, bool optional, CancellationToken cancellationToken)
    {
        try
        {
            return await sources.Objects.GetConfigMapAsync(pod.Metadata.Namespace ?? "", name ?? "", cancellationToken);
        }
        catch (ApiException e) when (e.IsNotFound)
        {
            return optional ? new ConfigMap { Metadata = new ObjectMeta { Name = name } }
                : throw new PayloadException($"configmap \"{name}\" not found", e);
        }
    }

    private async Task<Secret> SecretAsync(Pod pod, string? name, bool optional, CancellationToken cancellationToken)
    {
        try
        {
            return await sources.Objects.GetSecretAsync(pod.Metadata.Namespace ?? "", name ?? "", cancellationToken);
        }
        catch (ApiException e) when (e.IsNotFound)
        {
            return optional ? new Secret { Metadata = new ObjectMeta { Name = name } }
                : throw new PayloadException($"secret \"{name}\" not found", e);
        }
    }
}
