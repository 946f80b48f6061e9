using Microsoft.Extensions.Logging;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Images;
using NodeAgent.Kubelet.Nodes;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Linux.Procfs;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Composition;

/// <summary>Dead containers each minute, images each five minutes, and both at once where an eviction wants space. Source: StartGarbageCollection in pkg/kubelet/kubelet.go.</summary>
internal sealed partial class NodeGarbage(
    ContainerGarbageCollector containers, ImageGarbageCollector images, IPodRuntime runtime, Func<PodUid, PodClaim> claim, NodeEvents events, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan StatfsLimit = TimeSpan.FromSeconds(10);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        Task ended = await Task.WhenAny(images.RunAsync(cancellationToken), CollectContainersAsync(cancellationToken));
        await ended;
    }

    /// <summary>Removes what is dead, of pods that have ended too.</summary>
    public async Task RemoveDeadAsync(CancellationToken cancellationToken) =>
        await containers.CollectAsync(await runtime.ListPodsAsync(cancellationToken), claim, endedToo: true, cancellationToken);

    /// <summary>Removes images nobody uses; what cannot be removed is told.</summary>
    public async Task RemoveUnusedImagesAsync(CancellationToken cancellationToken)
    {
        if (await images.RemoveUnusedAsync(cancellationToken) is { } error)
        {
            LogImages(error);
        }
    }

    /// <summary>Removes what a later end makes needless, as soon as it is seen.</summary>
    /// <returns>The loop.</returns>
    public static Func<CancellationToken, Task> Pruning(
        ContainerGarbageCollector containers, DeadContainerPolicy policy, PodStatusCache cache, PodWorkers workers, PodLifecycleEventGenerator pleg)
    {
        var pruner = new DeadContainerPruner(containers, policy, cache.Get, uid => workers.StateOf(uid) is { Phase: PodWorkPhase.Finished, Kill.Evicts: true });
        pleg.PodChanged += (uid, _) => pruner.Look(uid);
        workers.PodFinished += pod => pruner.Look(pod.Uid);
        return pruner.RunAsync;
    }

    /// <summary>What a pod still needs, from where its worker stands.</summary>
    public static PodClaim ClaimOf(PodWorkerState? state) => state switch
    {
        null or { Phase: PodWorkPhase.Finished, Kill.Evicts: true } => PodClaim.Gone,
        { Phase: PodWorkPhase.Finished } => PodClaim.Ended,
        _ => PodClaim.Wanted,
    };

    /// <summary>Space where the runtime has its images; null where it does not tell or the file system does not.</summary>
    public static async Task<FileSystemUsage?> ImageSpaceAsync(IImageService images, BlockingWork work, CancellationToken cancellationToken)
    {
        ImageFsInfoResponse info = await images.ImageFsInfoAsync(new ImageFsInfoRequest(), cancellationToken);
        if (info.ImageFilesystems.FirstOrDefault()?.FsId?.Mountpoint is not { Length: > 0 } folder)
        {
            return null;
        }

        try
        {
            return await work.RunWithinAsync("statfs " + folder, StatfsLimit, () => FileSystemUsage.Of(folder), cancellationToken);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private async Task CollectContainersAsync(CancellationToken cancellationToken)
    {
        using var minute = new PeriodicTimer(TimeSpan.FromMinutes(1), time);
        while (await minute.WaitForNextTickAsync(cancellationToken))
        {
            try
            {
                await containers.CollectAsync(await runtime.ListPodsAsync(cancellationToken), claim, endedToo: false, cancellationToken);
            }
            catch (Exception e) when (e is CriException or IOException or UnauthorizedAccessException)
            {
                events.Record("Warning", "ContainerGCFailed", e.Message);
                LogFailed(e.Message);
            }
        }
    }

    [LoggerMessage(1006, LogLevel.Warning, "Unused images: {Error}")]
    private partial void LogImages(string error);

    [LoggerMessage(1003, LogLevel.Warning, "Dead containers cannot be collected, the next pass is in a minute: {Error}")]
    private partial void LogFailed(string error);
}
