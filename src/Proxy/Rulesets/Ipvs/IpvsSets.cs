using System.Collections.Immutable;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Ipvs;

/// <summary>The kinds of ipset that are used.</summary>
public enum SetKind
{
    /// <summary>bitmap:port.</summary>
    Port,
    /// <summary>hash:ip.</summary>
    Ip,
    /// <summary>hash:ip,port.</summary>
    IpPort,
    /// <summary>hash:ip,port,ip.</summary>
    IpPortIp,
    /// <summary>hash:ip,port,net.</summary>
    IpPortNet,
}

/// <summary>One of the sets.</summary>
/// <param name="Name">Upstream's name for IPv4.</param>
/// <param name="Kind">Kind.</param>
/// <param name="Comment">What rules that use it say.</param>
public sealed record IpvsSet(string Name, SetKind Kind, string Comment);

/// <summary>The sets of ipvs mode: names, kinds and comments are seen by other programs. Source: pkg/proxy/ipvs/ipset.go.</summary>
public static class IpvsSets
{
    private const int LongestName = 31;

    internal const string LoopBack = "KUBE-LOOP-BACK", ClusterIP = "KUBE-CLUSTER-IP", ExternalIP = "KUBE-EXTERNAL-IP", ExternalIPLocal = "KUBE-EXTERNAL-IP-LOCAL",
        LoadBalancer = "KUBE-LOAD-BALANCER", LoadBalancerLocal = "KUBE-LOAD-BALANCER-LOCAL", LoadBalancerFirewall = "KUBE-LOAD-BALANCER-FW",
        LoadBalancerSourceIP = "KUBE-LOAD-BALANCER-SOURCE-IP", LoadBalancerSourceCidr = "KUBE-LOAD-BALANCER-SOURCE-CIDR",
        NodePortTcp = "KUBE-NODE-PORT-TCP", NodePortLocalTcp = "KUBE-NODE-PORT-LOCAL-TCP", NodePortUdp = "KUBE-NODE-PORT-UDP", NodePortLocalUdp = "KUBE-NODE-PORT-LOCAL-UDP",
        NodePortSctp = "KUBE-NODE-PORT-SCTP-HASH", NodePortLocalSctp = "KUBE-NODE-PORT-LOCAL-SCTP-HASH", HealthCheckNodePort = "KUBE-HEALTH-CHECK-NODE-PORT",
        Addresses = "KUBE-IPVS-IPS";

    /// <summary>All of them.</summary>
    public static ImmutableArray<IpvsSet> All { get; } =
    [
        new(LoopBack, SetKind.IpPortIp, "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"),
        new(ClusterIP, SetKind.IpPort, "Kubernetes service cluster ip + port for masquerade purpose"),
        new(ExternalIP, SetKind.IpPort, "Kubernetes service external ip + port for masquerade and filter purpose"),
        new(ExternalIPLocal, SetKind.IpPort, "Kubernetes service external ip + port with externalTrafficPolicy=local"),
        new(LoadBalancer, SetKind.IpPort, "Kubernetes service lb portal"),
        new(LoadBalancerFirewall, SetKind.IpPort, "Kubernetes service load balancer ip + port for load balancer with sourceRange"),
        new(LoadBalancerLocal, SetKind.IpPort, "Kubernetes service load balancer ip + port with externalTrafficPolicy=local"),
        new(LoadBalancerSourceIP, SetKind.IpPortIp, "Kubernetes service load balancer ip + port + source IP for packet filter purpose"),
        new(LoadBalancerSourceCidr, SetKind.IpPortNet, "Kubernetes service load balancer ip + port + source cidr for packet filter purpose"),
        new(NodePortTcp, SetKind.Port, "Kubernetes nodeport TCP port for masquerade purpose"),
        new(NodePortLocalTcp, SetKind.Port, "Kubernetes nodeport TCP port with externalTrafficPolicy=local"),
        new(NodePortUdp, SetKind.Port, "Kubernetes nodeport UDP port for masquerade purpose"),
        new(NodePortLocalUdp, SetKind.Port, "Kubernetes nodeport UDP port with externalTrafficPolicy=local"),
        new(NodePortSctp, SetKind.IpPort, "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'"),
        new(NodePortLocalSctp, SetKind.IpPort, "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'"),
        new(HealthCheckNodePort, SetKind.Port, "Kubernetes health check node port"),
        new(Addresses, SetKind.Ip, "Addresses on the ipvs interface"),
    ];

    private static readonly ImmutableDictionary<string, IpvsSet> ByName = All.ToImmutableDictionary(s => s.Name);

    /// <summary>A set by upstream's name for IPv4.</summary>
    public static IpvsSet Of(string name) => ByName[name];

    /// <summary>The name in the kernel: both families have sets of their own, and names have at most 31 characters.</summary>
    public static string NameIn(IPFamily family, string name)
    {
        string full = family == IPFamily.IPv4 ? name : "KUBE-6-" + name["KUBE-".Length..];
        return full.Length > LongestName ? full[..LongestName] : full;
    }
}
