using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Linux.Mounts;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>What the volume manager needs.</summary>
/// <param name="Paths">Upstream's layout.</param>
/// <param name="Node">Allocatable resources.</param>
/// <param name="Objects">Config maps and secrets.</param>
/// <param name="Tokens">Service account tokens.</param>
/// <param name="Work">Threads for calls that may block.</param>
/// <param name="Mounter">Mounts.</param>
public sealed record VolumeManagerParts(
    KubeletPaths Paths, INodeInfo Node, IPodObjectStore Objects, ServiceAccountTokens Tokens, BlockingWork Work, IMounter Mounter);

/// <summary>
/// Sets up and tears down the volumes of pods. What is mounted is known from disk and the mount table, so nothing is lost with the
/// process; memory only says what is under way.
/// </summary>
public sealed partial class VolumeManager : IVolumeManager
{
    /// <summary>How long a pod's volumes may take. Source: volumemanager, podAttachAndMountTimeout.</summary>
    private static readonly TimeSpan SetUpLimit = TimeSpan.FromSeconds(123);

    private readonly VolumeManagerParts _parts;
    private readonly TimeProvider _time;
    private readonly ILogger<VolumeManager> _logger;
    private readonly ImmutableArray<IVolumePlugin> _plugins;
    private readonly VolumeTearDown _tearDown;
    private readonly ConcurrentDictionary<PodUid, bool> _known = new();

    /// <summary>Creates the manager; it does nothing by itself.</summary>
    public VolumeManager(VolumeManagerParts parts, TimeProvider time, ILogger<VolumeManager> logger)
    {
        ArgumentNullException.ThrowIfNull(parts);
        (_parts, _time, _logger) = (parts, time, logger);
        var host = new VolumeHost(parts.Paths, parts.Mounter, parts.Work);
        _plugins =
        [
            new EmptyDirPlugin(host, parts.Node),
            new HostPathPlugin(host),
            new ImageVolumePlugin(),
            new PayloadPlugin(host, new PayloadSources(parts.Objects, parts.Tokens, parts.Node), time),
        ];
        _tearDown = new VolumeTearDown(host);
    }

    /// <inheritdoc/>
    public async Task<ImmutableDictionary<string, MountedVolume>> MountAsync(Pod pod, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pod);
        Volume[] volumes = [.. VolumeFacts.Used(pod)];
        _parts.Objects.RegisterPod(pod);
        if (volumes.Length == 0)
        {
            return ImmutableDictionary<string, MountedVolume>.Empty;
        }

        _known[pod.Uid] = true;
        using var limit = new CancellationTokenSource(SetUpLimit, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        Task<MountedVolume>[] each = [.. volumes.Select(v => SetUpAsync(pod, v, both.Token))];
        await Task.WhenAll(each).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        cancellationToken.ThrowIfCancellationRequested();
        for (int i = 0; i < each.Length; i++)
        {
            if (each[i].IsCanceled)
            {
                throw new VolumeSetupException(volumes[i].Name, $"timed out after {SetUpLimit.TotalSeconds} s: the file system below it does not answer, or the API server did not; it is tried again");
            }

            await each[i];
        }

        return each.Select(t => t.Result).ToImmutableDictionary(m => m.Name, StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public async Task UnmountAsync(PodUid uid, CancellationToken cancellationToken)
    {
        if (!uid.IsPathSafe)
        {
            return;
        }

        _parts.Tokens.Forget(uid);
        _parts.Objects.UnregisterPod(uid);
        await _tearDown.RunAsync(uid, cancellationToken);
        _known.TryRemove(uid, out _);
    }

    /// <inheritdoc/>
    public bool HasMounts(PodUid uid) => uid.IsPathSafe && (_known.ContainsKey(uid) || _tearDown.IsAnythingLeft(uid));

    /// <summary>UIDs of all folders below pods/ that hold volumes or mounts, whoever made them.</summary>
    public IReadOnlyList<PodUid> PodsOnDisk() => _tearDown.PodsOnDisk();

    private async Task<MountedVolume> SetUpAsync(Pod pod, Volume volume, CancellationToken cancellationToken)
    {
        IVolumePlugin? plugin = _plugins.FirstOrDefault(p => p.Handles(volume));
        if (plugin is null)
        {
            throw new VolumeSetupException(volume.Name, $"spec.volumes[name={volume.Name}].{UnsupportedKind.Of(volume)} is not supported by this agent; use another kind of volume or another node");
        }

        try
        {
            return await plugin.SetUpAsync(new VolumeRequest(pod, volume, plugin.Key(pod, volume)), cancellationToken);
        }
        catch (Exception e) when (e is PayloadException or KubernetesException or IOException or UnauthorizedAccessException or ArgumentException or OverflowException)
        {
            LogFailed(pod.Ref, volume.Name, e.Message);
            throw new VolumeSetupException(volume.Name, e.Message, e);
        }
    }

    [LoggerMessage(2700, LogLevel.Debug, "Pod {Pod}: volume {Volume} cannot be set up: {Error}")]
    private partial void LogFailed(PodRef pod, string volume, string error);
}

/// <summary>Names the source of a volume that no plugin handles.</summary>
internal static class UnsupportedKind
{
    /// <summary>The JSON name of the source.</summary>
    public static string Of(Volume v) => v switch
    {
        { PersistentVolumeClaim: not null } => "persistentVolumeClaim",
        { Ephemeral: not null } => "ephemeral",
        { Csi: not null } => "csi",
        { Nfs: not null } => "nfs",
        { Iscsi: not null } => "iscsi",
        { Fc: not null } => "fc",
        { FlexVolume: not null } => "flexVolume",
        { GitRepo: not null } => "gitRepo",
        { AwsElasticBlockStore: not null } => "awsElasticBlockStore",
        { AzureDisk: not null } => "azureDisk",
        { AzureFile: not null } => "azureFile",
        { Cephfs: not null } => "cephfs",
        { Cinder: not null } => "cinder",
        { Flocker: not null } => "flocker",
        { GcePersistentDisk: not null } => "gcePersistentDisk",
        { Glusterfs: not null } => "glusterfs",
        { PhotonPersistentDisk: not null } => "photonPersistentDisk",
        { PortworxVolume: not null } => "portworxVolume",
        { Quobyte: not null } => "quobyte",
        { Rbd: not null } => "rbd",
        { ScaleIO: not null } => "scaleIO",
        { Storageos: not null } => "storageos",
        { VsphereVolume: not null } => "vsphereVolume",
        _ => "(a source unknown to this agent, or none)",
    };
}
