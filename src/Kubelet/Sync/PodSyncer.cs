using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Sync;

/// <summary>Whether the node takes a pod.</summary>
public interface IPodAdmission
{
    /// <summary>Null where it is admitted, else upstream's reason and message. Asked once for each UID.</summary>
    Task<(string Reason, string Message)?> RejectAsync(Pod pod, CancellationToken cancellationToken);
}

/// <summary>The parts a pass works with.</summary>
/// <param name="Runtime">Containers and sandboxes.</param>
/// <param name="Volumes">Volumes.</param>
/// <param name="Objects">Secrets and config maps.</param>
/// <param name="Probes">Probes.</param>
/// <param name="Cgroups">Pod cgroups.</param>
/// <param name="Admission">Admission.</param>
public sealed record PodSyncParts(
    IPodRuntime Runtime, IVolumeManager Volumes, IPodObjectStore Objects, IProbeManager Probes, IPodCgroupManager Cgroups, IPodAdmission Admission)
{
    /// <summary>Resources of pods; null where pods keep those they came with.</summary>
    public PodResizing? Resizing { get; init; }

    /// <summary>Ids of pods with a user namespace of their own; null where there can be none.</summary>
    public UserNamespaces? UserNamespaces { get; init; }
}

/// <summary>What is allocated to pods and what they were given.</summary>
/// <param name="Allocations">Decides about resizes.</param>
/// <param name="Actuated">What containers were given last.</param>
public sealed record PodResizing(AllocationManager Allocations, PodResourceState Actuated)
{
    /// <summary>Whether statuses tell what pods have as a whole (gate InPlacePodLevelResourcesVerticalScaling).</summary>
    public bool TellsPodLevel { get; init; } = true;
}

/// <summary>What a pass knows of the node and reports to.</summary>
/// <param name="Pleg">Observations.</param>
/// <param name="Cache">The newest observations.</param>
/// <param name="Statuses">Where statuses go.</param>
/// <param name="Node">The own node.</param>
/// <param name="Events">Events.</param>
/// <param name="Starts">Bounds starts.</param>
/// <param name="Paths">Folders.</param>
/// <param name="Work">Threads for calls that may block.</param>
public sealed record PodSyncSurroundings(
    PodLifecycleEventGenerator Pleg, PodStatusCache Cache, StatusManager Statuses, INodeInfo Node, IPodEventRecorder Events, StartGate Starts, KubeletPaths Paths, BlockingWork Work)
{
    /// <summary>Told the reason of each pod that is turned away.</summary>
    public Action<string> Rejected { get; init; } = _ => { };
}

/// <summary>Carries out the passes over a pod, each in upstream's order. Source: pkg/kubelet/kubelet.go (SyncPod, SyncTerminatingPod, SyncTerminatedPod).</summary>
public sealed partial class PodSyncer(PodSyncParts parts, PodSyncSurroundings node, TimeProvider time, ILogger<PodSyncer> logger) : IPodSyncer
{
    private static readonly TimeSpan NetworkRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan VolumeRetry = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan FolderLimit = TimeSpan.FromMinutes(2);

    // An API server that is away keeps no dead containers on the node.
    private static readonly TimeSpan StatusLimit = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<PodUid, PodMemory> _memory = new();

