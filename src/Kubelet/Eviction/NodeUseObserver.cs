using System.Collections.Concurrent;
using System.Collections.Immutable;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Procfs;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Eviction;

/// <summary>What the observer reads.</summary>
/// <param name="Host">/proc.</param>
/// <param name="Paths">Folders.</param>
/// <param name="Runtime">Containers' own layers.</param>
/// <param name="Images">Where images lie.</param>
/// <param name="Cgroups">Memory and processes of pods.</param>
/// <param name="Observed">What the runtime has of a pod.</param>
/// <param name="Work">Threads for calls that may block.</param>
public sealed record NodeUseParts(
    HostInformation Host, KubeletPaths Paths, IRuntimeService Runtime, IImageService Images, CgroupUsage Cgroups, Func<PodUid, RuntimePodStatus?> Observed, BlockingWork Work);

/// <summary>
/// Reads /proc, control files of cgroups and statfs; asks the runtime, and walks through folders, only for pods whose disk use matters.
/// A file system that does not answer keeps its last figures.
/// </summary>
/// <param name="parts">What it reads.</param>
/// <param name="time">Clock.</param>
public sealed class NodeUseObserver(NodeUseParts parts, TimeProvider time) : INodeUseSource
{
    private const int WalksAtOnce = 2;
    private static readonly TimeSpan StatfsLimit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan WalkLimit = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan VolumesCountFor = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan FoldersCountFor = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<string, (FileSystemUsage Usage, ulong Device)> _last = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(PodUid Pod, string Volume), (DiskUse Use, long At)> _volumes = new();
    private (string? Images, string? Containers) _folders;
    private long? _foldersAsked;

    /// <inheritdoc/>
    public async Task<NodeUse> LookAsync(CancellationToken cancellationToken)
    {
        MemoryInformation memory = parts.Host.Memory();
        Dictionary<string, EvictionSignal> signals = new()
        {
            [EvictionSignals.Memory] = new EvictionSignal(memory.Total - memory.WorkingSet, memory.Total),
            [EvictionSignals.Pids] = new EvictionSignal(parts.Host.MaximumPids() - parts.Host.RunningPids(), parts.Host.MaximumPids()),
        };
        if (parts.Cgroups.AllPods() is var (used, limit))
        {
            signals[EvictionSignals.AllocatableMemory] = new EvictionSignal(limit - used, limit);
        }

        await FindFoldersAsync(cancellationToken);
        var root = await SpaceAsync(parts.Paths.Root, cancellationToken);
        var images = _folders.Images is { } i ? await SpaceAsync(i, cancellationToken) : null;
        var containers = _folders.Containers is { } c ? await SpaceAsync(c, cancellationToken) : images;
        Add(signals, EvictionSignals.NodeFs, EvictionSignals.NodeFsInodes, root?.Usage);
        Add(signals, EvictionSignals.ImageFs, EvictionSignals.ImageFsInodes, images?.Usage);
        Add(signals, EvictionSignals.ContainerFs, EvictionSignals.ContainerFsInodes, containers?.Usage);
        return new NodeUse(signals, LayoutOf(root?.Device, images?.Device, containers?.Device));
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<PodUid, PodUse>> MeasureAsync(IReadOnlyList<Pod> pods, PodFigures figures, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pods);
        IReadOnlyDictionary<string, DiskUse> layers = figures.HasFlag(PodFigures.Disk) ? await LayersAsync(pods, cancellationToken) : ImmutableDictionary<string, DiskUse>.Empty;
        ConcurrentDictionary<PodUid, PodUse> uses = new();
        await Parallel.ForEachAsync(pods, new ParallelOptions { MaxDegreeOfParallelism = WalksAtOnce, CancellationToken = cancellationToken }, async (pod, token) =>
        {
            if (parts.Observed(pod.Uid) is { AnythingRunning: true } status)
            {
                uses[pod.Uid] = await MeasureAsync(pod, status, figures, layers, token);
            }
        });
        return uses;
    }

    /// <summary>Which file systems are the same. Pure.</summary>
    internal static DiskLayout LayoutOf(ulong? root, ulong? images, ulong? containers) =>
        root is null || images is null || images == root ? DiskLayout.One
        : containers is null || containers == images ? DiskLayout.ImagesApart : DiskLayout.ImagesAloneApart;

    private static void Add(Dictionary<string, EvictionSignal> signals, string space, string inodes, FileSystemUsage? usage)
    {
        if (usage is not { } known)
        {
            return;
        }

        signals[space] = new EvictionSignal(known.Available, known.Capacity);
        if (known.Inodes > 0)
        {
            signals[inodes] = new EvictionSignal(known.InodesFree, known.Inodes);
        }
    }

    private async Task FindFoldersAsync(CancellationToken cancellationToken)
    {
        if (_foldersAsked is { } asked && time.GetElapsedTime(asked) < FoldersCountFor)
        {
            return;
        }

        try
        {
            ImageFsInfoResponse info = await parts.Images.ImageFsInfoAsync(new ImageFsInfoRequest(), cancellationToken);
            _folders = (MountPoint(info.ImageFilesystems), MountPoint(info.ContainerFilesystems));
            _foldersAsked = time.GetTimestamp();
        }
        catch (CriException)
        {
            // The runtime's silence is told of elsewhere; what was known of its folders still counts.
        }
    }

    private static string? MountPoint(IEnumerable<FilesystemUsage> filesystems) =>
        filesystems.FirstOrDefault()?.FsId?.Mountpoint is { Length: > 0 } folder ? folder : null;

