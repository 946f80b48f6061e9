using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Logs;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Syscalls;
using ContainerId = NodeAgent.Kubelet.Pods.ContainerId;
using CriContainer = NodeAgent.Cri.V1.Container;
using CriStatus = NodeAgent.Cri.V1.ContainerStatus;

namespace NodeAgent.Kubelet.Containers;

/// <summary>Reads what the runtime has of pods. Source: pkg/kubelet/kuberuntime/kuberuntime_container.go (getPodContainerStatuses).</summary>
/// <param name="runtime">The runtime.</param>
/// <param name="work">Threads for calls that may block.</param>
/// <param name="time">Clock.</param>
internal sealed class RuntimeObserver(IRuntimeService runtime, BlockingWork work, TimeProvider time)
{
    private const int LargestMessage = 4096;
    private const int LargestLogMessage = 2048;
    private const int MostLogLines = 80;

    // A status must not wait for a disk: without its message it is still a status.
    private static readonly TimeSpan MessageLimit = TimeSpan.FromSeconds(2);
    private readonly ConcurrentDictionary<PodUid, PodSandboxStatus> _made = new();
    private string? _runtimeName;

    /// <summary>A sandbox was made just now and this was read of it: the next look that lists it as ready need not ask again.</summary>
    public void Made(PodUid uid, PodSandboxStatus status) => _made[uid] = status;

    /// <summary>Forgets a pod.</summary>
    public void Forget(PodUid uid) => _made.TryRemove(uid, out _);

    public async Task<string> RuntimeNameAsync(CancellationToken cancellationToken) =>
        _runtimeName ??= (await runtime.VersionAsync(new VersionRequest { Version = "0.1.0" }, cancellationToken)).RuntimeName;

    public async Task<ImmutableArray<RuntimePodListing>> ListAsync(CancellationToken cancellationToken)
    {
        string name = await RuntimeNameAsync(cancellationToken);
        var sandboxes = (await runtime.ListPodSandboxAsync(new ListPodSandboxRequest(), cancellationToken)).Items;
        var containers = (await runtime.ListContainersAsync(new ListContainersRequest(), cancellationToken)).Containers;
        var pods = new Dictionary<PodUid, (PodRef Pod, List<RuntimeSandboxStatus> Sandboxes, List<RuntimeContainerStatus> Containers)>();
        // What does not carry our labels belongs to somebody else.
        foreach (PodSandbox s in sandboxes.Where(s => s.Metadata is not null && s.Labels.GetValueOrDefault(CriNames.PodUid, "") == s.Metadata.Uid))
        {
            var pod = new PodRef(s.Metadata.Namespace, s.Metadata.Name, new PodUid(s.Metadata.Uid));
            (pods.TryGetValue(pod.Uid, out var entry) ? entry : pods[pod.Uid] = (pod, [], [])).Sandboxes.Add(Listed(s));
        }

        foreach (CriContainer c in containers)
        {
            if (c.Labels.TryGetValue(CriNames.PodUid, out string? uid) && c.Metadata is not null && c.Labels.TryGetValue(CriNames.PodName, out string? podName))
            {
                var pod = new PodRef(c.Labels.GetValueOrDefault(CriNames.PodNamespace, ""), podName, new PodUid(uid));
                (pods.TryGetValue(pod.Uid, out var entry) ? entry : pods[pod.Uid] = (pod, [], [])).Containers.Add(Listed(c, name));
            }
        }

        return
        [
            .. pods.Values.Select(p => new RuntimePodListing(
                p.Pod, [.. p.Sandboxes.OrderByDescending(s => s.CreatedAt)], [.. Newest(p.Containers)])),
        ];
    }

    public async Task<RuntimePodStatus> StatusAsync(PodRef pod, CancellationToken cancellationToken)
    {
        string name = await RuntimeNameAsync(cancellationToken);
        DateTimeOffset now = time.GetUtcNow();
        var sandboxFilter = new PodSandboxFilter();
        sandboxFilter.LabelSelector.Add(CriNames.PodUid, pod.Uid.Value);
        var containerFilter = new ContainerFilter();
        containerFilter.LabelSelector.Add(CriNames.PodUid, pod.Uid.Value);
        // Side by side: the one answer does not depend on the other.
        Task<ListPodSandboxResponse> listing = runtime.ListPodSandboxAsync(new ListPodSandboxRequest { Filter = sandboxFilter }, cancellationToken);
        Task<ListContainersResponse> listingContainers = runtime.ListContainersAsync(new ListContainersRequest { Filter = containerFilter }, cancellationToken);
        await Task.WhenAll(listing, listingContainers);
        RuntimeSandboxStatus[] seen = [.. (await listing).Items.Select(Listed).OrderByDescending(s => s.CreatedAt)];
        Task<List<RuntimeContainerStatus>> reading = ContainersAsync((await listingContainers).Containers, name, cancellationToken);
        // Addresses are asked for where they count: the newest sandbox.
        PodSandboxStatus? made = _made.TryRemove(pod.Uid, out PodSandboxStatus? read) && seen is [{ State: RuntimeSandboxState.Ready } ready, ..] && ready.Id == read.Id ? read : null;
        Task<RuntimeSandboxStatus>? newest = seen.Length > 0 ? WithStatusAsync(seen[0], made, cancellationToken) : null;
        await Task.WhenAll(reading, newest ?? Task.CompletedTask);
        List<RuntimeContainerStatus> statuses = await reading;
        if (newest is not null)
        {
            seen[0] = await newest;
        }

        return new RuntimePodStatus
        {
            Pod = pod,
            ObservedAt = now,
            Sandboxes = [.. seen],
            Containers = [.. Newest(statuses)],
        };
    }

