using System.Net;
using NodeAgent.Linux.Netlink.Conntrack;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Conntrack;

/// <summary>
/// Which UDP flows go on to an endpoint that serves no more: the kernel would send their packets there as long as they come. Decided from
/// the services as they are now. Pure. Source: pkg/proxy/conntrack/cleanup.go.
/// </summary>
public sealed class StaleFlows
{
    private readonly Dictionary<(IPAddress Address, int Port), HashSet<(IPAddress, int)>> _destinations = [];
    private readonly Dictionary<int, HashSet<(IPAddress, int)>> _nodePorts = [];

    /// <summary>Takes the service ports with all their endpoints; those without serving endpoints say nothing about flows.</summary>
    public StaleFlows(IEnumerable<(ServicePort Port, IReadOnlyCollection<Endpoint> Endpoints)> services)
    {
        foreach ((ServicePort port, IReadOnlyCollection<Endpoint> endpoints) in services)
        {
            if (port.Name.Protocol != "udp" || !endpoints.Any(e => e.Serving))
            {
                continue;
            }

            HashSet<(IPAddress, int)> serving = [.. endpoints.Where(e => e.Serving).Select(e => (IPAddress.Parse(e.Address), e.Port))];
            foreach (string ip in port.ExternalIPs.Concat(port.LoadBalancerVips).Prepend(port.ClusterIP))
            {
                _destinations.TryAdd((IPAddress.Parse(ip), port.Port), serving);
            }

            if (port.NodePort != 0)
            {
                _nodePorts.TryAdd(port.NodePort, serving);
            }
        }
    }

    /// <summary>No flow can be stale.</summary>
    public bool IsEmpty => _destinations.Count == 0 && _nodePorts.Count == 0;

    /// <summary>True where the flow was for a service and goes to none of its serving endpoints.</summary>
    public bool Contains(ConntrackFlow flow) =>
        (_destinations.TryGetValue((flow.Destination, flow.DestinationPort), out HashSet<(IPAddress, int)>? serving)
            || _nodePorts.TryGetValue(flow.DestinationPort, out serving))
        && !serving.Contains((flow.Answerer, flow.AnswererPort));
}
