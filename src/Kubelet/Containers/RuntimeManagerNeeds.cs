using NodeAgent.Kubelet.Images;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Containers;

/// <summary>Settings of the runtime manager.</summary>
/// <param name="Config">For container configurations.</param>
/// <param name="Images">For pulls.</param>
/// <param name="LongestRestartDelay">crashLoopBackOff.maxContainerRestartPeriod.</param>
public sealed record RuntimeManagerOptions(ContainerConfigOptions Config, ImageOptions Images, TimeSpan LongestRestartDelay);

/// <summary>What the runtime manager needs of the rest of the agent.</summary>
/// <param name="Events">Events.</param>
/// <param name="Objects">Secrets and config maps.</param>
/// <param name="Services">For environments.</param>
/// <param name="Node">The own node.</param>
/// <param name="Probes">Verdicts.</param>
/// <param name="Paths">Folders.</param>
/// <param name="SubPaths">Binds subPaths.</param>
/// <param name="Work">Threads for calls that may block.</param>
/// <param name="RuntimeHandler">Handler of a RuntimeClass by its name; throws KubernetesException where it cannot be read.</param>
/// <param name="EnvironmentFiles">Variables that containers left in volumes.</param>
public sealed record RuntimeManagerNeeds(
    IPodEventRecorder Events, IPodObjectStore Objects, IServiceLister Services, INodeInfo Node, IProbeManager Probes, KubeletPaths Paths, SubPathBinder SubPaths, BlockingWork Work,
    Func<string, CancellationToken, Task<string>> RuntimeHandler, EnvironmentFiles EnvironmentFiles)
{
    /// <summary>Finds credentials for image pulls; null: pull secrets only.</summary>
    public ImageCredentials? Credentials { get; init; }

    /// <summary>Whether a pod may use an image that is there already; null: it may (gate KubeletEnsureSecretPulledImages off).</summary>
    public ImagePullRecords? PullRecords { get; init; }

    /// <summary>What a runtime handler can do ("" = default); null where the runtime does not tell.</summary>
    public Func<string, NodeRuntimeHandlerFeatures?> HandlerFeatures { get; init; } = _ => null;

    /// <summary>Ids of pods with a user namespace of their own; null where there can be none.</summary>
    public UserNamespaces? UserNamespaces { get; init; }

    /// <summary>Counts starts; null: nothing is counted.</summary>
    public PodStartMetrics? Starts { get; init; }

    /// <summary>For resizes; null where running containers keep what they were given.</summary>
    public ResizeNeeds? Resize { get; init; }
}
