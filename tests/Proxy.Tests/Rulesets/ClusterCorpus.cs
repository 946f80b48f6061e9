using System.Collections.Immutable;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Rulesets;

/// <summary>A cluster's state with a Service of each kind, for golden rulesets and comparisons.</summary>
internal static class ClusterCorpus
{
    public static ProxyState State(IPFamily family)
    {
        var state = new ProxyState(family);
        Add(state, "plain", 1, [], 3);
        Add(state, "one", 2, [], 1);
        Add(state, "none", 3, [], 0, s => s with { Type = "NodePort" }, nodePort: 30003);
        Add(state, "node-port", 4, [], 2, s => s with { Type = "NodePort" }, nodePort: 30004);
        Add(state, "sticky", 5, [], 2, s => s with { SessionAffinity = "ClientIP" });
        Add(state, "local", 6, [Ip(family, 9, 6)], 2, s => s with { Type = "LoadBalancer", ExternalTrafficPolicy = "Local", ExternalIPs = [Ip(family, 8, 6)] }, nodePort: 30006);
        Add(state, "ranges", 7, [Ip(family, 9, 7)], 2,
            s => s with { Type = "LoadBalancer", LoadBalancerSourceRanges = family == IPFamily.IPv4 ? ["203.0.113.0/25", "192.0.1.0/24"] : ["fd00:203::/64", "fd00:1::/32"] }, nodePort: 30007);
        Add(state, "inside", 8, [], 1, s => s with { InternalTrafficPolicy = "Local" });
        Add(state, "sticky-node-port", 9, [], 2, s => s with { Type = "NodePort", SessionAffinity = "ClientIP", InternalTrafficPolicy = "Local" }, nodePort: 30009);
        return state;
    }

    public static string Ip(IPFamily family, int network, int host) => family == IPFamily.IPv4 ? $"192.0.{network}.{host}" : $"fd00:{network}::{host:x}";

    private static void Add(ProxyState state, string name, int number, ImmutableArray<string> vips, int endpoints, Func<ServiceSpec, ServiceSpec>? change = null, int nodePort = 0)
    {
        string ip = state.Family == IPFamily.IPv4 ? $"10.96.0.{number}" : $"fd00:96::{number:x}";
        var spec = new ServiceSpec
        {
            Type = "ClusterIP",
            ClusterIP = ip,
            ClusterIPs = [ip],
            IpFamilies = [state.Family.ToString()],
            Ports =
            [
                new Kubernetes.Objects.ServicePort { Name = "web", Port = 80, Protocol = "TCP", NodePort = nodePort == 0 ? null : nodePort },
                new Kubernetes.Objects.ServicePort { Name = "dns", Port = 53, Protocol = "UDP", NodePort = nodePort == 0 ? null : nodePort },
            ],
        };
        state.SetService(new Service
        {
            Metadata = new ObjectMeta { Namespace = "ns", Name = name },
            Spec = change?.Invoke(spec) ?? spec,
            Status = new ServiceStatus { LoadBalancer = new LoadBalancerStatus { Ingress = [.. vips.Select(v => new LoadBalancerIngress { Ip = v })] } },
        });
        state.SetSlice(Slice(state.Family, name, number, endpoints));
    }

    /// <summary>A Service's endpoints: the first is on node1, the others elsewhere.</summary>
    public static SliceState Slice(IPFamily family, string name, int number, int endpoints) => new()
    {
        Service = new ServiceName("ns", name),
        Name = name + "-1",
        Family = family,
        Ports = [new SlicePort("web", "tcp", 8080), new SlicePort("dns", "udp", 5353)],
        Endpoints = [.. Enumerable.Range(1, endpoints).Select(i => new SliceEndpoint(
            family == IPFamily.IPv4 ? $"10.244.{number}.{i}" : $"fd00:244:{number:x}::{i:x}", true, true, false, i == 1, [], []))],
    };
}
