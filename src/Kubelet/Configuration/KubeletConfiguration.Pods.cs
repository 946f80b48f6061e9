namespace NodeAgent.Kubelet.Configuration;

// The fields about what pods get.
public sealed partial record KubeletConfiguration
{
    /// <summary>clusterDomain: Domain of the cluster, searched by pods.</summary>
    public string ClusterDomain { get; init; } = "";

    /// <summary>clusterDNS: DNS servers of pods.</summary>
    public IReadOnlyList<string> ClusterDNS { get; init; } = [];

    /// <summary>resolvConf: The host's resolv.conf; empty: none.</summary>
    public string ResolvConf { get; init; } = "/etc/resolv.conf";

    /// <summary>hairpinMode: Validated; has no effect upstream either.</summary>
    public string HairpinMode { get; init; } = "promiscuous-bridge";

    /// <summary>podPidsLimit: Processes of a pod; -1: the node's limit.</summary>
    public long PodPidsLimit { get; init; } = -1;

    /// <summary>seccompDefault: RuntimeDefault where a pod names no seccomp profile.</summary>
    public bool SeccompDefault { get; init; }

    /// <summary>allowedUnsafeSysctls: Unsafe sysctls pods may set; a trailing * is a wildcard.</summary>
    public IReadOnlyList<string> AllowedUnsafeSysctls { get; init; } = [];

    /// <summary>runOnce: Refused by validation.</summary>
    public bool RunOnce { get; init; }

    /// <summary>volumeStatsAggPeriod: How often volume use is measured; negative: off.</summary>
    public TimeSpan VolumeStatsAggPeriod { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>volumePluginDir: Folder of flexvolume drivers.</summary>
    public string VolumePluginDir { get; init; } = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/";

    /// <summary>localStorageCapacityIsolation: Count ephemeral storage.</summary>
    public bool LocalStorageCapacityIsolation { get; init; } = true;

    /// <summary>crashLoopBackOff.maxContainerRestartPeriod: Longest wait before a container is restarted.</summary>
    public TimeSpan? MaxContainerRestartPeriod { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>userNamespaces.idsPerPod: User ids of a pod with its own user namespace; null: 65536.</summary>
    public long? UserNamespaceIdsPerPod { get; init; }
}
