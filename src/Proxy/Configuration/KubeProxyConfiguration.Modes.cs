namespace NodeAgent.Proxy.Configuration;

// The fields for the modes, conntrack and Windows.
public sealed partial record KubeProxyConfiguration
{
    /// <summary>iptables.masqueradeBit: Bit of the mark for masquerading (iptables and ipvs).</summary>
    public int IptablesMasqueradeBit { get; init; } = 14;

    /// <summary>iptables.masqueradeAll: Masquerade all traffic to cluster IPs (iptables and ipvs).</summary>
    public bool IptablesMasqueradeAll { get; init; }

    /// <summary>iptables.localhostNodePorts: NodePorts on loopback addresses.</summary>
    public bool IptablesLocalhostNodePorts { get; init; } = true;

    /// <summary>iptables.syncPeriod: Rules are checked at least this often.</summary>
    public TimeSpan IptablesSyncPeriod { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>iptables.minSyncPeriod: Rules are written at most this often.</summary>
    public TimeSpan IptablesMinSyncPeriod { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>ipvs.syncPeriod: Rules are checked at least this often.</summary>
    public TimeSpan IpvsSyncPeriod { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>ipvs.minSyncPeriod: Rules are written at most this often.</summary>
    public TimeSpan IpvsMinSyncPeriod { get; init; }

    /// <summary>ipvs.scheduler: IPVS scheduler; empty: rr.</summary>
    public string IpvsScheduler { get; init; } = "";

    /// <summary>ipvs.excludeCIDRs: Ranges whose IPVS services are left alone.</summary>
    public IReadOnlyList<string> IpvsExcludeCIDRs { get; init; } = [];

    /// <summary>ipvs.strictARP: arp_ignore 1 and arp_announce 2.</summary>
    public bool IpvsStrictARP { get; init; }

    /// <summary>ipvs.tcpTimeout: Idle TCP connections; zero: the kernel's.</summary>
    public TimeSpan IpvsTcpTimeout { get; init; }

    /// <summary>ipvs.tcpFinTimeout: TCP connections after FIN; zero: the kernel's.</summary>
    public TimeSpan IpvsTcpFinTimeout { get; init; }

    /// <summary>ipvs.udpTimeout: Idle UDP flows; zero: the kernel's.</summary>
    public TimeSpan IpvsUdpTimeout { get; init; }

    /// <summary>nftables.masqueradeBit: Bit of the mark for masquerading.</summary>
    public int NftablesMasqueradeBit { get; init; } = 14;

    /// <summary>nftables.masqueradeAll: Masquerade all traffic to cluster IPs.</summary>
    public bool NftablesMasqueradeAll { get; init; }

    /// <summary>nftables.syncPeriod: Rules are checked at least this often.</summary>
    public TimeSpan NftablesSyncPeriod { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>nftables.minSyncPeriod: Rules are written at most this often.</summary>
    public TimeSpan NftablesMinSyncPeriod { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>conntrack.maxPerCore: Connections for each core; 0: leave the limit.</summary>
    public int ConntrackMaxPerCore { get; init; } = 32768;

    /// <summary>conntrack.min: Connections at least.</summary>
    public int ConntrackMin { get; init; } = 131072;

    /// <summary>conntrack.tcpEstablishedTimeout: Idle established TCP connections; zero: leave.</summary>
    public TimeSpan ConntrackTcpEstablishedTimeout { get; init; } = TimeSpan.FromHours(24);

    /// <summary>conntrack.tcpCloseWaitTimeout: TCP connections in CLOSE_WAIT; zero: leave.</summary>
    public TimeSpan ConntrackTcpCloseWaitTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>conntrack.tcpBeLiberal: nf_conntrack_tcp_be_liberal.</summary>
    public bool ConntrackTcpBeLiberal { get; init; }

    /// <summary>conntrack.udpTimeout: Unreplied UDP flows; zero: leave.</summary>
    public TimeSpan ConntrackUdpTimeout { get; init; }

    /// <summary>conntrack.udpStreamTimeout: Assured UDP flows; zero: leave.</summary>
    public TimeSpan ConntrackUdpStreamTimeout { get; init; }

    /// <summary>winkernel.networkName: Windows only.</summary>
    public string WinkernelNetworkName { get; init; } = "";

    /// <summary>winkernel.sourceVip: Windows only.</summary>
    public string WinkernelSourceVip { get; init; } = "";

    /// <summary>winkernel.enableDSR: Windows only.</summary>
    public bool WinkernelEnableDSR { get; init; }

    /// <summary>winkernel.rootHnsEndpointName: Windows only.</summary>
    public string WinkernelRootHnsEndpointName { get; init; } = "";

    /// <summary>winkernel.forwardHealthCheckVip: Windows only.</summary>
    public bool WinkernelForwardHealthCheckVip { get; init; }
}
