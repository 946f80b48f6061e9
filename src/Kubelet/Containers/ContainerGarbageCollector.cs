using System.Globalization;
using Microsoft.Extensions.Logging;
using NodeAgent.Cri;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Syscalls;
using V1 = NodeAgent.Cri.V1;

namespace NodeAgent.Kubelet.Containers;

/// <summary>
/// Removes dead containers beyond those kept for their logs, sandboxes without use, and logs of pods that are gone. The owner of the
/// periodic work calls it (upstream: every minute). Source: pkg/kubelet/kuberuntime/kuberuntime_gc.go.
/// </summary>
/// <param name="runtime">The runtime.</param>
/// <param name="paths">Folders.</param>
/// <param name="work">Threads for calls that may block.</param>
/// <param name="policy">How many dead containers stay.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
public sealed partial class ContainerGarbageCollector(IRuntimeService runtime, KubeletPaths paths, BlockingWork work, DeadContainerPolicy policy, TimeProvider time, ILogger<ContainerGarbageCollector> logger)
{
    private static readonly TimeSpan FileLimit = TimeSpan.FromSeconds(10);
    private readonly string _logLinks = ContainerLogLinks.FolderOf(paths);

    /// <summary>One pass. A removal that fails is logged and tried again in the next.</summary>
    /// <param name="pods">A fresh list of what the runtime has.</param>
    /// <param name="claim">What a pod still needs; must say Wanted for all while a source has not delivered yet.</param>
    /// <param name="endedToo">Space is wanted: of pods that have ended nothing dead stays either, but for their logs' folders.</param>
    /// <param name="cancellationToken">Looked at between pods.</param>
    public async Task CollectAsync(IReadOnlyList<RuntimePodListing> pods, Func<PodUid, PodClaim> claim, bool endedToo, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pods);
        ArgumentNullException.ThrowIfNull(claim);
        foreach (PodGarbage garbage in PodGarbage.Choose(pods, uid => claim(uid) is var c && (c == PodClaim.Gone || (endedToo && c == PodClaim.Ended)), policy, time.GetUtcNow()))
        {
            await RemoveAsync(garbage, cancellationToken);
        }

        await work.RunWithinAsync(paths.PodLogs, FileLimit, () => RemoveOrphanLogs(pods, uid => claim(uid) != PodClaim.Gone), cancellationToken);
    }

    /// <summary>What of one pod is dead and too much; of a pod that goes its sandboxes too.</summary>
    /// <param name="pod">What the runtime has of it.</param>
    /// <param name="kept">How much stays.</param>
    /// <param name="goes">Nothing of it stays.</param>
    /// <param name="cancellationToken">Looked at before the first removal.</param>
    internal async Task CollectPodAsync(RuntimePodListing pod, DeadContainerPolicy kept, bool goes, CancellationToken cancellationToken)
    {
        foreach (PodGarbage garbage in PodGarbage.Choose([pod], _ => goes, kept, time.GetUtcNow()))
        {
            await RemoveAsync(goes ? garbage : garbage with { Sandboxes = [] }, cancellationToken);
        }
    }

    private async Task RemoveAsync(PodGarbage garbage, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        foreach (RuntimeContainerStatus c in garbage.Containers)
        {
            await TryAsync(() => RemoveContainerAsync(garbage.Pod, c));
        }

        foreach (RuntimeSandboxStatus s in garbage.Sandboxes)
        {
            await TryAsync(() => RemoveSandboxAsync(s.Id));
        }
    }

    private async Task RemoveContainerAsync(PodRef pod, RuntimeContainerStatus c)
    {
        await work.RunWithinAsync(pod.Uid + "/", FileLimit, () => RemoveLogs(pod, c), CancellationToken.None);
        await IgnoringGoneAsync(runtime.RemoveContainerAsync(new V1.RemoveContainerRequest { ContainerId = c.Id.Id }, CancellationToken.None));
    }

    private async Task RemoveSandboxAsync(string id)
    {
        await IgnoringGoneAsync(runtime.StopPodSandboxAsync(new V1.StopPodSandboxRequest { PodSandboxId = id }, CancellationToken.None));
        await IgnoringGoneAsync(runtime.RemovePodSandboxAsync(new V1.RemovePodSandboxRequest { PodSandboxId = id }, CancellationToken.None));
    }

    private static async Task IgnoringGoneAsync(Task call)
    {
        try
        {
            await call;
        }
        catch (CriException e) when (e.Kind == CriErrorKind.NotFound)
        {
            // What is gone needs no removal; containerd 1.6 says so although the CRI asks for success.
        }
    }

    private void RemoveLogs(PodRef pod, RuntimeContainerStatus c)
    {
        ContainerLogLinks.Remove(_logLinks, ContainerLogLinks.NameOf(pod, c.Name, c.Id.Id));
        if (!pod.Uid.IsPathSafe || !Segments.IsSafe(Path.GetFileName(paths.PodLogFolder(pod))) || !Segments.IsSafe(c.Name))
        {
            return;
        }

        string folder = Path.Combine(paths.PodLogFolder(pod), c.Name);
        if (Directory.Exists(folder))
        {
            string attempt = string.Create(CultureInfo.InvariantCulture, $"{c.RestartCount}.log");
            foreach (string file in Directory.EnumerateFiles(folder, attempt + "*"))
            {
                File.Delete(file);
            }
        }
    }

    private void RemoveOrphanLogs(IReadOnlyList<RuntimePodListing> pods, Func<PodUid, bool> exists)
    {
        HashSet<PodUid> listed = [.. pods.Select(p => p.Pod.Uid)];
        foreach (string folder in Directory.Exists(paths.PodLogs) ? Directory.EnumerateDirectories(paths.PodLogs) : [])
        {
            string[] parts = Path.GetFileName(folder).Split('_');
            if (parts.Length == 3 && new PodUid(parts[2]) is { IsPathSafe: true } uid && !listed.Contains(uid) && !exists(uid))
            {
                TreeRemover.Remove(folder);
            }
        }

        // The log of one that is not dead may be between two names, while it is rotated.
        ContainerLogLinks.RemoveDangling(
            _logLinks, paths.PodLogs, pods.SelectMany(p => p.Containers).Where(c => c.State != RuntimeContainerState.Exited).Select(c => c.Id.Id).ToHashSet());
    }

    private async Task TryAsync(Func<Task> remove)
    {
        try
        {
            await remove();
        }
        catch (Exception e) when (e is CriException or IOException or UnauthorizedAccessException)
        {
            LogFailed(e.Message);
        }
    }

    [LoggerMessage(2641, LogLevel.Warning, "Something dead could not be removed, will be tried again: {Error}")]
    private partial void LogFailed(string error);
}