    private async Task<List<RuntimeContainerStatus>> ContainersAsync(IEnumerable<CriContainer> containers, string runtimeName, CancellationToken cancellationToken)
    {
        var statuses = new List<RuntimeContainerStatus>();
        foreach (CriContainer c in containers)
        {
            if (await ContainerAsync(c.Id, c.PodSandboxId, runtimeName, cancellationToken) is { } status)
            {
                statuses.Add(status);
            }
        }

        return statuses;
    }

    private async Task<RuntimeSandboxStatus> WithStatusAsync(RuntimeSandboxStatus sandbox, PodSandboxStatus? known, CancellationToken cancellationToken)
    {
        try
        {
            PodSandboxStatus status = known ?? (await runtime.PodSandboxStatusAsync(new PodSandboxStatusRequest { PodSandboxId = sandbox.Id }, cancellationToken)).Status;
            IEnumerable<string> ips = status.Network is { } n ? [.. new[] { n.Ip }.Where(ip => ip.Length > 0), .. n.AdditionalIps.Select(a => a.Ip)] : [];
            return sandbox with
            {
                State = status.State == PodSandboxState.SandboxReady ? RuntimeSandboxState.Ready : RuntimeSandboxState.NotReady,
                NetworkReported = status.Network is not null,
                HostNetwork = status.Linux?.Namespaces?.Options?.Network == NamespaceMode.Node,
                IPs = [.. ips.Where(ip => System.Net.IPAddress.TryParse(ip, out _))],
                RuntimeHandler = status.RuntimeHandler,
            };
        }
        catch (CriException e) when (e.Kind == CriErrorKind.NotFound)
        {
            return sandbox with { State = RuntimeSandboxState.NotReady };
        }
    }

    private async Task<RuntimeContainerStatus?> ContainerAsync(string id, string sandboxId, string runtimeName, CancellationToken cancellationToken)
    {
        CriStatus s;
        try
        {
            s = (await runtime.ContainerStatusAsync(new ContainerStatusRequest { ContainerId = id }, cancellationToken)).Status;
        }
        catch (CriException e) when (e.Kind == CriErrorKind.NotFound)
        {
            return null;
        }

        RuntimeContainerState state = WasCutOff(s) ? RuntimeContainerState.Created : State(s.State);
        bool exited = state == RuntimeContainerState.Exited;
        return new RuntimeContainerStatus
        {
            Id = new ContainerId(runtimeName, s.Id),
            Name = s.Metadata.Name,
            SandboxId = sandboxId,
            RestartCount = Restarts(s.Annotations, s.Metadata.Attempt),
            State = state,
            CreatedAt = Nanoseconds(s.CreatedAt),
            StartedAt = s.State == ContainerState.ContainerCreated ? default : Nanoseconds(s.StartedAt),
            FinishedAt = exited ? Nanoseconds(s.FinishedAt) : default,
            ExitCode = s.ExitCode,
            Image = s.Image?.UserSpecifiedImage is { Length: > 0 } given ? given : s.Image?.Image ?? "",
            ImageRef = s.ImageRef.Length > 0 ? s.ImageRef : s.ImageId,
            Hash = Convert.ToUInt64(s.Annotations.TryGetValue(CriNames.Hash, out string? hash) && hash.All(char.IsAsciiHexDigit) && hash.Length is > 0 and <= 16 ? hash : "0", 16),
            Reason = s.Reason,
            Message = exited ? await MessageAsync(s, cancellationToken) : "",
            LogPath = s.LogPath,
            Annotations = s.Annotations.ToImmutableDictionary(),
            Resources = s.Resources,
            User = s.User,
            // Of many only those that tell what the spec does not.
            Mounts = [.. s.Mounts.Where(m => m.RecursiveReadOnly || m.Image is not null)],
            StopSignal = s.StopSignal,
        };
    }

    private async Task<string> MessageAsync(CriStatus s, CancellationToken cancellationToken)
    {
        try
        {
            return await work.RunWithinAsync("termination message of " + s.Id, MessageLimit, () => Message(s), cancellationToken);
        }
        catch (KernelSilentException e)
        {
            return s.Message.Length == 0 ? e.Message : $"{s.Message}: {e.Message}";
        }
    }

