using System.Collections.Immutable;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sync;

/// <summary>What one sync of a pod towards its spec starts from.</summary>
/// <param name="Pod">The admitted pod (allocated resources applied).</param>
/// <param name="Status">The newest observation.</param>
/// <param name="Volumes">Mounted volumes by spec.volumes name.</param>
/// <param name="CgroupParent">CRI cgroup_parent of the pod.</param>
/// <param name="HostIPs">The node's addresses, primary first.</param>
/// <param name="LastPodStatus">The API status last computed; its waiting reasons and restart counts continue.</param>
/// <param name="Turn">The start's place among those that count; null where it has none.</param>
public sealed record PodSyncRequest(
    Pod Pod,
    RuntimePodStatus Status,
    ImmutableDictionary<string, MountedVolume> Volumes,
    string CgroupParent,
    ImmutableArray<string> HostIPs,
    PodStatus? LastPodStatus,
    IStartTurn? Turn = null)
{
    /// <summary>All containers are removed, to run again (condition AllContainersRestarting).</summary>
    public bool RestartsAll { get; init; }

    /// <summary>Kills what runs in a container's cgroup, by the container's id.</summary>
    public Func<string, CancellationToken, Task> KillContainer { get; init; } = (_, _) => Task.CompletedTask;
}

/// <summary>Why a container waits, as users read it in status.containerStatuses[].state.waiting.</summary>
/// <param name="Reason">E.g. ImagePullBackOff, CrashLoopBackOff, CreateContainerConfigError.</param>
/// <param name="Message">Names object, field and remedy.</param>
public sealed record ContainerWaiting(string Reason, string Message);

/// <summary>The outcome of one sync. Expected failures are values here, not exceptions.</summary>
public sealed record PodSyncResult
{
    /// <summary>Waiting reasons by container name, for containers that could not be started in this pass.</summary>
    public ImmutableDictionary<string, ContainerWaiting> Waiting { get; init; } = ImmutableDictionary<string, ContainerWaiting>.Empty;
    /// <summary>A pod-wide failure (sandbox, resize, kill), or null.</summary>
    public string? Error { get; init; }
    /// <summary>Why resources of running containers could not be changed, or null.</summary>
    public string? ResizeError { get; init; }
    /// <summary>When to sync again without an outside event (back-off end); null = no need.</summary>
    public TimeSpan? RetryAfter { get; init; }
    /// <summary>True where the runtime's state may have changed: the caller relists the pod.</summary>
    public bool Changed { get; init; }
    /// <summary>True where nothing failed.</summary>
    public bool Succeeded => Error is null && ResizeError is null && Waiting.IsEmpty;
}

/// <summary>The pod-level view of the container runtime: what workers and PLEG need of it. Implemented in Containers.</summary>
public interface IPodRuntime
{
    /// <summary>Lists all pods the runtime has with CRI pod labels, running or not. One ListPodSandbox and one ListContainers call.</summary>
    Task<ImmutableArray<RuntimePodListing>> ListPodsAsync(CancellationToken cancellationToken);

    /// <summary>Full status of one pod, termination messages read. Throws CriException where the runtime does not answer.</summary>
    Task<RuntimePodStatus> GetPodStatusAsync(PodRef pod, CancellationToken cancellationToken);

    /// <summary>Carries out one pass towards the spec: compute actions, then kill, create, start. Does not wait for containers to end.</summary>
    Task<PodSyncResult> SyncPodAsync(PodSyncRequest request, CancellationToken cancellationToken);

    /// <summary>Stops all containers (preStop, SIGTERM, grace, SIGKILL; sidecars last, in reverse order) and the sandboxes.</summary>
    /// <param name="pod">The spec; null for a pod only the runtime knows (grace periods come from container annotations).</param>
    /// <param name="status">What runs.</param>
    /// <param name="gracePeriod">Overrides the spec's; never below 1 s but for force deletion (0 is passed as upstream does).</param>
    /// <param name="cancellationToken">Ends only the waiting for a turn, never a stop under way. When a shorter grace period arrives the worker calls again.</param>
    Task KillPodAsync(Pod? pod, RuntimePodStatus status, TimeSpan? gracePeriod, CancellationToken cancellationToken);

    /// <summary>Removes dead containers and sandboxes of a pod that is gone (logs included). Refuses what still runs.</summary>
    Task RemovePodAsync(RuntimePodStatus status, CancellationToken cancellationToken);

    /// <summary>Forgets back-off and per-pod state of a pod that is gone.</summary>
    void Forget(PodUid uid);
}
