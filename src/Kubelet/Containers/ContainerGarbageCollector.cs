using System.Globalization;
using Microsoft.Extensions.Logging;
using NodeAgent.Cri;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Syscalls;
using V1 = NodeAgent.Cri.V1;

namespace NodeAgent.Kubelet.Containers;

/// <summary>What of one pod may go.</summary>
/// <param name="Containers">Dead containers.</param>
/// <param name="Sandboxes">Sandboxes that are not ready.</param>
internal sealed record PodGarbage(IReadOnlyList<RuntimeContainerStatus> Containers, IReadOnlyList<RuntimeSandboxStatus> Sandboxes);

/// <summary>
/// Removes dead containers beyond those kept for their logs, sandboxes without use, and logs of pods that are gone. The owner of the
/// periodic work calls it (upstream: every minute). Source: pkg/kubelet/kuberuntime/kuberuntime_gc.go.
/// </summary>
/// <param name="runtime">The runtime.</param>
/// <param name="paths">Folders.</param>
/// <param name="work">Threads for calls that may block.</param>
/// <param name="keptPerContainer">maximum-dead-containers-per-container; upstream's default is 1.</param>
/// <param name="logger">Log.</param>
public sealed partial class ContainerGarbageCollector(IRuntimeService runtime, KubeletPaths paths, BlockingWork work, int keptPerContainer, ILogger<ContainerGarbageCollector> logger)
{
    private static readonly TimeSpan FileLimit = TimeSpan.FromSeconds(10);
    private readonly string _logLinks = ContainerLogLinks.FolderOf(paths);

    /// <summary>One pass. A removal that fails is logged and tried again in the next.</summary>
    /// <param name="pods">A fresh list of what the runtime has.</param>
    /// <param name="exists">Whether the pod is wanted; must say true for all while a source has not delivered yet.</param>
    /// <param name="cancellationToken">Looked at between pods.</param>
    public async Task CollectAsync(IReadOnlyList<RuntimePodListing> pods, Func<PodUid, bool> exists, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pods);
        ArgumentNullException.ThrowIfNull(exists);
        foreach (RuntimePodListing pod in pods)
        {
            cancellationToken.ThrowIfCancellationRequested();
            PodGarbage garbage = Choose(pod, exists(pod.Pod.Uid), keptPerContainer);
            foreach (RuntimeContainerStatus c in garbage.Containers)
            {
                await TryAsync(() => RemoveContainerAsync(pod.Pod, c));
            }

            foreach (RuntimeSandboxStatus s in garbage.Sandboxes)
            {
                await TryAsync(() => RemoveSandboxAsync(s.Id));
            }
        }

        await TryAsync(() => work.RunWithinAsync(paths.PodLogs, FileLimit, () => RemoveOrphanLogs([.. pods.Select(p => p.Pod.Uid)], exists), cancellationToken));
    }

    /// <summary>Decides: of a wanted pod the newest dead attempts of each container and the newest sandbox stay. Pure.</summary>
    internal static PodGarbage Choose(RuntimePodListing pod, bool exists, int kept)
    {
        List<RuntimeContainerStatus> dead = [];
        foreach (IGrouping<string, RuntimeContainerStatus> attempts in pod.Containers.GroupBy(c => c.Name))
        {
            IEnumerable<RuntimeContainerStatus> ended = attempts
                .Where(c => c.State == RuntimeContainerState.Exited)
                .OrderByDescending(c => c.CreatedAt);
            dead.AddRange(exists ? ended.Skip(Math.Max(kept, 0)) : ended);
            if (exists)
            {
                // Created and passed over by a later attempt: it will never be started.
                dead.AddRange(attempts.Where(c => c.State == RuntimeContainerState.Created && attempts.Any(o => o.RestartCount > c.RestartCount)));
            }
        }

        HashSet<string> used = [.. pod.Containers.Except(dead).Select(c => c.SandboxId)];
        IEnumerable<RuntimeSandboxStatus> sandboxes = pod.Sandboxes
            .OrderByDescending(s => s.CreatedAt)
            .Skip(exists ? 1 : 0)
            .Where(s => s.State == RuntimeSandboxState.NotReady && !used.Contains(s.Id));
        return new PodGarbage(dead, [.. sandboxes]);
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

    private void RemoveOrphanLogs(HashSet<PodUid> listed, Func<PodUid, bool> exists)
    {
        foreach (string folder in Directory.Exists(paths.PodLogs) ? Directory.EnumerateDirectories(paths.PodLogs) : [])
        {
            string[] parts = Path.GetFileName(folder).Split('_');
            if (parts.Length == 3 && new PodUid(parts[2]) is { IsPathSafe: true } uid && !listed.Contains(uid) && !exists(uid))
            {
                TreeRemover.Remove(folder);
            }
        }

        ContainerLogLinks.RemoveDangling(_logLinks, paths.PodLogs);
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
