using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Harness.Networks;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Netlink;
using NodeAgent.Linux.Procfs;
using NodeAgent.Proxy.Configuration;
using NodeAgent.Proxy.Conntrack;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Kernel.Ipvs;
using NodeAgent.Proxy.Kernel.Nftables;
using NodeAgent.Proxy.Kernel.Sysctls;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Rulesets.Ipvs;
using NodeAgent.Proxy.Rulesets.Nftables;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>
/// A node with two pods, a pod on another node and a client outside, each in a namespace of its own:
/// client pod 10.180.1.2, local pod 10.180.2.2, remote pod 10.181.0.2, outside 203.0.113.2; the node is .1 in each network. IPv6 likewise.
/// </summary>
internal sealed class NodeNetwork : IDisposable
{
    public const string VirtualIP = "172.30.0.41";
    public const string VirtualIPv6 = "fd00:172:30::41";
    public const int NodePort = 30080;
    private static int _count;
    private readonly string _prefix = $"px{Environment.ProcessId % 10000}n{Interlocked.Increment(ref _count)}";
    private readonly IPFamily _family;
    private readonly string _mode;
    private readonly ConntrackCleaner _conntrack;
    private readonly IpvsKernelInNamespace? _ipvs;
    private readonly List<(NetworkNamespace Part, string Network, string Network6)> _parts = [];