    private async Task<(FileSystemUsage Usage, ulong Device)?> SpaceAsync(string folder, CancellationToken cancellationToken)
    {
        try
        {
            _last[folder] = await parts.Work.RunWithinAsync(
                "space of " + folder, StatfsLimit, () => (FileSystemUsage.Of(folder), FileAt.Status(folder, followLinks: true)?.Device ?? 0), cancellationToken);
        }
        catch (IOException)
        {
            // Not there, or it does not answer.
        }

        return _last.TryGetValue(folder, out var known) ? known : null;
    }

    private async Task<IReadOnlyDictionary<string, DiskUse>> LayersAsync(IReadOnlyList<Pod> pods, CancellationToken cancellationToken)
    {
        var filter = new ContainerStatsFilter();
        if (pods is [var only])
        {
            filter.LabelSelector.Add("io.kubernetes.pod.uid", only.Uid.Value);
        }

        try
        {
            ListContainerStatsResponse stats = await parts.Runtime.ListContainerStatsAsync(new ListContainerStatsRequest { Filter = filter }, cancellationToken);
            return stats.Stats.Where(s => s.WritableLayer is not null && s.Attributes is not null).GroupBy(s => s.Attributes.Id)
                .ToDictionary(g => g.Key, g => new DiskUse((long)(g.First().WritableLayer.UsedBytes?.Value ?? 0), (long)(g.First().WritableLayer.InodesUsed?.Value ?? 0)));
        }
        catch (CriException)
        {
            return ImmutableDictionary<string, DiskUse>.Empty;
        }
    }

    private async Task<PodUse> MeasureAsync(Pod pod, RuntimePodStatus status, PodFigures figures, IReadOnlyDictionary<string, DiskUse> layers, CancellationToken cancellationToken)
    {
        PodCgroupUse cgroup = figures.HasFlag(PodFigures.Cgroup) ? parts.Cgroups.Of(pod) : default;
        RuntimeContainerStatus[] newest = [.. status.Containers.GroupBy(c => c.Name).Select(g => g.First())];
        List<ContainerUse> containers = [];
        foreach (RuntimeContainerStatus c in newest)
        {
            containers.Add(new ContainerUse(c.Name)
            {
                Memory = figures.HasFlag(PodFigures.ContainerMemory) ? parts.Cgroups.OfContainer(pod, c.Id.Id) : null,
                RootFs = layers.TryGetValue(c.Id.Id, out DiskUse layer) ? layer : null,
                Logs = figures.HasFlag(PodFigures.Disk) ? await LogsAsync(pod, c.Name, cancellationToken) : null,
            });
        }

        var use = new PodUse { Memory = cgroup.Memory, Processes = cgroup.Processes ?? 0, Containers = [.. containers] };
        return !figures.HasFlag(PodFigures.Disk) ? use
            : use with { Volumes = await VolumesAsync(pod, cancellationToken), Other = await HostsFileAsync(pod, cancellationToken) };
    }

    private async Task<DiskUse?> LogsAsync(Pod pod, string container, CancellationToken cancellationToken)
    {
        string folder = parts.Paths.PodLogFolder(pod.Ref);
        return pod.Uid.IsPathSafe && Segments.IsSafe(Path.GetFileName(folder)) && Segments.IsSafe(container)
            ? await WalkAsync(pod, Path.Combine(folder, container), cancellationToken) : null;
    }

    private async Task<ImmutableDictionary<string, DiskUse>> VolumesAsync(Pod pod, CancellationToken cancellationToken)
    {
        var uses = ImmutableDictionary.CreateBuilder<string, DiskUse>();
        foreach (Volume volume in pod.Spec.Volumes.Where(v => v.EmptyDir is { } e && string.IsNullOrEmpty(e.Medium) && pod.Uid.IsPathSafe && Segments.IsSafe(v.Name)))
        {
            (PodUid, string) key = (pod.Uid, volume.Name);
            if (!_volumes.TryGetValue(key, out var known) || time.GetElapsedTime(known.At) >= VolumesCountFor)
            {
                if (await WalkAsync(pod, parts.Paths.PodVolume(pod.Uid, EmptyDirPlugin.Escaped, volume.Name), cancellationToken) is not { } use)
                {
                    continue;
                }

                known = _volumes[key] = (use, time.GetTimestamp());
            }

            uses[volume.Name] = known.Use;
        }

        foreach (var old in _volumes.Where(v => time.GetElapsedTime(v.Value.At) > 10 * VolumesCountFor))
        {
            _volumes.TryRemove(old);
        }

        return uses.ToImmutable();
    }

    private async Task<DiskUse> HostsFileAsync(Pod pod, CancellationToken cancellationToken)
    {
        if (!pod.Uid.IsPathSafe)
        {
            return default;
        }

        string file = parts.Paths.PodHostsFile(pod.Uid);
        try
        {
            return await parts.Work.RunWithinAsync(
                pod.Uid + "/use", WalkLimit, () => FileAt.Status(file, followLinks: false) is { } status ? new DiskUse(status.Size, 1) : default, cancellationToken);
        }
        catch (IOException)
        {
            return default;
        }
    }

    // Null where it cannot be told: a pod is not evicted for what nobody has measured.
    private async Task<DiskUse?> WalkAsync(Pod pod, string folder, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(WalkLimit, time);
        try
        {
            FolderUsage usage = await parts.Work.RunWithinAsync(pod.Uid + "/use", WalkLimit, () => FolderUsage.Of(folder, limit.Token), cancellationToken);
            return new DiskUse(usage.Bytes, usage.Inodes);
        }
        catch (Exception e) when (e is IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }
}
