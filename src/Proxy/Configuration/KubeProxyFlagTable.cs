using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Configuration.Flags;

namespace NodeAgent.Proxy.Configuration;

/// <summary>All flags of kube-proxy (upstream: cmd/kube-proxy/app/options.go).</summary>
public static class KubeProxyFlagTable
{
    /// <summary>The flags.</summary>
    public static FlagSet Flags { get; } = new("kube-proxy", [.. Own, .. Bound]);

    private static IEnumerable<FlagDefinition> Own =>
    [
        new("config", FlagKind.Text, "", "Configuration file"),
        new("strict-config", FlagKind.Bool, "false", "Refuse to start on unknown or duplicate fields (NodeAgent only)"),
        new("write-config-to", FlagKind.Text, "", "Write the effective configuration to this file and exit"),
        new("cleanup", FlagKind.Bool, "false", "Remove what this and other modes left in the kernel, and exit"),
        new("init-only", FlagKind.Bool, "false", "Do only what needs full root privileges, and exit"),
        new("master", FlagKind.Text, "", "Address of the API server, instead of the kubeconfig's"),
        new("hostname-override", FlagKind.Text, "", "Node name instead of the host's name"),
        new("masquerade-all", FlagKind.Bool, "false", "Masquerade all traffic to cluster IPs"),
        new("iptables-sync-period", FlagKind.Duration, "30s", "Rules are checked at least this often (all modes except ipvs)"),
        new("iptables-min-sync-period", FlagKind.Duration, "1s", "Rules are written at most this often (all modes except ipvs)"),
        new("healthz-port", FlagKind.Int32, "10256", "Port of the health server; 0: off") { Deprecation = "use --healthz-bind-address" },
        new("metrics-port", FlagKind.Int32, "10249", "Port of the metrics server") { Deprecation = "use --metrics-bind-address" },
        new("version", FlagKind.Version, "false", "Print the version and exit; raw prints all of it"),
        new("boot-id-file", FlagKind.Text, "", "Ignored") { State = SupportState.Ignored },
        new("machine-id-file", FlagKind.Text, "", "Ignored") { State = SupportState.Ignored },
    ];

