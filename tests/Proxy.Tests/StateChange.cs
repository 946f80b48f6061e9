using FsCheck;
using FsCheck.Fluent;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests;

/// <summary>A random change of one of a few Services or of its endpoints, for properties of any sequence of them.</summary>
/// <param name="Kind">What changes.</param>
/// <param name="Service">Whose.</param>
/// <param name="Bits">How.</param>
internal sealed record StateChange(int Kind, int Service, int Bits)
{
    /// <summary>Sequences of changes whose bits are at most these.</summary>
    public static Arbitrary<IList<StateChange>> Sequences(int bits = 15) => Gen.ListOf(
        Gen.Choose(0, 9).SelectMany(kind => Gen.Choose(0, 4).SelectMany(service => Gen.Choose(0, bits).Select(b => new StateChange(kind, service, b)))))
        .Select(changes => (IList<StateChange>)changes).ToArbitrary();

    /// <summary>Makes it.</summary>
    public void ApplyTo(ProxyState state)
    {
        string name = $"web{Service}", ip = $"10.96.0.{Service + 1}";
        string[] addresses = [.. Enumerable.Range(0, 3).Where(i => (Bits >> i & 1) != 0).Select(i => i == 0 ? "10.244.0.10!" : $"10.244.0.{10 + i}")];
        switch (Kind)
        {
            case 0: state.SetService(TestServices.Service(name, ip)); break;
            case 1: state.SetService(TestServices.Service(name, ip, nodePort: 30000 + (Service / 2), external: Bits > 7 ? "Local" : null)); break;
            case 2: state.RemoveService(new ServiceName("ns", name)); break;
            case 3: state.RemoveSlice(TestServices.Slice(name)); break;
            case 4: state.SetService(Changed(name, ip, s => s with { SessionAffinity = "ClientIP", SessionAffinityConfig = new SessionAffinityConfig { ClientIP = new ClientIPConfig { TimeoutSeconds = 10 + (Bits % 2) } } })); break;
            case 5: state.SetService(Changed(name, ip, s => s with { ExternalIPs = ["10.96.0.1", $"192.0.2.{Bits % 3}"], InternalTrafficPolicy = Bits > 7 ? "Local" : "Cluster" })); break;
            case 6:
                state.SetService(Changed(name, ip, s => s with
                {
                    Type = "LoadBalancer",
                    SessionAffinity = Bits % 2 == 0 ? "ClientIP" : "None",
                    LoadBalancerSourceRanges = [$"203.0.113.{Bits}/28"],
                }));
                break;
            default: state.SetSlice(TestServices.Slice(name, addresses)); break;
        }
    }

    private static Service Changed(string name, string ip, Func<ServiceSpec, ServiceSpec> change)
    {
        Service service = TestServices.Service(name, ip);
        return service with
        {
            Spec = change(service.Spec!),
            Status = new ServiceStatus { LoadBalancer = new LoadBalancerStatus { Ingress = [new LoadBalancerIngress { Ip = "192.0.9.1" }] } },
        };
    }
}