    /// <inheritdoc/>
    public async Task<PodPassResult> SyncAsync(Pod pod, CancellationToken cancellationToken)
    {
        Pod desired = pod;
        pod = Allocated(pod);
        PodMemory memory = _memory.GetOrAdd(pod.Uid, _ => new PodMemory());
        RuntimePodStatus observed = await ObserveAsync(pod, memory, cancellationToken);
        if (!memory.Admitted)
        {
            if (await parts.Admission.RejectAsync(pod, cancellationToken) is { } rejected)
            {
                memory.Rejection = rejected;
                node.Rejected(rejected.Reason);
                node.Events.Record(pod, null, "Warning", rejected.Reason, rejected.Message);
                node.Statuses.Set(pod, PodStatusGenerator.Rejected(pod, rejected.Reason, rejected.Message, PodQos.Of(pod).ToString(), time.GetUtcNow()));
                return new PodPassResult(PodPassOutcome.ReachedTerminalPhase);
            }

            memory.Admitted = true;
            memory.Allocated = parts.Resizing?.Allocations.AdmittedAsync(pod) ?? Task.CompletedTask;
        }

        if (parts.Resizing is { } resizing)
        {
            // Before the status says that this generation was seen; where nothing can be decided yet it does not say so.
            bool decided = await resizing.Allocations.ConsiderAsync(desired, cancellationToken);
            pod = Allocated(desired);
            pod = decided ? pod : pod with { Metadata = pod.Metadata with { Generation = node.Statuses.StatusOf(pod).ObservedGeneration } };
        }

        memory.Cgroup = await CgroupAsync(pod, cancellationToken);
        PodStatus status = Publish(pod, memory, observed);
        if (status.Phase is "Failed" or "Succeeded")
        {
            return new PodPassResult(PodPassOutcome.ReachedTerminalPhase);
        }

        if ((PodNames.Wrong(pod) ?? UnsupportedPodFields.Find(pod)) is { } unsupported)
        {
            return Refuse(pod, memory, observed, unsupported);
        }

        if (!pod.IsHostNetwork && node.Node.NetworkNotReady is { } notReady)
        {
            node.Events.Record(pod, null, "Warning", "NetworkNotReady", $"network is not ready: {notReady}");
            return new PodPassResult(PodPassOutcome.Again, Jitter(NetworkRetry));
        }

        return await StartAsync(pod, memory, observed, cancellationToken);
    }

    /// <summary>Nothing of the pod is touched, what runs of it goes on; its containers say which field is in the way.</summary>
    private PodPassResult Refuse(Pod pod, PodMemory memory, RuntimePodStatus observed, string unsupported)
    {
        node.Events.Record(pod, null, "Warning", "Failed", $"Error: {unsupported}");
        memory.Waiting = pod.Spec.InitContainers.Concat(pod.Spec.Containers).DistinctBy(c => c.Name ?? "")
            .ToImmutableDictionary(c => c.Name ?? "", _ => new ContainerWaiting("CreateContainerConfigError", unsupported));
        PodStatus status = Publish(pod, memory, observed);
        return new PodPassResult(PodPassOutcome.Again, Next(pod, status, new PodSyncResult { Waiting = memory.Waiting }));
    }

    // An ephemeral container that is not begun yet and asks for what this agent cannot do waits alone: the pod runs already and goes on.
    private ImmutableDictionary<string, ContainerWaiting> RefusedDebuggers(Pod pod, PodMemory memory, RuntimePodStatus observed)
    {
        var refused = ImmutableDictionary<string, ContainerWaiting>.Empty;
        foreach (EphemeralContainer e in pod.Spec.EphemeralContainers.Where(e => observed.Find(e.Name ?? "") is null))
        {
            if (UnsupportedPodFields.Find(e) is { } unsupported)
            {
                ContainerWaiting waiting = new("CreateContainerConfigError", unsupported);
                refused = refused.SetItem(e.Name ?? "", waiting);
                if (memory.Waiting.GetValueOrDefault(e.Name ?? "") != waiting)
                {
                    node.Events.Record(pod, e.Name, "Warning", "Failed", $"Error: {unsupported}");
                }
            }
        }

        return refused;
    }

