using System.Collections.Immutable;
using System.Net;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Proxy.Topology;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Ipvs;

/// <summary>A service port with its endpoints.</summary>
/// <param name="Port">The port.</param>
/// <param name="Endpoints">All of its endpoints, whatever their state.</param>
/// <param name="Chosen">Those this node uses.</param>
public sealed record IpvsInput(ServicePort Port, ImmutableArray<Endpoint> Endpoints, CategorizedEndpoints Chosen);

/// <summary>Compiles what the kernel should have of the services of a family. Pure; one use each. Source: pkg/proxy/ipvs/proxier.go.</summary>
public sealed class IpvsCompiler
{
    private readonly IpvsOptions _options;
    private readonly ImmutableSortedSet<string> _elsewhere;
    private readonly ImmutableArray<string> _nodePortAddresses;
    private readonly ImmutableSortedDictionary<VirtualServerKey, (VirtualServer, ImmutableSortedSet<RealServer>)>.Builder _servers =
        ImmutableSortedDictionary.CreateBuilder<VirtualServerKey, (VirtualServer, ImmutableSortedSet<RealServer>)>();

    private readonly ImmutableSortedSet<string>.Builder _bound = ImmutableSortedSet.CreateBuilder<string>(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<SetEntry>> _sets = IpvsSets.All.ToDictionary(s => s.Name, _ => new HashSet<SetEntry>());
    private readonly List<NodeRefusal> _refusals = [];
    private readonly HashSet<ServiceName> _noLocalInside = [], _noLocalOutside = [];

    private IpvsCompiler(IpvsOptions options, ImmutableSortedSet<string> elsewhere, ImmutableArray<string> nodePortAddresses) =>
        (_options, _elsewhere, _nodePortAddresses) = (options, elsewhere, nodePortAddresses);

    /// <summary>Compiles all service ports of a family.</summary>
    /// <param name="inputs">The service ports; the first of two with one address, port and protocol has it.</param>
    /// <param name="options">Options.</param>
    /// <param name="elsewhere">Addresses of other links than ours: they are not put on it.</param>
    /// <param name="nodePortAddresses">Addresses node ports answer on.</param>
    public static IpvsWanted Compile(IEnumerable<IpvsInput> inputs, IpvsOptions options, ImmutableSortedSet<string> elsewhere, ImmutableArray<string> nodePortAddresses)
    {
        var compiler = new IpvsCompiler(options, elsewhere, nodePortAddresses);
        foreach (IpvsInput input in inputs)
        {
            compiler.Add(input);
        }

        return compiler.Wanted();
    }

    private IpvsWanted Wanted()
    {
        ImmutableSortedSet<string> bound = _bound.ToImmutable();
        _sets[IpvsSets.Addresses] = [.. bound.Select(a => new SetEntry(a, "", 0))];
        return new IpvsWanted
        {
            Servers = _servers.ToImmutable(),
            Bound = bound,
            Sets = _sets.ToImmutableDictionary(s => s.Key, s => s.Value.ToImmutableSortedSet()),
            NodeRefusals = [.. _refusals.Distinct()],
            NoLocal = (_noLocalInside.Count, _noLocalOutside.Count),
        };
    }

    private void Add(IpvsInput input)
    {
        ServicePort port = input.Port;
        string protocol = port.Name.Protocol;
        foreach (Endpoint local in input.Endpoints.Where(e => e.IsLocal))
        {
            _sets[IpvsSets.LoopBack].Add(new SetEntry(local.Address, protocol, local.Port, local.Address));
        }

        _sets[IpvsSets.ClusterIP].Add(new SetEntry(port.ClusterIP, protocol, port.Port));
        AddServer(port.ClusterIP, port.Port, input, port.InternalLocal);
        _bound.Add(port.ClusterIP);
        foreach (string external in port.ExternalIPs)
        {
            _sets[port.ExternalLocal ? IpvsSets.ExternalIPLocal : IpvsSets.ExternalIP].Add(new SetEntry(external, protocol, port.Port));
            AddOutside(external, input);
        }

        foreach (string vip in port.LoadBalancerVips)
        {
            AddLoadBalancer(vip, port);
            AddOutside(vip, input);
        }

        // As upstream, a node port without an address to answer on takes the health check's entry with it.
        if (port.NodePort == 0 || AddNodePort(input))
        {
            AddHealthCheck(port);
        }
    }

    private void AddHealthCheck(ServicePort port)
    {
        if (port.HealthCheckNodePort != 0)
        {
            _sets[IpvsSets.HealthCheckNodePort].Add(SetEntry.OfPort(port.HealthCheckNodePort));
        }
    }

    private void AddOutside(string address, IpvsInput input)
    {
        AddServer(address, input.Port.Port, input, input.Port.ExternalLocal);
        if (!_elsewhere.Contains(address))
        {
            _bound.Add(address);
        }
    }

    private void AddLoadBalancer(string vip, ServicePort port)
    {
        var entry = new SetEntry(vip, port.Name.Protocol, port.Port);
        _sets[IpvsSets.LoadBalancer].Add(entry);
        if (port.ExternalLocal)
        {
            _sets[IpvsSets.LoadBalancerLocal].Add(entry);
        }

        if (port.SourceRanges.IsEmpty)
        {
            return;
        }

        _sets[IpvsSets.LoadBalancerFirewall].Add(entry);
        foreach (string range in port.SourceRanges)
        {
            if (Network(range) is var (address, prefix))
            {
                _sets[IpvsSets.LoadBalancerSourceCidr].Add(entry with { Second = address, Prefix = prefix });
            }
        }

        // On the node itself both ends of a connection have the load balancer's address.
        if (port.SourceRanges.Any(r => Contains(r, _options.NodeIP)))
        {
            _sets[IpvsSets.LoadBalancerSourceIP].Add(entry with { Second = vip });
        }
        else
        {
            _refusals.Add(new NodeRefusal(vip, port.Port, port.Name.Protocol));
        }
    }

    private bool AddNodePort(IpvsInput input)
    {
        if (_nodePortAddresses.IsEmpty)
        {
            return false;
        }

        ServicePort port = input.Port;
        (string all, string local) = port.Name.Protocol switch
        {
            "udp" => (IpvsSets.NodePortUdp, IpvsSets.NodePortLocalUdp),
            "sctp" => (IpvsSets.NodePortSctp, IpvsSets.NodePortLocalSctp),
            _ => (IpvsSets.NodePortTcp, IpvsSets.NodePortLocalTcp),
        };
        foreach (string address in _nodePortAddresses)
        {
            SetEntry entry = port.Name.Protocol == "sctp" ? new SetEntry(address, "sctp", port.NodePort) : SetEntry.OfPort(port.NodePort);
            _sets[all].Add(entry);
            if (port.ExternalLocal)
            {
                _sets[local].Add(entry);
            }

            AddServer(address, port.NodePort, input, port.ExternalLocal);
        }

        return true;
    }

    private void AddServer(string address, int number, IpvsInput input, bool onlyLocal)
    {
        ServicePort port = input.Port;
        uint flags = (port.StickySeconds > 0 ? VirtualServer.Persistent : 0) | (_options.Scheduler == "mh" ? VirtualServer.SourceHashPort : 0);
        _servers.TryAdd(
            new VirtualServerKey(address, number, port.Name.Protocol),
            (new VirtualServer(_options.Scheduler, flags, (uint)port.StickySeconds), [.. Endpoints(input, onlyLocal).Select(e => new RealServer(e.Address, e.Port))]));
    }

    /// <summary>Policy Local without an endpoint here takes all endpoints, as upstream does in this mode.</summary>
    private ImmutableArray<Endpoint> Endpoints(IpvsInput input, bool onlyLocal)
    {
        if (onlyLocal && input.Chosen.Local.IsEmpty && input.Chosen.HasAny)
        {
            Count(_noLocalInside, input.Port.InternalLocal, input.Port.Name.Service);
            Count(_noLocalOutside, input.Port.ExternalLocal, input.Port.Name.Service);
        }

        return onlyLocal && !input.Chosen.Local.IsEmpty ? input.Chosen.Local : input.Chosen.Cluster;
    }

    private static void Count(HashSet<ServiceName> services, bool counts, ServiceName service)
    {
        if (counts)
        {
            services.Add(service);
        }
    }

    /// <summary>A range with the bits behind its length cleared, as the kernel keeps it.</summary>
    internal static (string Address, int Prefix)? Network(string cidr)
    {
        if (!SloppyAddress.TryParseCidr(cidr, out IPAddress address, out int bits))
        {
            return null;
        }

        byte[] bytes = address.GetAddressBytes();
        for (int i = bits; i < bytes.Length * 8; i++)
        {
            bytes[i / 8] &= (byte)~(0x80 >> (i % 8));
        }

        return (new IPAddress(bytes).ToString(), bits);
    }

    /// <summary>True where an address is in a range.</summary>
    internal static bool Contains(string cidr, string address) =>
        Network(cidr) is var (network, bits) && IPAddress.TryParse(address, out IPAddress? ip) && IPAddress.TryParse(network, out IPAddress? first)
        && ip.AddressFamily == first.AddressFamily && new IPNetwork(first, bits).Contains(ip);
}