    private static IEnumerable<FlagDefinition> Bound =>
    [
        Field("feature-gates", FlagKind.BoolMap, "featureGates", "Feature gates that are set."),
        Field("kubeconfig", FlagKind.Text, "clientConnection.kubeconfig", "kubeconfig file; empty: in-cluster configuration."),
        Field("kube-api-content-type", FlagKind.Text, "clientConnection.contentType", "Content type of API requests; JSON is used whatever it says."),
        Field("kube-api-qps", FlagKind.Float, "clientConnection.qps", "Requests to the API server for each second."),
        Field("kube-api-burst", FlagKind.Int32, "clientConnection.burst", "Requests to the API server in a burst."),
        Field("bind-address", FlagKind.IPAddress, "bindAddress", "Overrides the node's primary IP; nothing is bound to it."),
        Field("bind-address-hard-fail", FlagKind.Bool, "bindAddressHardFail", "Exit when a port cannot be bound."),
        Field("healthz-bind-address", FlagKind.IPAddressPort, "healthzBindAddress", "IP:port of /healthz."),
        Field("metrics-bind-address", FlagKind.IPAddressPort, "metricsBindAddress", "IP:port of /metrics."),
        Field("profiling", FlagKind.Bool, "enableProfiling", "Go's profiling; means nothing here."),
        Field("show-hidden-metrics-for-version", FlagKind.Text, "showHiddenMetricsForVersion", "Show metrics hidden since this minor version."),
        Field("proxy-mode", FlagKind.Text, "mode", "iptables, ipvs or nftables; empty: iptables."),
        Field("iptables-masquerade-bit", FlagKind.Int32, "iptables.masqueradeBit", "Bit of the mark for masquerading (iptables and ipvs)."),
        Field("iptables-localhost-nodeports", FlagKind.Bool, "iptables.localhostNodePorts", "NodePorts on loopback addresses."),
        Field("ipvs-scheduler", FlagKind.Text, "ipvs.scheduler", "IPVS scheduler; empty: rr."),
        Field("ipvs-exclude-cidrs", FlagKind.TextList, "ipvs.excludeCIDRs", "Ranges whose IPVS services are left alone."),
        Field("ipvs-strict-arp", FlagKind.Bool, "ipvs.strictARP", "arp_ignore 1 and arp_announce 2."),
        Field("ipvs-tcp-timeout", FlagKind.Duration, "ipvs.tcpTimeout", "Idle TCP connections; zero: the kernel's."),
        Field("ipvs-tcpfin-timeout", FlagKind.Duration, "ipvs.tcpFinTimeout", "TCP connections after FIN; zero: the kernel's."),
        Field("ipvs-udp-timeout", FlagKind.Duration, "ipvs.udpTimeout", "Idle UDP flows; zero: the kernel's."),
        Field("ipvs-sync-period", FlagKind.Duration, "ipvs.syncPeriod", "Rules are checked at least this often."),
        Field("ipvs-min-sync-period", FlagKind.Duration, "ipvs.minSyncPeriod", "Rules are written at most this often."),
        Field("detect-local-mode", FlagKind.Text, "detectLocalMode", "ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix."),
        Field("cluster-cidr", FlagKind.Text, "clusterCIDR", "Pod range, or two of different families with a comma."),
        Field("pod-bridge-interface", FlagKind.Text, "detectLocal.bridgeInterface", "The bridge of local pods."),
        Field("pod-interface-name-prefix", FlagKind.Text, "detectLocal.interfaceNamePrefix", "Prefix of local pods' interfaces."),
        Field("nodeport-addresses", FlagKind.TextList, "nodePortAddresses", "CIDRs that serve NodePorts, or primary."),
        Field("oom-score-adj", FlagKind.Int32, "oomScoreAdj", "OOM score of this process."),
        Field("conntrack-max-per-core", FlagKind.Int32, "conntrack.maxPerCore", "Connections for each core; 0: leave the limit."),
        Field("conntrack-min", FlagKind.Int32, "conntrack.min", "Connections at least."),
        Field("conntrack-tcp-timeout-established", FlagKind.Duration, "conntrack.tcpEstablishedTimeout", "Idle established TCP connections; zero: leave."),
        Field("conntrack-tcp-timeout-close-wait", FlagKind.Duration, "conntrack.tcpCloseWaitTimeout", "TCP connections in CLOSE_WAIT; zero: leave."),
        Field("conntrack-tcp-be-liberal", FlagKind.Bool, "conntrack.tcpBeLiberal", "nf_conntrack_tcp_be_liberal."),
        Field("conntrack-udp-timeout", FlagKind.Duration, "conntrack.udpTimeout", "Unreplied UDP flows; zero: leave."),
        Field("conntrack-udp-timeout-stream", FlagKind.Duration, "conntrack.udpStreamTimeout", "Assured UDP flows; zero: leave."),
        Field("config-sync-period", FlagKind.Duration, "configSyncPeriod", "Informers' resync; ours hold no stale state to resync."),
        Field("logging-format", FlagKind.Text, "logging.format", "text or json"),
        Field("log-flush-frequency", FlagKind.Duration, "logging.flushFrequency", "How long a line may wait before it is written"),
        Field("v", FlagKind.Int32, "logging.verbosity", "Number for the log level verbosity") with { Shorthand = 'v' },
        Field("vmodule", FlagKind.VModule, "logging.vmodule", "pattern=N,… for single parts (text format)"),
        Field("log-text-split-stream", FlagKind.Bool, "logging.options.text.splitStream", "Information to stdout, errors to stderr"),
        Field("log-text-info-buffer-size", FlagKind.Bytes, "logging.options.text.infoBufferSize", "Buffer for information, bytes"),
        Field("log-json-split-stream", FlagKind.Bool, "logging.options.json.splitStream", "Information to stdout, errors to stderr"),
        Field("log-json-info-buffer-size", FlagKind.Bytes, "logging.options.json.infoBufferSize", "Buffer for information, bytes"),
    ];

    private static FlagDefinition Field(string name, FlagKind kind, string path, string summary)
    {
        ConfigurationField<KubeProxyConfiguration> field = KubeProxyConfigurationTable.Fields.Fields.First(f => f.Path == path);
        return new FlagDefinition(name, kind, "", summary) { Field = field, State = field.State };
    }
}
