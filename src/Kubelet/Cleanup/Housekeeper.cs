using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using NodeAgent.Cri;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Cleanup;

/// <summary>What housekeeping looks at and acts through.</summary>
/// <param name="Workers">Pods that have a worker are that worker's matter.</param>
/// <param name="Cache">What the runtime has.</param>
/// <param name="Runtime">Removes what is dead.</param>
/// <param name="Volumes">Tears volumes down.</param>
/// <param name="Cgroups">Lists and removes pod cgroups.</param>
/// <param name="Paths">Folders.</param>
/// <param name="Work">Threads for calls that may block.</param>
/// <param name="Time">Clock.</param>
public sealed record HousekeepingParts(
    PodWorkers Workers, PodStatusCache Cache, IPodRuntime Runtime, IVolumeManager Volumes, IPodCgroupManager Cgroups, KubeletPaths Paths, BlockingWork Work, TimeProvider Time)
{
    /// <summary>Ids of pods with a user namespace of their own; null where there can be none.</summary>
    public UserNamespaces? UserNamespaces { get; init; }
}

/// <summary>
/// Removes what belongs to pods that no source wants and no worker handles: what still runs is ended by a worker, what is dead is
/// removed, then volumes, folders and cgroups. Nothing happens before all sources have delivered and the runtime was listed once.
/// Source: pkg/kubelet/kubelet_pods.go (HandlePodCleanups).
/// </summary>
public sealed partial class Housekeeper(HousekeepingParts parts, Func<bool> allSourcesReady, ILogger<Housekeeper> logger)
{
    // A pass waits so long for the removals it began; one that hangs goes on beside the passes after it.
    private static readonly TimeSpan RemovalsCountFor = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FolderLimit = TimeSpan.FromMinutes(2);

    // Nobody but us makes folders and cgroups of pods, so a pass that is not asked for seldom finds anything.
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);

    private readonly SemaphoreSlim _wanted = new(0);
    private readonly ConcurrentDictionary<(string What, PodUid Uid), Task> _removals = new();
    private long _lastPass = parts.Time.GetTimestamp();
    private volatile bool _leftToDo = true;

    /// <summary>Asks for a pass soon; never blocks.</summary>
    public void Request()
    {
        if (_wanted.CurrentCount == 0)
        {
            _wanted.Release();
        }
    }

    /// <summary>
    /// After a relist: asks for a pass where the runtime has a pod without a worker, where the last pass found something to remove or
    /// there was none yet, and otherwise once a minute. Looking through cgroups and folders after each relist would be most of the work of a node at rest.
    /// </summary>
    public void Relisted()
    {
        if (MayFindSomething)
        {
            Request();
        }
    }

    /// <summary>Whether a pass is due without being asked for.</summary>
    internal bool MayFindSomething =>
        _leftToDo || parts.Time.GetElapsedTime(Volatile.Read(ref _lastPass)) >= Quiet || parts.Cache.Uids.Any(uid => parts.Workers.StateOf(uid) is null);

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
        Volatile.Write(ref _lastPass, parts.Time.GetTimestamp());
        _leftToDo = true;
        // Look first, ask for workers afterwards: whatever a worker made before the look, its worker is known by then.
        RuntimePodStatus[] observed = [.. parts.Cache.All];
        IReadOnlyList<PodUid> onDisk = await parts.Work.RunWithinAsync(parts.Paths.Pods, FolderLimit, OnDisk, cancellationToken);
        IReadOnlyList<PodUid> cgroups = await parts.Cgroups.ListAsync(cancellationToken);
        var handled = parts.Workers.Known.ToHashSet();
        List<Task> removals = [];
        bool orphans = false;
        foreach (RuntimePodStatus status in observed.Where(s => !handled.Contains(s.Pod.Uid)))
        {
            if (status.AnythingRunning)
            {
                LogOrphan(status.Pod);
                parts.Workers.TerminateOrphan(OrphanOf(status.Pod));
                handled.Add(status.Pod.Uid);
                orphans = true;
            }
            else
            {
                removals.Add(Once("rest in the runtime", status.Pod.Uid, () => parts.Runtime.RemovePodAsync(status, cancellationToken)));
            }
        }

        removals.AddRange(onDisk.Where(uid => !handled.Contains(uid)).Select(uid => Once("folder", uid, () => RemoveFoldersAsync(uid, cancellationToken))));
        removals.AddRange(cgroups.Where(uid => !handled.Contains(uid)).Select(uid => Once("cgroup", uid, () => parts.Cgroups.RemoveAsync(uid, cancellationToken))));
        // One pod that cannot be removed yet keeps no other from being removed.
        try
        {
            await Task.WhenAll(removals).WaitAsync(RemovalsCountFor, parts.Time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // They go on, and are told of where they fail.
        }

        // What there was to remove may be there still.
        _leftToDo = orphans || removals.Count > 0;
    }

    // What hangs since an earlier pass is not begun a second time.
    private Task Once(string what, PodUid uid, Func<Task> remove)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task current = _removals.GetOrAdd((what, uid), done.Task);
        return current == done.Task ? RemoveAsync(what, uid, remove, done) : current;
    }

    private async Task RemoveAsync(string what, PodUid uid, Func<Task> remove, TaskCompletionSource done)
    {
        try
        {
            await remove();
        }
        catch (Exception e) when (e is CriException or IOException or UnauthorizedAccessException or VolumeSetupException or CgroupException)
        {
            LogStays(what, uid, e.Message);
        }
        finally
        {
            _removals.TryRemove((what, uid), out _);
            done.TrySetResult();
        }
    }

    private IReadOnlyList<PodUid> OnDisk() => Directory.Exists(parts.Paths.Pods)
        ? [.. Directory.EnumerateDirectories(parts.Paths.Pods).Select(d => new PodUid(Path.GetFileName(d))).Where(u => u.IsPathSafe)]
        : [];

    private async Task RemoveFoldersAsync(PodUid uid, CancellationToken cancellationToken)
    {
        await parts.Volumes.UnmountAsync(uid, cancellationToken);
        await (parts.UserNamespaces?.ReleaseAsync(uid, cancellationToken) ?? Task.CompletedTask);
        await parts.Work.RunWithinAsync(uid + "/", FolderLimit, () => PodFolders.Remove(parts.Paths, uid), cancellationToken);
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

    [LoggerMessage(2502, LogLevel.Warning, "The {What} of pod {Uid}, which is gone, cannot be removed yet: {Error}")]
    private partial void LogStays(string what, PodUid uid, string error);
}
