using Microsoft.Extensions.Logging;
using NodeAgent.Cri;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Cleanup;

/// <summary>What housekeeping looks at and acts through.</summary>
/// <param name="Workers">Pods that have a worker are that worker's matter.</param>
/// <param name="Cache">What the runtime has.</param>
/// <param name="Runtime">Removes what is dead.</param>
/// <param name="Volumes">Tears volumes down.</param>
/// <param name="Cgroups">Lists and removes pod cgroups.</param>
/// <param name="Paths">Folders.</param>
public sealed record HousekeepingParts(
    PodWorkers Workers, PodStatusCache Cache, IPodRuntime Runtime, IVolumeManager Volumes, IPodCgroupManager Cgroups, KubeletPaths Paths);

/// <summary>
/// Removes what belongs to pods that no source wants and no worker handles: what still runs is ended by a worker, what is dead is
/// removed, then volumes, folders and cgroups. Nothing happens before all sources have delivered and the runtime was listed once.
/// Source: pkg/kubelet/kubelet_pods.go (HandlePodCleanups).
/// </summary>
public sealed partial class Housekeeper(HousekeepingParts parts, Func<bool> allSourcesReady, ILogger<Housekeeper> logger)
{
    private readonly SemaphoreSlim _wanted = new(0);

    /// <summary>Asks for a pass soon; never blocks.</summary>
    public void Request()
    {
        if (_wanted.CurrentCount == 0)
        {
            _wanted.Release();
        }
    }

    /// <summary>Works whenever asked, until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await _wanted.WaitAsync(cancellationToken);
                if (allSourcesReady())
                {
                    await PassAsync(cancellationToken);
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                LogFailed(e.Message);
            }
        }
    }

    /// <summary>One pass over everything.</summary>
    internal async Task PassAsync(CancellationToken cancellationToken)
    {
        // Look first, ask for workers afterwards: whatever a worker made before the look, its worker is known by then.
        RuntimePodStatus[] observed = [.. parts.Cache.All];
        PodUid[] onDisk = [.. OnDisk()];
        IReadOnlyList<PodUid> cgroups = await parts.Cgroups.ListAsync(cancellationToken);
        var handled = parts.Workers.Known.ToHashSet();
        foreach (RuntimePodStatus status in observed.Where(s => !handled.Contains(s.Pod.Uid)))
        {
            if (status.AnythingRunning)
            {
                LogOrphan(status.Pod);
                parts.Workers.TerminateOrphan(OrphanOf(status.Pod));
                handled.Add(status.Pod.Uid);
            }
            else
            {
                await RemoveDeadAsync(status, cancellationToken);
            }
        }

        foreach (PodUid uid in onDisk.Where(uid => !handled.Contains(uid)))
        {
            await RemoveFoldersAsync(uid, cancellationToken);
        }

        foreach (PodUid uid in cgroups.Where(uid => !handled.Contains(uid)))
        {
            await parts.Cgroups.RemoveAsync(uid, cancellationToken);
        }
    }

    // One pod that cannot be removed yet keeps no other from being removed.
    private async Task RemoveDeadAsync(RuntimePodStatus status, CancellationToken cancellationToken)
    {
        try
        {
            await parts.Runtime.RemovePodAsync(status, cancellationToken);
        }
        catch (Exception e) when (e is CriException or IOException or UnauthorizedAccessException)
        {
            LogDeadStays(status.Pod, e.Message);
        }
    }

    private IEnumerable<PodUid> OnDisk() => Directory.Exists(parts.Paths.Pods)
        ? Directory.EnumerateDirectories(parts.Paths.Pods).Select(d => new PodUid(Path.GetFileName(d))).Where(u => u.IsPathSafe)
        : [];

    private async Task RemoveFoldersAsync(PodUid uid, CancellationToken cancellationToken)
    {
        try
        {
            await parts.Volumes.UnmountAsync(uid, cancellationToken);
            PodFolders.Remove(parts.Paths, uid);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or VolumeSetupException)
        {
            LogFolderStays(uid, e.Message);
        }
    }

    private static Pod OrphanOf(PodRef pod) => new()
    {
        Metadata = new ObjectMeta { Namespace = pod.Namespace, Name = pod.Name, Uid = pod.Uid.Value },
        Spec = new PodSpec(),
        Status = new PodStatus(),
    };

    [LoggerMessage(2500, LogLevel.Warning, "Housekeeping failed, will be tried again: {Error}")]
    private partial void LogFailed(string error);

    [LoggerMessage(2501, LogLevel.Information, "Pod {Pod} runs but no source wants it: it is ended")]
    private partial void LogOrphan(PodRef pod);

    [LoggerMessage(2503, LogLevel.Warning, "What is left of pod {Pod} in the runtime cannot be removed yet: {Error}")]
    private partial void LogDeadStays(PodRef pod, string error);

    [LoggerMessage(2502, LogLevel.Warning, "Folder of pod {Uid}, which is gone, cannot be removed yet: {Error}")]
    private partial void LogFolderStays(PodUid uid, string error);
}
