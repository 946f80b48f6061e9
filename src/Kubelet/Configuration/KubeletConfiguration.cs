using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>
/// kubelet.config.k8s.io/v1beta1 KubeletConfiguration, with its defaults applied. Properties are named as the JSON fields; those of small
/// nested objects lie here directly. A new instance has the defaults of a file that sets nothing, except evictionHard, which is null where
/// no file was read (then there are no hard thresholds, as upstream).
/// </summary>
public sealed partial record KubeletConfiguration
{
    private static readonly IReadOnlyDictionary<string, string> NoTexts = new Dictionary<string, string>();
    private static readonly IReadOnlyDictionary<string, bool> NoSwitches = new Dictionary<string, bool>();
    private static readonly IReadOnlyDictionary<string, IReadOnlyList<string>> NoHeaders = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>logging: format and verbosity of the log.</summary>
    public LoggingConfiguration Logging { get; init; } = new();

    /// <summary>The image service's socket: imageServiceEndpoint, or the runtime's where that is empty.</summary>
    public string EffectiveImageServiceEndpoint => ImageServiceEndpoint.Length > 0 ? ImageServiceEndpoint : ContainerRuntimeEndpoint;

    /// <summary>What upstream starts from when there is no --config file: open to all, with the read-only port.</summary>
    public static KubeletConfiguration FlagsOnly { get; } = new()
    {
        AnonymousEnabled = true,
        WebhookEnabled = false,
        AuthorizationMode = "AlwaysAllow",
        ReadOnlyPort = 10255,
    };
}

/// <summary>Time to terminate pods of a priority at node shutdown.</summary>
/// <param name="Priority">Pods of this priority and above, up to the next entry.</param>
/// <param name="ShutdownGracePeriodSeconds">Seconds.</param>
public sealed record ShutdownGracePeriodByPodPriority(int Priority, long ShutdownGracePeriodSeconds);

/// <summary>Memory kept back on a NUMA node.</summary>
/// <param name="NumaNode">The node's number.</param>
/// <param name="Limits">Quantities by memory or hugepages-SIZE.</param>
public sealed record MemoryReservation(int NumaNode, IReadOnlyDictionary<string, string> Limits);
