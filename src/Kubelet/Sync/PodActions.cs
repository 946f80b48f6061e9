using System.Collections.Immutable;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sync;

/// <summary>Kill one container.</summary>
/// <param name="Container">The instance.</param>
/// <param name="Reason">Why, as the Killing event says it.</param>
/// <param name="ProbeGrace">terminationGracePeriodSeconds of the probe that failed, if it has one.</param>
public sealed record KillAction(RuntimeContainerStatus Container, string Reason, long? ProbeGrace = null);

/// <summary>Remove one container so that its pod begins anew; its logs stay.</summary>
/// <param name="Container">The instance.</param>
/// <param name="Kill">It has not exited: it is killed first.</param>
public sealed record ResetAction(RuntimeContainerStatus Container, bool Kill);

/// <summary>What one pass has to do. Source: pkg/kubelet/kuberuntime/kuberuntime_manager.go (podActions).</summary>
public sealed record PodActions
{
    /// <summary>Kill everything including the sandbox.</summary>
    public bool KillPod { get; init; }
    /// <summary>Make a sandbox.</summary>
    public bool CreateSandbox { get; init; }
    /// <summary>The newest sandbox that stays, where none is made.</summary>
    public string? SandboxId { get; init; }
    /// <summary>The new sandbox takes the place of one that serves no more: users are told.</summary>
    public bool AnnouncesNewSandbox { get; init; }
    /// <summary>Attempt of the sandbox to be made.</summary>
    public uint Attempt { get; init; }
    /// <summary>Containers to remove, in order, and nothing else: the pass after it begins anew.</summary>
    public ImmutableArray<ResetAction> Reset { get; init; } = [];
    /// <summary>Containers to kill first.</summary>
    public ImmutableArray<KillAction> Kill { get; init; } = [];
    /// <summary>Ephemeral containers to start.</summary>
    public ImmutableArray<EphemeralContainer> StartEphemeral { get; init; } = [];
    /// <summary>Init containers (sidecars too) to start, in order.</summary>
    public ImmutableArray<Container> StartInit { get; init; } = [];
    /// <summary>Main containers to start, in order.</summary>
    public ImmutableArray<Container> Start { get; init; } = [];
    /// <summary>Running containers whose memory changes, in the order in which it must be done.</summary>
    public ImmutableArray<ContainerResize> ResizeMemory { get; init; } = [];
    /// <summary>Running containers whose CPU changes, in the order in which it must be done.</summary>
    public ImmutableArray<ContainerResize> ResizeCpu { get; init; } = [];
    /// <summary>The pod's cgroup changes even where no container's does: one restarts with other resources.</summary>
    public bool ResizePod { get; init; }
    /// <summary>What the pod has as a whole changes.</summary>
    public bool ResizePodLevel { get; init; }
    /// <summary>Resources of something that runs change.</summary>
    public bool Resizes => ResizePod || ResizePodLevel || !ResizeMemory.IsEmpty || !ResizeCpu.IsEmpty;
    /// <summary>Containers end, or all of the pod does, and nothing is made or changed.</summary>
    public bool OnlyKills => !Resizes && !CreateSandbox && StartEphemeral.IsEmpty && StartInit.IsEmpty && Start.IsEmpty;
    /// <summary>Nothing to do.</summary>
    public bool IsEmpty => Reset.IsEmpty && OnlyKills && !KillPod && Kill.IsEmpty;
}

/// <summary>Verdicts of probes for a container instance.</summary>
/// <param name="LivenessFailed">The liveness probe failed as often as its threshold asks.</param>
/// <param name="StartupFailed">Likewise the startup probe.</param>
/// <param name="Started">The startup probe has succeeded; false before its first verdict and where there is none.</param>
/// <param name="PostStartFailed">Its postStart hook failed or broke off and it runs all the same.</param>
public readonly record struct ContainerHealth(bool LivenessFailed, bool StartupFailed, bool Started, bool PostStartFailed = false);
