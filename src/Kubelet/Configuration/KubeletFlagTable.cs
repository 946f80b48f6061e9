using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Configuration.Flags;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>All flags of the kubelet.</summary>
public static class KubeletFlagTable
{
    private const string UseEviction = "use evictionHard or evictionSoft";
    private const string Cadvisor = "it is a cAdvisor flag the kubelet took by mistake; remove it";

    /// <summary>The flags: those of the process, those bound to the configuration file, and cAdvisor's, which are accepted and ignored.</summary>
    public static FlagSet Flags { get; } = new("kubelet", [.. Own, .. KubeletConfigurationFlags.All, .. FromCadvisor]);

    private static IEnumerable<FlagDefinition> Own =>
    [
        new("config", FlagKind.Text, "", "Configuration file"),
        new("config-dir", FlagKind.Text, "", "Folder of drop-in files (*.conf, lexical order) that override the configuration file"),
        new("strict-config", FlagKind.Bool, "false", "Refuse to start on unknown or duplicate fields (NodeAgent only)"),
        new("kubeconfig", FlagKind.Text, "", "How to reach the API server; absent: standalone mode"),
        new("bootstrap-kubeconfig", FlagKind.Text, "", "kubeconfig to get the first client certificate with"),
        new("hostname-override", FlagKind.Text, "", "Node name instead of the host's name"),
        new("node-ip", FlagKind.Text, "", "Address of the node, or one of each family with a comma"),
        new("node-labels", FlagKind.TextMap, "", "Labels of a new node, key=value,…"),
        new("cert-dir", FlagKind.Text, "/var/lib/kubelet/pki", "Folder of certificates and keys"),
        new("cloud-provider", FlagKind.Text, "", "external, or empty for none"),
        new("root-dir", FlagKind.Text, "/var/lib/kubelet", "Folder of the kubelet's state"),
        new("seccomp-default", FlagKind.Bool, "false", "RuntimeDefault where a pod names no seccomp profile"),
        new("runtime-cgroups", FlagKind.Text, "", "Cgroup of the container runtime") { State = SupportState.NoEffectYet },
        new("image-credential-provider-config", FlagKind.Text, "", "File or folder that configures credential providers"),
        new("image-credential-provider-bin-dir", FlagKind.Text, "", "Folder of credential providers"),
        new("lock-file", FlagKind.Text, "", "Lock file (alpha)") { State = SupportState.NoEffectYet },
        new("exit-on-lock-contention", FlagKind.Bool, "false", "Exit when another process wants the lock file") { State = SupportState.NoEffectYet },
        new("version", FlagKind.Version, "false", "Print the version and exit; raw prints all of it"),
        new("minimum-container-ttl-duration", FlagKind.Duration, "0s", "Dead containers younger than this stay") { Deprecation = UseEviction },
        new("maximum-dead-containers-per-container", FlagKind.Int32, "1", "Dead instances kept for a container") { Deprecation = UseEviction },
        new("maximum-dead-containers", FlagKind.Int32, "-1", "Dead containers kept on the node") { Deprecation = UseEviction },
        new("experimental-mounter-path", FlagKind.Text, "", "Program used for mounting")
        { Deprecation = "use CSI drivers", State = SupportState.Ignored },
        new("experimental-allocatable-ignore-eviction", FlagKind.Bool, "false", "Leave eviction thresholds out of allocatable")
        { Deprecation = "remove it", State = SupportState.NoEffectYet },
    ];

    private static IEnumerable<FlagDefinition> FromCadvisor =>
    [
        new("housekeeping-interval", FlagKind.Duration, "10s", "cAdvisor's period") { State = SupportState.Ignored },
        new("max-housekeeping-interval", FlagKind.Duration, "15s", "cAdvisor's longest period") { State = SupportState.Ignored },
        Mistaken("application-metrics-count-limit", FlagKind.Int32),
        Mistaken("boot-id-file"),
        Mistaken("container-hints"),
        Mistaken("containerd"),
        Mistaken("containerd-namespace"),
        Mistaken("enable-load-reader", FlagKind.Bool),
        Mistaken("event-storage-age-limit"),
        Mistaken("event-storage-event-limit"),
        Mistaken("global-housekeeping-interval", FlagKind.Duration),
        Mistaken("log-cadvisor-usage", FlagKind.Bool),
        Mistaken("machine-id-file"),
        Mistaken("storage-driver-buffer-duration", FlagKind.Duration),
        Mistaken("storage-driver-db"),
        Mistaken("storage-driver-host"),
        Mistaken("storage-driver-password"),
        Mistaken("storage-driver-secure", FlagKind.Bool),
        Mistaken("storage-driver-table"),
        Mistaken("storage-driver-user"),
    ];

    private static FlagDefinition Mistaken(string name, FlagKind kind = FlagKind.Text) =>
        new(name, kind, "", "Ignored") { Deprecation = Cadvisor, State = SupportState.Ignored };
}
