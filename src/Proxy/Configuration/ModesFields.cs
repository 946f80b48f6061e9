using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Proxy.Configuration;

/// <summary>The fields for the modes, conntrack and Windows.</summary>
internal static class ModesFields
{
    internal static ConfigurationTable<KubeProxyConfiguration> AddModes(this ConfigurationTable<KubeProxyConfiguration> table) => table
        .Pointer("iptables.masqueradeBit", FieldKinds.Int32, c => c.IptablesMasqueradeBit, (c, v) => c with { IptablesMasqueradeBit = v })
        .Value("iptables.masqueradeAll", FieldKinds.Bool, c => c.IptablesMasqueradeAll, (c, v) => c with { IptablesMasqueradeAll = v })
        .Pointer("iptables.localhostNodePorts", FieldKinds.Bool,
            c => c.IptablesLocalhostNodePorts, (c, v) => c with { IptablesLocalhostNodePorts = v })
        .Value("iptables.syncPeriod", FieldKinds.Duration, c => c.IptablesSyncPeriod, (c, v) => c with { IptablesSyncPeriod = v })
        .Value("iptables.minSyncPeriod", FieldKinds.Duration,
            c => c.IptablesMinSyncPeriod, (c, v) => c with { IptablesMinSyncPeriod = v })
        .Value("ipvs.syncPeriod", FieldKinds.Duration,
            c => c.IpvsSyncPeriod, (c, v) => c with { IpvsSyncPeriod = v })
        .Value("ipvs.minSyncPeriod", FieldKinds.Duration,
            c => c.IpvsMinSyncPeriod, (c, v) => c with { IpvsMinSyncPeriod = v })
        .Value("ipvs.scheduler", FieldKinds.Text, c => c.IpvsScheduler, (c, v) => c with { IpvsScheduler = v })
        .Value("ipvs.excludeCIDRs", FieldKinds.TextList,
            c => c.IpvsExcludeCIDRs, (c, v) => c with { IpvsExcludeCIDRs = v })
        .Value("ipvs.strictARP", FieldKinds.Bool, c => c.IpvsStrictARP, (c, v) => c with { IpvsStrictARP = v })
        .Value("ipvs.tcpTimeout", FieldKinds.Duration,
            c => c.IpvsTcpTimeout, (c, v) => c with { IpvsTcpTimeout = v })
        .Value("ipvs.tcpFinTimeout", FieldKinds.Duration,
            c => c.IpvsTcpFinTimeout, (c, v) => c with { IpvsTcpFinTimeout = v })
        .Value("ipvs.udpTimeout", FieldKinds.Duration,
            c => c.IpvsUdpTimeout, (c, v) => c with { IpvsUdpTimeout = v })
        .Pointer("nftables.masqueradeBit", FieldKinds.Int32,
            c => c.NftablesMasqueradeBit, (c, v) => c with { NftablesMasqueradeBit = v })
        .Value("nftables.masqueradeAll", FieldKinds.Bool,
            c => c.NftablesMasqueradeAll, (c, v) => c with { NftablesMasqueradeAll = v })
        .Value("nftables.syncPeriod", FieldKinds.Duration,
            c => c.NftablesSyncPeriod, (c, v) => c with { NftablesSyncPeriod = v })
        .Value("nftables.minSyncPeriod", FieldKinds.Duration,
            c => c.NftablesMinSyncPeriod, (c, v) => c with { NftablesMinSyncPeriod = v })
        .Pointer("conntrack.maxPerCore", FieldKinds.Int32, c => c.ConntrackMaxPerCore, (c, v) => c with { ConntrackMaxPerCore = v })
        .Pointer("conntrack.min", FieldKinds.Int32, c => c.ConntrackMin, (c, v) => c with { ConntrackMin = v })
        .Pointer("conntrack.tcpEstablishedTimeout", FieldKinds.Duration,
            c => c.ConntrackTcpEstablishedTimeout, (c, v) => c with { ConntrackTcpEstablishedTimeout = v })
        .Pointer("conntrack.tcpCloseWaitTimeout", FieldKinds.Duration,
            c => c.ConntrackTcpCloseWaitTimeout, (c, v) => c with { ConntrackTcpCloseWaitTimeout = v })
        .Value("conntrack.tcpBeLiberal", FieldKinds.Bool, c => c.ConntrackTcpBeLiberal, (c, v) => c with { ConntrackTcpBeLiberal = v })
        .Value("conntrack.udpTimeout", FieldKinds.Duration, c => c.ConntrackUdpTimeout, (c, v) => c with { ConntrackUdpTimeout = v })
        .Value("conntrack.udpStreamTimeout", FieldKinds.Duration,
            c => c.ConntrackUdpStreamTimeout, (c, v) => c with { ConntrackUdpStreamTimeout = v })
        .Value("winkernel.networkName", FieldKinds.Text,
            c => c.WinkernelNetworkName, (c, v) => c with { WinkernelNetworkName = v }, SupportState.Ignored)
        .Value("winkernel.sourceVip", FieldKinds.Text,
            c => c.WinkernelSourceVip, (c, v) => c with { WinkernelSourceVip = v }, SupportState.Ignored)
        .Value("winkernel.enableDSR", FieldKinds.Bool,
            c => c.WinkernelEnableDSR, (c, v) => c with { WinkernelEnableDSR = v }, SupportState.Ignored)
        .Value("winkernel.rootHnsEndpointName", FieldKinds.Text,
            c => c.WinkernelRootHnsEndpointName, (c, v) => c with { WinkernelRootHnsEndpointName = v }, SupportState.Ignored)
        .Value("winkernel.forwardHealthCheckVip", FieldKinds.Bool,
            c => c.WinkernelForwardHealthCheckVip, (c, v) => c with { WinkernelForwardHealthCheckVip = v }, SupportState.Ignored);
}
