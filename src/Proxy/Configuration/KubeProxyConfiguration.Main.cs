namespace NodeAgent.Proxy.Configuration;

// The fields for all modes.
public sealed partial record KubeProxyConfiguration
{
    /// <summary>featureGates: Feature gates that are set.</summary>
    public IReadOnlyDictionary<string, bool> FeatureGates { get; init; } = new Dictionary<string, bool>();

    /// <summary>clientConnection.kubeconfig: kubeconfig file; empty: in-cluster configuration.</summary>
    public string ClientConnectionKubeconfig { get; init; } = "";

    /// <summary>clientConnection.acceptContentTypes: Accepted content types; JSON is used whatever it says.</summary>
    public string ClientConnectionAcceptContentTypes { get; init; } = "";

    /// <summary>clientConnection.contentType: Content type of API requests; JSON is used whatever it says.</summary>
    public string ClientConnectionContentType { get; init; } = "application/vnd.kubernetes.protobuf";

    /// <summary>clientConnection.qps: Requests to the API server for each second.</summary>
    public double ClientConnectionQps { get; init; } = 5;

    /// <summary>clientConnection.burst: Requests to the API server in a burst.</summary>
    public int ClientConnectionBurst { get; init; } = 10;

    /// <summary>hostnameOverride: Node name; empty: the host's name.</summary>
    public string HostnameOverride { get; init; } = "";

    /// <summary>bindAddress: Overrides the node's primary IP; nothing is bound to it.</summary>
    public string BindAddress { get; init; } = "0.0.0.0";

    /// <summary>healthzBindAddress: IP:port of /healthz.</summary>
    public string HealthzBindAddress { get; init; } = "";

    /// <summary>metricsBindAddress: IP:port of /metrics.</summary>
    public string MetricsBindAddress { get; init; } = "";

    /// <summary>bindAddressHardFail: Exit when a port cannot be bound.</summary>
    public bool BindAddressHardFail { get; init; }

    /// <summary>enableProfiling: Go's profiling; means nothing here.</summary>
    public bool EnableProfiling { get; init; }

    /// <summary>showHiddenMetricsForVersion: Show metrics hidden since this minor version.</summary>
    public string ShowHiddenMetricsForVersion { get; init; } = "";

    /// <summary>mode: iptables, ipvs or nftables; empty: iptables.</summary>
    public string Mode { get; init; } = "";

    /// <summary>detectLocalMode: ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix.</summary>
    public string DetectLocalMode { get; init; } = "";

    /// <summary>detectLocal.bridgeInterface: The bridge of local pods.</summary>
    public string DetectLocalBridgeInterface { get; init; } = "";

    /// <summary>detectLocal.interfaceNamePrefix: Prefix of local pods' interfaces.</summary>
    public string DetectLocalInterfaceNamePrefix { get; init; } = "";

    /// <summary>clusterCIDR: Pod range, or two of different families with a comma.</summary>
    public string ClusterCIDR { get; init; } = "";

    /// <summary>nodePortAddresses: CIDRs that serve NodePorts, or primary.</summary>
    public IReadOnlyList<string> NodePortAddresses { get; init; } = [];

    /// <summary>oomScoreAdj: OOM score of this process.</summary>
    public int OomScoreAdj { get; init; } = -999;

    /// <summary>configSyncPeriod: Informers' resync; ours hold no stale state to resync.</summary>
    public TimeSpan ConfigSyncPeriod { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>portRange: Not used since the userspace mode went.</summary>
    public string PortRange { get; init; } = "";

    /// <summary>windowsRunAsService: Windows only.</summary>
    public bool WindowsRunAsService { get; init; }
}
