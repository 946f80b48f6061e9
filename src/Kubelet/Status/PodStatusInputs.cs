using System.Collections.Immutable;
using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Kubelet.Status;

/// <summary>Everything a pod's API status is computed from.</summary>
public sealed record PodStatusInputs
{
    /// <summary>The pod.</summary>
    public required Pod Pod { get; init; }
    /// <summary>The newest observation; of nothing where the runtime has nothing.</summary>
    public required RuntimePodStatus Runtime { get; init; }
    /// <summary>The status computed last, or the API's after a start of the agent.</summary>
    public required PodStatus Previous { get; init; }
    /// <summary>Why containers could not be started in the last pass, by name.</summary>
    public ImmutableDictionary<string, ContainerWaiting> Waiting { get; init; } = ImmutableDictionary<string, ContainerWaiting>.Empty;
    /// <summary>Verdicts of probes.</summary>
    public required Func<ContainerId, ProbeType, ProbeResult?> Verdict { get; init; }
    /// <summary>Conditions of a resize that waits or is under way.</summary>
    public ImmutableArray<PodCondition> Resize { get; init; } = [];
    /// <summary>Resources that were given last.</summary>
    public ActuatedResources Actuated { get; init; } = new(_ => null, null);
    /// <summary>What the pod's cgroup has; null where the pod does not run or that is not known.</summary>
    public CgroupLimits? Cgroup { get; init; }
    /// <summary>Whether the status tells what the pod has as a whole.</summary>
    public bool TellsPodLevel { get; init; }
    /// <summary>The node's addresses, primary first.</summary>
    public ImmutableArray<string> HostIPs { get; init; } = [];
    /// <summary>Guaranteed, Burstable or BestEffort, from the spec.</summary>
    public required string QosClass { get; init; }
    /// <summary>Now, in UTC.</summary>
    public required DateTimeOffset Now { get; init; }
    /// <summary>The pod is being ended: a vanished container counts no restart.</summary>
    public bool Terminating { get; init; }
    /// <summary>Nothing of the pod runs any more and nothing will: what has no end on record is given one.</summary>
    public bool Finalised { get; init; }
    /// <summary>The node's own reason for ending or rejecting the pod (status.reason, status.message, phase Failed).</summary>
    public (string Reason, string Message)? Failed { get; init; }
}
