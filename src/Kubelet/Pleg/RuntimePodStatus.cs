using System.Collections.Immutable;
using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet.Pleg;

/// <summary>State of a sandbox as the runtime lists it.</summary>
public enum RuntimeSandboxState
{
    /// <summary>The sandbox runs.</summary>
    Ready,
    /// <summary>The sandbox is stopped or its state is not known.</summary>
    NotReady,
}

/// <summary>State of a container as the runtime lists it.</summary>
public enum RuntimeContainerState
{
    /// <summary>Created, never started.</summary>
    Created,
    /// <summary>Running.</summary>
    Running,
    /// <summary>Exited.</summary>
    Exited,
    /// <summary>The runtime cannot tell.</summary>
    Unknown,
}

/// <summary>One sandbox of a pod, as the last relist saw it.</summary>
public sealed record RuntimeSandboxStatus
{
    /// <summary>The runtime's id.</summary>
    public required string Id { get; init; }
    /// <summary>CRI metadata.attempt.</summary>
    public required uint Attempt { get; init; }
    /// <summary>State.</summary>
    public required RuntimeSandboxState State { get; init; }
    /// <summary>When it was created.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
    /// <summary>Primary address first; empty for host-network sandboxes and such as are not ready.</summary>
    public ImmutableArray<string> IPs { get; init; } = [];
    /// <summary>False where the runtime says nothing about the sandbox's network, not even that there is no address.</summary>
    public bool NetworkReported { get; init; } = true;
    /// <summary>True where the sandbox has the node's network namespace.</summary>
    public bool HostNetwork { get; init; }
    /// <summary>The runtime handler it was made with ("" = default).</summary>
    public string RuntimeHandler { get; init; } = "";
}

/// <summary>One container of a pod (each attempt is one), as the last relist saw it.</summary>
public sealed record RuntimeContainerStatus
{
    /// <summary>Runtime and id.</summary>
    public required ContainerId Id { get; init; }
    /// <summary>The name in the pod spec (CRI metadata.name).</summary>
    public required string Name { get; init; }
    /// <summary>The sandbox it belongs to.</summary>
    public required string SandboxId { get; init; }
    /// <summary>Restart count (annotation io.kubernetes.container.restartCount, else CRI metadata.attempt).</summary>
    public required int RestartCount { get; init; }
    /// <summary>State.</summary>
    public required RuntimeContainerState State { get; init; }
    /// <summary>Creation time.</summary>
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>Start time; default where never started.</summary>
    public DateTimeOffset StartedAt { get; init; }
    /// <summary>Finish time; default where not exited.</summary>
    public DateTimeOffset FinishedAt { get; init; }
    /// <summary>Exit code; meaningful where exited.</summary>
    public int ExitCode { get; init; }
    /// <summary>The image as the runtime reports it for status.image.</summary>
    public string Image { get; init; } = "";
    /// <summary>The image reference or digest for status.imageID.</summary>
    public string ImageRef { get; init; } = "";
    /// <summary>Hash of the spec it was made from (annotation io.kubernetes.container.hash), 0 where absent.</summary>
    public ulong Hash { get; init; }
    /// <summary>Runtime's reason, e.g. OOMKilled, Error, Completed.</summary>
    public string Reason { get; init; } = "";
    /// <summary>Termination message, read and bounded, or the runtime's message.</summary>
    public string Message { get; init; } = "";
    /// <summary>Log file on the host (CRI log_path).</summary>
    public string LogPath { get; init; } = "";
    /// <summary>CRI annotations of the container (grace periods, termination message path and policy, ports, preStop).</summary>
    public ImmutableDictionary<string, string> Annotations { get; init; } = ImmutableDictionary<string, string>.Empty;
    /// <summary>Resources as the runtime reports them; null where it does not.</summary>
    public Cri.V1.ContainerResources? Resources { get; init; }
    /// <summary>User as the runtime reports it; null where it does not.</summary>
    public Cri.V1.ContainerUser? User { get; init; }
    /// <summary>Mounts as the runtime reports them.</summary>
    public ImmutableArray<Cri.V1.Mount> Mounts { get; init; } = [];
    /// <summary>Effective stop signal; RUNTIME_DEFAULT (0) where not reported.</summary>
    public Cri.V1.Signal StopSignal { get; init; }
}

/// <summary>What the runtime has of one pod: the pod cache's value. Immutable; only a relist makes a new one.</summary>
public sealed record RuntimePodStatus
{
    /// <summary>The pod.</summary>
    public required PodRef Pod { get; init; }
    /// <summary>Newest first.</summary>
    public ImmutableArray<RuntimeSandboxStatus> Sandboxes { get; init; } = [];
    /// <summary>All attempts of all containers, newest first.</summary>
    public ImmutableArray<RuntimeContainerStatus> Containers { get; init; } = [];
    /// <summary>When the runtime was asked; what happened later is not in here.</summary>
    public DateTimeOffset ObservedAt { get; init; }

    /// <summary>The pod's addresses: those of the newest ready sandbox.</summary>
    public ImmutableArray<string> IPs => Sandboxes is [{ State: RuntimeSandboxState.Ready } newest, ..] ? newest.IPs : [];

    /// <summary>The newest attempt of the named container, or null.</summary>
    public RuntimeContainerStatus? Find(string name)
    {
        foreach (RuntimeContainerStatus c in Containers)
        {
            if (c.Name == name)
            {
                return c;
            }
        }

        return null;
    }

    /// <summary>True while any container runs or a sandbox is ready.</summary>
    public bool AnythingRunning => Containers.Any(c => c.State is RuntimeContainerState.Running or RuntimeContainerState.Unknown)
        || Sandboxes.Any(s => s.State == RuntimeSandboxState.Ready);

    /// <summary>An observation of nothing.</summary>
    public static RuntimePodStatus Nothing(PodRef pod, DateTimeOffset at) => new() { Pod = pod, ObservedAt = at };
}
