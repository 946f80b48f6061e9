using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Probes;

/// <summary>Which probe of a container.</summary>
public enum ProbeType
{
    /// <summary>livenessProbe.</summary>
    Liveness,
    /// <summary>readinessProbe.</summary>
    Readiness,
    /// <summary>startupProbe.</summary>
    Startup,
}

/// <summary>What a probe's last verdict was, thresholds applied.</summary>
public enum ProbeResult
{
    /// <summary>No verdict yet.</summary>
    Unknown,
    /// <summary>Healthy.</summary>
    Success,
    /// <summary>Failed as often as the threshold asks.</summary>
    Failure,
}

/// <summary>A verdict changed.</summary>
/// <param name="Pod">Whose.</param>
/// <param name="Container">The container instance.</param>
/// <param name="Type">Which probe.</param>
/// <param name="Result">The new verdict.</param>
public sealed record ProbeUpdate(PodRef Pod, ContainerId Container, ProbeType Type, ProbeResult Result);

/// <summary>Runs the probes of pods on this node; verdicts are read, changes are pushed.</summary>
public interface IProbeManager
{
    /// <summary>Starts a worker for each probe of the pod that has none yet.</summary>
    void AddPod(Pod pod);

    /// <summary>Ends all workers of the pod.</summary>
    void RemovePod(PodUid uid);

    /// <summary>Ends liveness and startup probes of a terminating pod; readiness goes on.</summary>
    void StopLivenessAndStartup(PodUid uid);

    /// <summary>
    /// Something of the pod was observed (its entry in the pod cache changed): containers that started are probed at once or after their
    /// initial delay, those that ended are failures. Must be called after each such change; never blocks.
    /// </summary>
    void Observe(PodUid uid);

    /// <summary>The verdict for a container instance; null where the container has no such probe or no verdict.</summary>
    ProbeResult? Get(ContainerId container, ProbeType type);

    /// <summary>True where the spec gives the named container such a probe and the pod was added.</summary>
    bool HasProbe(PodUid uid, string containerName, ProbeType type);

    /// <summary>Called on every change of a verdict, from the probing thread; must not block.</summary>
    event Action<ProbeUpdate>? Changed;
}