    /// <summary>The termination message file's end, or the log's where that is asked for; added before it: the runtime's message.</summary>
    private static string Message(CriStatus s)
    {
        string path = s.Annotations.GetValueOrDefault(CriNames.TerminationMessagePath, "");
        path = path.Length == 0 || path[0] == '/' ? path : "/" + path;
        string? file = s.Mounts.FirstOrDefault(m => m.ContainerPath == path && path.Length > 0)?.HostPath;
        string said = file is null ? "" : ReadEnd(file, LargestMessage, $"Error on reading termination log {file}");
        if (said.Length == 0 && s.Annotations.GetValueOrDefault(CriNames.TerminationMessagePolicy, "") == "FallbackToLogsOnError"
            && s.ExitCode != 0 && s.Reason != "ContainerCannotRun" && s.LogPath.Length > 0)
        {
            said = LogEnd(s.LogPath);
        }

        return said.Length == 0 ? s.Message : s.Message.Length == 0 ? said : $"{s.Message}: {said}";
    }

    // What is there may have been put there by the container: a pipe or a device must hold nobody up, and no link is followed.
    private static string ReadEnd(string path, int limit, string failure)
    {
        try
        {
            using SafeFileHandle folder = FileAt.OpenDirectory(Path.GetDirectoryName(path) ?? "/", OpenFlags.Path);
            using SafeFileHandle? file = FileAt.OpenIfExists(folder, Path.GetFileName(path), OpenFlags.ReadOnly | OpenFlags.NonBlocking | OpenFlags.NoFollow, ResolveFlags.None);
            if (file is null)
            {
                return "";
            }

            FileStatus status = FileAt.Status(file);
            if (status.Kind != FileKind.Regular)
            {
                return $"{failure}: it is not a regular file";
            }

            byte[] end = new byte[(int)Math.Min(limit, status.Size)];
            int filled = 0;
            while (filled < end.Length && RandomAccess.Read(file, end.AsSpan(filled), status.Size - end.Length + filled) is var read and > 0)
            {
                filled += read;
            }

            return Encoding.UTF8.GetString(end, 0, filled);
        }
        catch (LinuxException e) when (e.Errno == Errno.ENOENT)
        {
            return "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"{failure}: {e.Message}";
        }
    }

    private static string LogEnd(string logPath)
    {
        var text = new StringBuilder();
        foreach (string line in ReadEnd(logPath, 64 * 1024, "Error on reading termination message from logs").Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(MostLogLines))
        {
            if (CriLogParser.TryParse(Encoding.UTF8.GetBytes(line), out CriLogRecord record, out ReadOnlySpan<byte> content))
            {
                // A partial record is the start of a line, or the end of an output without line feed.
                text.Append(Encoding.UTF8.GetString(content).TrimEnd('\n')).Append(record.Partial ? "" : "\n");
            }
        }

        return text.Length <= LargestLogMessage ? text.ToString() : text.ToString(text.Length - LargestLogMessage, LargestLogMessage);
    }

    // By attempt first: a create that the runtime finished late is not newer than the attempt made after it.
    private static IEnumerable<RuntimeContainerStatus> Newest(IEnumerable<RuntimeContainerStatus> containers) =>
        containers.OrderByDescending(c => c.RestartCount).ThenByDescending(c => c.CreatedAt);

    private static RuntimeSandboxStatus Listed(PodSandbox s) => new()
    {
        Id = s.Id,
        Attempt = s.Metadata.Attempt,
        State = s.State == PodSandboxState.SandboxReady ? RuntimeSandboxState.Ready : RuntimeSandboxState.NotReady,
        CreatedAt = Nanoseconds(s.CreatedAt),
        RuntimeHandler = s.RuntimeHandler,
    };

    private static RuntimeContainerStatus Listed(CriContainer c, string runtimeName) => new()
    {
        Id = new ContainerId(runtimeName, c.Id),
        Name = c.Metadata.Name,
        SandboxId = c.PodSandboxId,
        RestartCount = Restarts(c.Annotations, c.Metadata.Attempt),
        State = State(c.State),
        CreatedAt = Nanoseconds(c.CreatedAt),
        Image = c.Image?.Image ?? "",
        ImageRef = c.ImageRef,
    };

    private static int Restarts(Google.Protobuf.Collections.MapField<string, string> annotations, uint attempt) =>
        annotations.TryGetValue(CriNames.RestartCount, out string? text) && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            ? Math.Max(count, (int)Math.Min(attempt, int.MaxValue)) : (int)Math.Min(attempt, int.MaxValue);

    // containerd gives a start up when its caller's connection breaks, as when this agent is killed, and lists the container as ended although
    // its program has not been run. Nothing of the pod has failed by that: it was created and is to be started.
    private static bool WasCutOff(CriStatus s) => s is { State: ContainerState.ContainerExited, StartedAt: 0, Reason: "StartError" }
        && s.Message.Contains("failed to create containerd task", StringComparison.Ordinal) && s.Message.Contains("context canceled", StringComparison.Ordinal);

    private static RuntimeContainerState State(ContainerState state) => state switch
    {
        ContainerState.ContainerCreated => RuntimeContainerState.Created,
        ContainerState.ContainerRunning => RuntimeContainerState.Running,
        ContainerState.ContainerExited => RuntimeContainerState.Exited,
        _ => RuntimeContainerState.Unknown,
    };

    private static DateTimeOffset Nanoseconds(long value) => DateTimeOffset.UnixEpoch.AddTicks(value / 100);
}