    private async Task<PodPassResult> StartAsync(Pod pod, PodMemory memory, RuntimePodStatus observed, CancellationToken cancellationToken)
    {
        parts.Objects.RegisterPod(pod);
        await PrepareAsync(pod, observed, cancellationToken);
        ImmutableDictionary<string, MountedVolume> volumes;
        try
        {
            // Before its turn: a volume that does not answer takes no place among the starts.
            volumes = await parts.Volumes.MountAsync(pod, cancellationToken);
            memory.VolumeFailures = 0;
        }
        catch (VolumeSetupException e)
        {
            node.Events.Record(pod, null, "Warning", "FailedMount", e.Message);
            LogVolume(pod.Ref, e.Message);
            return new PodPassResult(PodPassOutcome.Again, Jitter(VolumeRetry * Math.Pow(2, Math.Min(memory.VolumeFailures++, 5))));
        }

        await memory.Allocated.WaitAsync(cancellationToken);
        StartGate.Ticket? turn = observed.AnythingRunning || pod.IsCritical ? null : await node.Starts.EnterAsync(cancellationToken);
        using (turn)
        {
            parts.Probes.AddPod(pod);
            ImmutableDictionary<string, ContainerWaiting> refused = RefusedDebuggers(pod, memory, observed);
            Pod taken = refused.IsEmpty ? pod : pod with { Spec = pod.Spec with { EphemeralContainers = [.. pod.Spec.EphemeralContainers.Where(e => !refused.ContainsKey(e.Name ?? ""))] } };
            var request = new PodSyncRequest(taken, observed, volumes, parts.Cgroups.CgroupParent(pod), node.Node.HostIPs, node.Statuses.Get(pod.Uid), turn)
            {
                RestartsAll = node.Statuses.Get(pod.Uid) is { } told && AllContainersRestart.IsTrue(told),
                KillContainer = (id, token) => parts.Cgroups.KillContainerAsync(pod, id, token),
            };
            // Should the pass break off, nobody knows what it did: the runtime is asked before the next one.
            (memory.Looked, memory.Touched) = (false, true);
            using IDisposable act = node.Pleg.BeginAct(pod.Uid);
            PodSyncResult result = await parts.Runtime.SyncPodAsync(request, cancellationToken);
            memory.Looked = true;
            memory.Succeeded = result.Succeeded;
            memory.Waiting = result.Waiting.SetItems(refused);
            if (result.Changed)
            {
                memory.ActedAt = time.GetUtcNow();
            }

            observed = await ObserveAsync(pod, memory, cancellationToken, after: result);
            memory.Cgroup = result.Changed ? await CgroupAsync(pod, cancellationToken) : memory.Cgroup;
            TellResizeError(pod, result);
            PodStatus status = Publish(pod, memory, observed);
            if (result.Error is { } error)
            {
                LogSync(pod.Ref, error);
                node.Events.Record(pod, null, "Warning", "FailedSync", $"error determining status: {error}");
            }

            return status.Phase is "Failed" or "Succeeded"
                ? new PodPassResult(PodPassOutcome.ReachedTerminalPhase)
                : new PodPassResult(result.Succeeded ? PodPassOutcome.Done : PodPassOutcome.Again, Next(pod, status, result));
        }
    }

