using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Proxy.Configuration;

/// <summary>
/// kubeproxy.config.k8s.io/v1alpha1 KubeProxyConfiguration. Properties are named as the JSON path without its dots. The properties that
/// depend on the mode (<see cref="SyncPeriod"/> and so on) give what upstream's internal configuration has once for all modes.
/// </summary>
public sealed partial record KubeProxyConfiguration
{
    /// <summary>The word that stands for the node's own addresses in nodePortAddresses.</summary>
    public const string PrimaryNodePortAddresses = "primary";

    /// <summary>logging: format and verbosity of the log.</summary>
    public LoggingConfiguration Logging { get; init; } = new();

    /// <summary>Rules are checked at least this often.</summary>
    public TimeSpan SyncPeriod => Mode switch { "ipvs" => IpvsSyncPeriod, "nftables" => NftablesSyncPeriod, _ => IptablesSyncPeriod };

    /// <summary>Rules are written at most this often.</summary>
    public TimeSpan MinSyncPeriod => Mode switch { "ipvs" => IpvsMinSyncPeriod, "nftables" => NftablesMinSyncPeriod, _ => IptablesMinSyncPeriod };

    /// <summary>Masquerade all traffic to cluster IPs.</summary>
    public bool MasqueradeAll => Mode == "nftables" ? NftablesMasqueradeAll : IptablesMasqueradeAll;

    /// <summary>Bit of the mark for masquerading, 0 to 31.</summary>
    public int MasqueradeBit => Mode == "nftables" ? NftablesMasqueradeBit : IptablesMasqueradeBit;

    /// <summary>clusterCIDR, one for each family; empty when not set.</summary>
    public IReadOnlyList<string> ClusterCIDRs => ClusterCIDR.Length == 0 ? [] : ClusterCIDR.Split(',');
}
