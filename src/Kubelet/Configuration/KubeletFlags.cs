using NodeAgent.Kubernetes.Configuration.Flags;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>What exists only as flags (upstream: options.KubeletFlags).</summary>
public sealed record KubeletFlags
{
    /// <summary>--config; empty when not given.</summary>
    public string ConfigFile { get; init; } = "";

    /// <summary>--config-dir; empty when not given.</summary>
    public string ConfigDirectory { get; init; } = "";

    /// <summary>--strict-config: unknown and duplicate fields are fatal.</summary>
    public bool StrictConfig { get; init; }

    /// <summary>--kubeconfig; empty means standalone mode.</summary>
    public string Kubeconfig { get; init; } = "";

    /// <summary>--bootstrap-kubeconfig; empty when not given.</summary>
    public string BootstrapKubeconfig { get; init; } = "";

    /// <summary>--hostname-override, not yet trimmed or lower-cased.</summary>
    public string HostnameOverride { get; init; } = "";

    /// <summary>--node-ip: one address, or one of each family with a comma.</summary>
    public string NodeIP { get; init; } = "";

    /// <summary>--node-labels.</summary>
    public IReadOnlyDictionary<string, string> NodeLabels { get; init; } = new Dictionary<string, string>();

    /// <summary>--cert-dir.</summary>
    public string CertDirectory { get; init; } = "/var/lib/kubelet/pki";

    /// <summary>--cloud-provider: empty or external.</summary>
    public string CloudProvider { get; init; } = "";

    /// <summary>--root-dir.</summary>
    public string RootDirectory { get; init; } = "/var/lib/kubelet";

    /// <summary>--runtime-cgroups.</summary>
    public string RuntimeCgroups { get; init; } = "";

    /// <summary>--image-credential-provider-config.</summary>
    public string ImageCredentialProviderConfig { get; init; } = "";

    /// <summary>--image-credential-provider-bin-dir.</summary>
    public string ImageCredentialProviderBinDirectory { get; init; } = "";

    /// <summary>--lock-file; empty when not given.</summary>
    public string LockFile { get; init; } = "";

    /// <summary>--exit-on-lock-contention.</summary>
    public bool ExitOnLockContention { get; init; }

    /// <summary>--minimum-container-ttl-duration.</summary>
    public TimeSpan MinimumContainerTimeToLive { get; init; }

    /// <summary>--maximum-dead-containers-per-container.</summary>
    public int MaximumDeadContainersPerContainer { get; init; } = 1;

    /// <summary>--maximum-dead-containers; negative: no limit.</summary>
    public int MaximumDeadContainers { get; init; } = -1;

    /// <summary>Takes the values given on a command line.</summary>
    public static KubeletFlags From(ParsedFlags flags)
    {
        ArgumentNullException.ThrowIfNull(flags);
        KubeletFlags unset = new();
        return new KubeletFlags
        {
            ConfigFile = flags.Text("config"),
            ConfigDirectory = flags.Text("config-dir"),
            StrictConfig = flags.Bool("strict-config"),
            Kubeconfig = flags.Text("kubeconfig"),
            BootstrapKubeconfig = flags.Text("bootstrap-kubeconfig"),
            HostnameOverride = flags.Text("hostname-override"),
            NodeIP = flags.Text("node-ip"),
            NodeLabels = flags.TextMap("node-labels"),
            CertDirectory = flags.Text("cert-dir", unset.CertDirectory),
            CloudProvider = flags.Text("cloud-provider"),
            RootDirectory = flags.Text("root-dir", unset.RootDirectory),
            RuntimeCgroups = flags.Text("runtime-cgroups"),
            ImageCredentialProviderConfig = flags.Text("image-credential-provider-config"),
            ImageCredentialProviderBinDirectory = flags.Text("image-credential-provider-bin-dir"),
            LockFile = flags.Text("lock-file"),
            ExitOnLockContention = flags.Bool("exit-on-lock-contention"),
            MinimumContainerTimeToLive = flags.Duration("minimum-container-ttl-duration", TimeSpan.Zero),
            MaximumDeadContainersPerContainer = flags.Int32("maximum-dead-containers-per-container", 1),
            MaximumDeadContainers = flags.Int32("maximum-dead-containers", -1),
        };
    }
}
