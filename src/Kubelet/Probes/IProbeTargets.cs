using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Probes;

/// <summary>What probing must know of pods; answered from memory, never blocks.</summary>
public interface IProbeTargets
{
    /// <summary>The newest attempt of the named container as last observed; null where there is none.</summary>
    RuntimeContainerStatus? Find(PodUid uid, string containerName);

    /// <summary>The pod's primary address (the node's for host-network pods); null where it has none yet.</summary>
    string? PodIP(PodUid uid);

    /// <summary>The API status last computed, or the API server's after a start of the agent; null where unknown.</summary>
    PodStatus? LastStatus(PodUid uid);
}

/// <summary>Runs a command in a container for an exec probe.</summary>
public interface IExecProber
{
    /// <summary>CRI ExecSync. Throws where the runtime fails; a command that did not end in time is a result, not an exception.</summary>
    /// <param name="container">The container.</param>
    /// <param name="command">Program and arguments.</param>
    /// <param name="timeout">The runtime ends the command after it.</param>
    /// <param name="cancellationToken">The agent ends.</param>
    Task<ExecProbeResult> ExecAsync(ContainerId container, IReadOnlyList<string> command, TimeSpan timeout, CancellationToken cancellationToken);
}

/// <summary>How a command of an exec probe ended.</summary>
/// <param name="ExitCode">Meaningful where it ended in time.</param>
/// <param name="Output">Standard output and error, cut by the prober.</param>
/// <param name="TimedOut">It did not end in time.</param>
public sealed record ExecProbeResult(int ExitCode, ReadOnlyMemory<byte> Output, bool TimedOut);