    private async Task PrepareAsync(Pod pod, RuntimePodStatus observed, CancellationToken cancellationToken)
    {
        try
        {
            // The limits of a pod that runs change by a resize only, in an order that its containers bear.
            if (!observed.AnythingRunning || !parts.Cgroups.Exists(pod))
            {
                await parts.Cgroups.EnsureAsync(pod, cancellationToken);
                if (PodResources.IsPodLevelSet(pod))
                {
                    parts.Resizing?.Actuated.SetPodLevel(pod.Uid, pod.Spec.Resources!);
                }
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            node.Events.Record(pod, null, "Warning", "FailedCreatePodContainer", $"unable to ensure pod container exists: {e.Message}");
            throw;
        }

        try
        {
            await node.Work.RunWithinAsync(pod.Uid + "/", FolderLimit, () => PodFolders.Ensure(node.Paths, pod.Uid), cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            node.Events.Record(pod, null, "Warning", "FailedToMakePodDataDirectories", $"error making pod data directories: {e.Message}");
            throw;
        }
    }

    /// <inheritdoc/>
    public async Task<PodPassResult> SyncTerminatingAsync(Pod pod, PodWorkerState state, CancellationToken cancellationToken)
    {
        pod = Allocated(pod);
        PodMemory memory = _memory.GetOrAdd(pod.Uid, _ => new PodMemory());
        memory.Failed ??= state.Kill is { Reason.Length: > 0 } kill ? (kill.Reason, kill.Message) : null;
        memory.Terminating = true;
        // What was seen after the last act upon the pod is enough, where nothing of it can come to light later: nothing has been started since.
        RuntimePodStatus observed = await ObserveAsync(pod, memory, cancellationToken, force: !memory.Succeeded);
        Publish(pod, memory, observed);
        parts.Probes.StopLivenessAndStartup(pod.Uid);
        if (observed.AnythingRunning)
        {
            (memory.Looked, memory.Succeeded) = (false, false);
            using IDisposable act = node.Pleg.BeginAct(pod.Uid);
            await KillAsync(pod, observed, state.Grace, cancellationToken);
            observed = await ObserveAsync(pod, memory, cancellationToken, force: true);
        }

        parts.Probes.RemovePod(pod.Uid);
        if (!observed.AnythingRunning)
        {
            // What is left to tell goes with the last status, which is next.
            return new PodPassResult(PodPassOutcome.Done);
        }

        Publish(pod, memory, observed);
        return new PodPassResult(PodPassOutcome.Again, TimeSpan.FromSeconds(1));
    }

    private async Task KillAsync(Pod pod, RuntimePodStatus observed, TimeSpan? grace, CancellationToken cancellationToken)
    {
        try
        {
            await parts.Runtime.KillPodAsync(PodMemory.Known(pod) ? pod : null, observed, grace, cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            node.Events.Record(pod, null, "Warning", "FailedKillPod", $"error killing pod: {e.Message}");
            throw;
        }
    }

    /// <inheritdoc/>
    public async Task<PodPassResult> SyncTerminatedAsync(Pod pod, PodWorkerState state, CancellationToken cancellationToken)
    {
        pod = Allocated(pod);
        PodMemory memory = _memory.GetOrAdd(pod.Uid, _ => new PodMemory());
        memory.Terminating = true;
        memory.Finalised = true;
        RuntimePodStatus observed = await ObserveAsync(pod, memory, cancellationToken);
        if (observed.AnythingRunning)
        {
            // The runtime came back with something we had not seen: it has to be stopped first, and this phase never goes back.
            await KillAsync(pod, observed, TimeSpan.FromSeconds(1), cancellationToken);
            await ObserveAsync(pod, memory, cancellationToken, force: true);
            return new PodPassResult(PodPassOutcome.Again, TimeSpan.FromSeconds(1));
        }

        // What ended in an earlier life of the agent has its last status already.
        bool told = node.Statuses.Get(pod.Uid) is null && pod.Status.Phase is "Failed" or "Succeeded" && !pod.Status.ContainerStatuses.Any(s => s.State?.Running is not null);
        if (memory.Rejection is not null)
        {
            node.Statuses.Set(pod, node.Statuses.StatusOf(pod), final: true);
        }
        else if (!told)
        {
            Publish(pod, memory, observed);
        }

        await ReleaseAsync(pod, cancellationToken);
        // As upstream, the object does not wait for what has ended to be cleared away; were the agent killed now, its next life would do it.
        node.Statuses.Finish(pod);
        if (state.Removed || state.Deleted)
        {
            await RemoveFromRuntimeAsync(pod, observed, cancellationToken);
            await node.Work.RunWithinAsync(pod.Uid + "/", FolderLimit, () => PodFolders.Remove(node.Paths, pod.Uid), cancellationToken);
        }

        return new PodPassResult(PodPassOutcome.Done);
    }

    /// <summary>Gives back what the node has of the pod besides its containers.</summary>
    private async Task ReleaseAsync(Pod pod, CancellationToken cancellationToken)
    {
        await parts.Volumes.UnmountAsync(pod.Uid, cancellationToken);
        parts.Objects.UnregisterPod(pod.Uid);
        await parts.Cgroups.RemoveAsync(pod.Uid, cancellationToken);
        await (parts.UserNamespaces?.ReleaseAsync(pod.Uid, cancellationToken) ?? Task.CompletedTask);
    }

    /// <summary>Removes the pod's containers and sandboxes, once the API server has what they ended with: should the agent be killed in between, it is told there.</summary>
    private async Task RemoveFromRuntimeAsync(Pod pod, RuntimePodStatus observed, CancellationToken cancellationToken)
    {
        await node.Statuses.WrittenAsync(pod.Uid).WaitAsync(StatusLimit, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        using IDisposable act = node.Pleg.BeginAct(pod.Uid);
        await parts.Runtime.RemovePodAsync(observed, cancellationToken);
        await node.Pleg.RelistPodAsync(pod.Ref, cancellationToken);
    }

    /// <inheritdoc/>
    public void Forget(PodUid uid)
    {
        _memory.TryRemove(uid, out _);
        parts.Runtime.Forget(uid);
        parts.Resizing?.Allocations.Remove(uid);
        node.Statuses.Forget(uid);
    }

    /// <summary>An observation that is not older than our last act upon the pod.</summary>
    private async Task<RuntimePodStatus> ObserveAsync(
        Pod pod, PodMemory memory, CancellationToken cancellationToken, bool force = false, PodSyncResult? after = null)
    {
        RuntimePodStatus? known = node.Cache.Get(pod.Uid);
        if (known is null && !force && IsUntouched(pod, memory))
        {
            memory.Looked = true;
        }

        if (force || !memory.Looked || (memory.ActedAt is { } acted && (known is null || known.ObservedAt <= acted)))
        {
            known = await node.Pleg.RelistPodAsync(pod.Ref, status => after is { Succeeded: true } && AllRuns(pod, status), cancellationToken);
            memory.Looked = true;
            memory.ActedAt = null;
        }

        return known ?? RuntimePodStatus.Nothing(pod.Ref, time.GetUtcNow());
    }

    /// <summary>Nobody has begun with the pod, in no life of the agent: all that the runtime had was listed, and nothing of it since.</summary>
    private bool IsUntouched(Pod pod, PodMemory memory) =>
        !memory.Touched && node.Pleg.FirstRelist.IsCompletedSuccessfully && pod.Status.StartTime is null && node.Statuses.Get(pod.Uid) is null;

    /// <summary>Each container of a pod without init containers runs, once: another pass would find nothing to do.</summary>
    private static bool AllRuns(Pod pod, RuntimePodStatus status) =>
        pod.Spec.InitContainers.Count == 0 && pod.Spec.EphemeralContainers.Count == 0
        && status.Sandboxes is [{ State: RuntimeSandboxState.Ready }] && status.Containers.Length == pod.Spec.Containers.Count
        && pod.Spec.Containers.All(c => status.Find(c.Name ?? "") is { State: RuntimeContainerState.Running });

    /// <summary>The pod as everything but admission sees it.</summary>
    private Pod Allocated(Pod pod) => parts.Resizing?.Allocations.Allocated(pod) ?? pod;

    private ActuatedResources Given(Pod pod) => ActuatedResources.Of(parts.Resizing?.Actuated.Get(pod.Uid));

    /// <summary>What the cgroup of a pod that runs has. The kernel is asked only where something else than a container may have changed it.</summary>
    private async Task<CgroupLimits?> CgroupAsync(Pod pod, CancellationToken cancellationToken)
    {
        if (parts.Resizing is null || pod.Status.Phase != "Running")
        {
            return null;
        }

        try
        {
            return PodResources.IsPodLevelSet(pod) ? await parts.Cgroups.ReadAsync(pod, cancellationToken) : parts.Cgroups.Limits(pod);
        }
        catch (Exception e) when (e is CgroupException or IOException or UnauthorizedAccessException)
        {
            LogCgroup(pod.Ref, e.Message);
            return null;
        }
    }

    private void TellResizeError(Pod pod, PodSyncResult result)
    {
        if (result.ResizeError is { } error && parts.Resizing?.Allocations.Conditions is { } conditions
            && conditions.SetInProgress(pod.Uid, ResizeConditions.Error, error, pod.Metadata.Generation))
        {
            node.Events.Record(pod, null, "Warning", "ResizeError", ResizeMessages.Failed(pod, error));
        }
    }

    /// <summary>A resize that was decided is in progress until all that runs has been given its resources.</summary>
    private ImmutableArray<PodCondition> Resize(Pod pod, PodMemory memory, RuntimePodStatus observed)
    {
        if (parts.Resizing?.Allocations is not { } allocations)
        {
            return [];
        }

        if (memory.Terminating)
        {
            allocations.Conditions.Remove(pod.Uid);
        }
        else if (ResizePlanner.InProgress(pod, observed, Given(pod)))
        {
            allocations.Conditions.SetInProgress(pod.Uid, null, null, pod.Metadata.Generation);
        }
        else if (allocations.Conditions.ClearInProgress(pod.Uid) is (true, var generation))
        {
            node.Events.Record(pod, null, "Normal", "ResizeCompleted", ResizeMessages.Completed(pod, generation));
            allocations.RetryPending(ResizeTriggers.PodResized);
        }

        return allocations.Conditions.Of(pod.Uid);
    }

    private PodStatus Publish(Pod pod, PodMemory memory, RuntimePodStatus observed)
    {
        PodStatusInputs inputs = new()
        {
            Pod = pod,
            Runtime = observed,
            Previous = node.Statuses.StatusOf(pod),
            Waiting = memory.Waiting,
            Resize = Resize(pod, memory, observed),
            Actuated = Given(pod),
            Cgroup = memory.Cgroup,
            TellsPodLevel = parts.Resizing?.TellsPodLevel ?? false,
            Verdict = parts.Probes.Get,
            HostIPs = node.Node.HostIPs,
            QosClass = PodQos.Of(pod).ToString(),
            Now = time.GetUtcNow(),
            Terminating = memory.Terminating,
            Finalised = memory.Finalised,
            Failed = memory.Failed ?? PodDeadline.Exceeded(pod, node.Statuses.StatusOf(pod), time.GetUtcNow()),
        };
        PodStatus status = PodStatusGenerator.Generate(inputs);
        if (PodMemory.Known(pod))
        {
            node.Statuses.Set(pod, status, memory.Finalised, pod.IsStatic ? before => PodStatusGenerator.Generate(inputs with { Previous = before }) : null);
        }

        return status;
    }

    /// <summary>The earliest instant at which something is due without an event: back-off's end, the active deadline.</summary>
    private TimeSpan? Next(Pod pod, PodStatus status, PodSyncResult result)
    {
        TimeSpan? next = result.RetryAfter ?? (result.Succeeded ? null : Jitter(TimeSpan.FromSeconds(10)));
        TimeSpan? deadline = PodDeadline.Remaining(pod, status, time.GetUtcNow());
        return deadline is { } d && (next is null || d < next) ? d : next;
    }

    private static TimeSpan Jitter(TimeSpan t) => t * (1 + Random.Shared.NextDouble() / 2);

    [LoggerMessage(2401, LogLevel.Warning, "Pod {Pod}: {Error}")]
    private partial void LogVolume(PodRef pod, string error);

    [LoggerMessage(2402, LogLevel.Warning, "Pod {Pod}: could not be brought in line with its spec, will be tried again: {Error}")]
    private partial void LogSync(PodRef pod, string error);

    [LoggerMessage(2403, LogLevel.Warning, "Pod {Pod}: its cgroup cannot be read, the status tells what is allocated: {Error}")]
    private partial void LogCgroup(PodRef pod, string error);

    /// <summary>What is kept of a pod between its passes; only its worker touches it.</summary>
    private sealed class PodMemory
    {
        public bool Admitted { get; set; }
        /// <summary>Ends when what was allocated at admission is in the file: nothing is started before.</summary>
        public Task Allocated { get; set; } = Task.CompletedTask;

        public bool Looked { get; set; }
        public bool Touched { get; set; }
        public bool Succeeded { get; set; }
        public bool Terminating { get; set; }
        public bool Finalised { get; set; }
        public int VolumeFailures { get; set; }
        public DateTimeOffset? ActedAt { get; set; }
        public CgroupLimits? Cgroup { get; set; }
        public (string Reason, string Message)? Rejection { get; set; }
        public (string Reason, string Message)? Failed { get; set; }
        public ImmutableDictionary<string, ContainerWaiting> Waiting { get; set; } = ImmutableDictionary<string, ContainerWaiting>.Empty;

        /// <summary>False for a pod made of runtime labels only: it has no spec and no API object.</summary>
        public static bool Known(Pod pod) => pod.Spec.Containers.Count > 0;
    }
}