    /// <param name="mode">"nftables", "ipvs", or "iptables-nft" or "iptables-legacy" by the programs used; "iptables-nft-chains" with a chain for each endpoint.</param>
    /// <param name="family">The family programmed.</param>
    /// <param name="local">Tells pods of this node; by their network where not given.</param>
    public NodeNetwork(string mode, IPFamily family = IPFamily.IPv4, LocalTrafficDetector? local = null)
    {
        (_mode, _family) = (mode, family);
        Node = new NetworkNamespace(_prefix + "h");
        // What comes from outside for an address that is not local leaves by the same link: the redirect the kernel sends for it takes the
        // sender's allowance of ICMP errors (icmp_ratelimit), and a refusal would never be sent.
        Node.Exec("sysctl", "-qw", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0");
        Client = Join("c", "10.180.1", "fd00:180:1");
        Local = Join("l", "10.180.2", "fd00:180:2");
        Remote = Join("r", "10.181.0", "fd00:181:0");
        Outside = Join("x", "203.0.113", "fd00:203:113");
        Node.Exec("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.all.route_localnet=1");
        Node.Ip("route add default via 203.0.113.2");
        Node.Ip("-6 route add default via fd00:203:113::2");
        Local.Serve("local", Address("10.180.2.2", "fd00:180:2::2"), 8080);
        Remote.Serve("remote", Address("10.181.0.2", "fd00:181:0::2"), 8080);
        string programs = mode == "ipvs" ? PacketModes.IptablesOfIpvs : mode == "iptables-legacy" ? "legacy" : "nft";
        // One lock for all networks would let many rows at once wait for each other.
        Iptables = new IptablesCommands(family, TimeSpan.FromSeconds(30), programs) { Through = ["ip", "netns", "exec", Node.Name, "env", $"XTABLES_LOCKFILE=/run/{Node.Name}.lock"] };
        Nft = new NftKernel(family, () => Node.Within(() => NetlinkSocket.Open()));
        State = new ProxyState(family);
        Options = new IptablesOptions
        {
            Family = family,
            LocalTraffic = local ?? LocalTrafficDetector.ByCidr(Address("10.180.0.0/15", "fd00:180::/28")),
            LocalhostNodePorts = family == IPFamily.IPv4,
            DirectEndpoints = !mode.EndsWith("-chains", StringComparison.Ordinal),
        };
        NftOptions = new NftOptions { Family = family, LocalTraffic = Options.LocalTraffic, NodeIP = Address("203.0.113.1", "fd00:203:113::1"), ServiceCidrs = [Address("172.30.0.0/16", "fd00:172:30::/112")] };
        IpvsOptions = new IpvsOptions { Family = family, LocalTraffic = Options.LocalTraffic, NodeIP = Address("203.0.113.1", "fd00:203:113::1") };
        if (IsIpvs)
        {
            Set(new KubeProxyConfiguration());
            _ipvs = new IpvsKernelInNamespace(Node, family);
        }

        Proxier = New();
        _conntrack = new ConntrackCleaner(State, () => Node.Within(() => NetlinkSocket.Open()), TimeProvider.System, NullLogger<ConntrackCleaner>.Instance);
    }

    public NetworkNamespace Node { get; }

    public NetworkNamespace Client { get; }

    public NetworkNamespace Local { get; }

    public NetworkNamespace Remote { get; }

    public NetworkNamespace Outside { get; }

    public IptablesCommands Iptables { get; }

    public ProxyState State { get; }

    public IptablesOptions Options { get; }

    public NftKernel Nft { get; }

    public NftOptions NftOptions { get; set; }

    public IpvsOptions IpvsOptions { get; set; }

    /// <summary>The addresses node ports answer on in ipvs mode from the next start on; null for all.</summary>
    public ImmutableArray<string>? NodePortAddresses { get; set; }

    public IIpvsKernel Ipvs => _ipvs!;

    public IProxier Proxier { get; private set; }

    public bool IsIpvs => _mode == "ipvs";

    private bool IsNftables => _mode == "nftables";

    /// <summary>The service's address inside.</summary>
    public string ClusterIP => Address(VirtualIP, VirtualIPv6);

    /// <summary>The client pod's.</summary>
    public string PodAddress => Address("10.180.1.2", "fd00:180:1::2");

    /// <summary>The client's outside.</summary>
    public string OutsideAddress => Address("203.0.113.2", "fd00:203:113::2");

    /// <summary>The node's.</summary>
    public string NodeAddress => Address("203.0.113.1", "fd00:203:113::1");

    /// <summary>What the local pod answers to whom the node masquerades.</summary>
    public string LocalMasqueraded => $"local sees {Address("10.180.2.1", "fd00:180:2::1")}";

    /// <summary>What the remote pod answers to whom the node masquerades.</summary>
    public string RemoteMasqueraded => $"remote sees {Address("10.181.0.1", "fd00:181::1")}";

    /// <summary>Pods of this node, and not of the other one.</summary>
    public static LocalTrafficDetector PodsOfThisNode(IPFamily family) => LocalTrafficDetector.ByCidr(family == IPFamily.IPv4 ? "10.180.0.0/16" : "fd00:180::/32");

    /// <summary>How long idle connections live in ipvs mode.</summary>
    public void SetIpvsTimeouts(TimeSpan tcp, TimeSpan tcpFin, TimeSpan udp) => _ipvs!.Kernel.SetTimeouts(tcp, tcpFin, udp);

    /// <summary>Makes the kernel's settings for ipvs mode in the node's namespace.</summary>
    public void Set(KubeProxyConfiguration configuration) => Node.Within(() =>
    {
        foreach (KernelSetting setting in IpvsSettings.Plan(configuration, IpvsSettings.VersionOf(new HostInformation().KernelVersion())))
        {
            new KernelSettings().Ensure(setting);
        }

        return this;
    });

    public string Address(string v4, string v6) => _family == IPFamily.IPv4 ? v4 : v6;

    /// <summary>A proxier as after a restart: it knows nothing of what is programmed.</summary>
    public void Restart()
    {
        State.RequestFull();
        Proxier = New();
    }

    /// <summary>The service "web" on its cluster IP, TCP and UDP.</summary>
    public void Service(
        string? external = null, string? @internal = null, int sticky = 0, string type = "NodePort", Func<ServiceSpec, ServiceSpec>? change = null, string? vip = null)
    {
        var spec = new ServiceSpec
        {
            Type = type,
            ClusterIP = Address(VirtualIP, VirtualIPv6),
            ClusterIPs = [Address(VirtualIP, VirtualIPv6)],
            IpFamilies = [_family.ToString()],
            ExternalTrafficPolicy = external,
            InternalTrafficPolicy = @internal,
            SessionAffinity = sticky > 0 ? "ClientIP" : "None",
            SessionAffinityConfig = sticky > 0 ? new SessionAffinityConfig { ClientIP = new ClientIPConfig { TimeoutSeconds = sticky } } : null,
            Ports =
            [
                new Kubernetes.Objects.ServicePort { Name = "tcp", Port = 80, Protocol = "TCP", NodePort = NodePort },
                new Kubernetes.Objects.ServicePort { Name = "udp", Port = 80, Protocol = "UDP", NodePort = NodePort },
            ],
        };
        State.SetService(new Service
        {
            Metadata = new ObjectMeta { Namespace = "ns", Name = "web" },
            Spec = change?.Invoke(spec) ?? spec,
            Status = vip is null ? new ServiceStatus() : new ServiceStatus { LoadBalancer = new LoadBalancerStatus { Ingress = [new LoadBalancerIngress { Ip = vip }] } },
        });
    }

    /// <summary>Endpoints of "web": the local pod, the remote one, both or none.</summary>
    /// <param name="local">The local pod.</param>
    /// <param name="remote">The remote pod.</param>
    /// <param name="localTerminating">The local pod still serves but is about to go.</param>
    /// <param name="serving">False: none of them serves.</param>
    public void Endpoints(bool local, bool remote, bool localTerminating = false, bool serving = true)
    {
        List<SliceEndpoint> endpoints = [];
        if (local)
        {
            endpoints.Add(LocalPod with { Ready = serving && !localTerminating, Serving = serving, Terminating = localTerminating });
        }

        if (remote)
        {
            endpoints.Add(RemotePod with { Ready = serving, Serving = serving });
        }

        State.SetSlice(Slice("web-1", [new SlicePort("tcp", "tcp", 8080), new SlicePort("udp", "udp", 8080)], [.. endpoints]));
    }

    /// <summary>The local pod, ready.</summary>
    public SliceEndpoint LocalPod => new(Address("10.180.2.2", "fd00:180:2::2"), true, true, false, true, [], []);

    /// <summary>The remote pod, ready.</summary>
    public SliceEndpoint RemotePod => new(Address("10.181.0.2", "fd00:181::2"), true, true, false, false, [], []);

    /// <summary>A slice of "web".</summary>
    public SliceState Slice(string name, ImmutableArray<SlicePort> ports, params ImmutableArray<SliceEndpoint> endpoints) => new()
    {
        Service = new ServiceName("ns", "web"),
        Name = name,
        Family = _family,
        Ports = ports,
        Endpoints = endpoints,
    };

    /// <summary>One endpoint in the node's own network, of no node by name, as the API server's.</summary>
    public void EndpointOnNode(string address) => State.SetSlice(new SliceState
    {
        Service = new ServiceName("ns", "web"),
        Name = "web-1",
        Family = _family,
        Ports = [new SlicePort("tcp", "tcp", 8080)],
        Endpoints = [new SliceEndpoint(address, true, true, false, false, [], [])],
    });

    /// <summary>Programs what is wanted; the first time when every neighbour has been found, which takes IPv6 seconds.</summary>
    public async Task ProgramAsync()
    {
        foreach ((NetworkNamespace part, string v4, string v6) in _parts)
        {
            await ConnectAsync(part, Address(v4 + ".1", v6 + "::1"));
            await ConnectAsync(Node, Address(v4 + ".2", v6 + "::2"));
        }

        _parts.Clear();
        List<ProxyPass> passes = [];
        Proxier.Passed += passes.Add;
        bool done = await Proxier.SyncAsync(default);
        Proxier.Passed -= passes.Add;
        Assert.True(done, string.Join('\n', passes.Select(p => p.Error)));
        _conntrack.CleanIfNeeded();
    }

    private static async Task ConnectAsync(NetworkNamespace from, string to)
    {
        for (int attempt = 0; await from.AskTcpAsync(to, 9) != "refused"; attempt++)
        {
            Assert.True(attempt < 5, $"{from.Name} does not reach {to}");
        }
    }

    public void Dispose()
    {
        File.Delete($"/run/{Node.Name}.lock");
        _ipvs?.Dispose();
        Nft.Dispose();
        foreach (NetworkNamespace part in (NetworkNamespace[])[Client, Local, Remote, Outside, Node])
        {
            part.Dispose();
        }
    }

    private IProxier New() => IsIpvs ? NewIpvs() : IsNftables
        ? new NftablesProxier(State, NftOptions, Nft, "node1", TimeProvider.System, NullLogger<NftablesProxier>.Instance)
        : new IptablesProxier(State, Options, Iptables, "node1", TimeProvider.System, NullLogger<IptablesProxier>.Instance);

    private IpvsProxier NewIpvs() => new(State, IpvsOptions, Ipvs, Iptables, "node1", TimeProvider.System, NullLogger<IpvsProxier>.Instance)
    {
        NodePortAddresses = NodePortAddresses is { } chosen ? _ => chosen : null,
    };

    private NetworkNamespace Join(string letter, string network, string network6)
    {
        var part = new NetworkNamespace(_prefix + letter);
        string link = _prefix + letter + "0";
        NetworkNamespace.Run("ip", "-n", Node.Name, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", part.Name);
        Node.IpBatch($"addr add {network}.1/24 dev {link}", $"addr add {network6}::1/64 dev {link} nodad", $"link set {link} up");
        part.IpBatch(
            $"addr add {network}.2/24 dev eth0", $"addr add {network6}::2/64 dev eth0 nodad", "link set eth0 up", $"route add default via {network}.1", $"route add default via {network6}::1");
        _parts.Add((part, network, network6));
        return part;
    }
}
