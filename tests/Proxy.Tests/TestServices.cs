using NodeAgent.Kubernetes.Objects;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests;

/// <summary>Services and slices for tests.</summary>
internal static class TestServices
{
    public static Service Service(string name, string clusterIP = "10.96.0.10", int port = 80, int nodePort = 0, string type = "ClusterIP", string? external = null) => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = name },
        Spec = new ServiceSpec
        {
            Type = nodePort != 0 && type == "ClusterIP" ? "NodePort" : type,
            ClusterIP = clusterIP,
            ClusterIPs = [clusterIP],
            IpFamilies = ["IPv4"],
            ExternalTrafficPolicy = external,
            Ports = [new Kubernetes.Objects.ServicePort { Name = "p80", Port = port, Protocol = "TCP", NodePort = nodePort == 0 ? null : nodePort }],
        },
    };

    public static SliceState Slice(string service, params string[] addresses) => new()
    {
        Service = new ServiceName("ns", service),
        Name = service + "-1",
        Family = IPFamily.IPv4,
        Ports = [new SlicePort("p80", "tcp", 8080)],
        Endpoints = [.. addresses.Select(a => new SliceEndpoint(a.TrimEnd('!'), true, true, false, a.EndsWith('!'), [], []))],
    };
}
