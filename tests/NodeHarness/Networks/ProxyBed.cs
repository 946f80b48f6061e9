using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Harness.ControlPlanes;
using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Harness.Networks;

/// <summary>
/// A control plane, and a node for a kube-proxy in a network namespace of its own: clients in one namespace beside it, all endpoints in
/// another, which answers on every address of 10.200.0.0/15. Nothing of the host's own rules is touched.
/// </summary>
public sealed class ProxyBed : IAsyncDisposable
{
    /// <summary>The port of every Service, and that of its endpoints.</summary>
    public const int Port = 80, TargetPort = 8080;

    private const string NodeName = "bed-node", Space = "default", Process = "kube-proxy";
    private readonly HarnessOptions _options;
    private readonly string _link;
    private readonly int _network;
    private EndpointServer? _server;

    private ProxyBed(HarnessOptions options, int network)
    {
        bool real = options.ControlPlane == ControlPlaneKind.Real || (options.ControlPlane == ControlPlaneKind.Best && Requirements.MissingControlPlane() is null);
        // The stand-in serves this Service network alone; inside the namespace it is free.
        _options = options with { ServiceNetwork = 96, NodeName = NodeName };
        IPAddress api = IPAddress.Parse($"198.18.{network}.1");
        (_link, _network) = (options.Prefix + "h", network);
        Node = new NetworkNamespace(options.Prefix + "n");
        Clients = new NetworkNamespace(options.Prefix + "c");
        Backends = new NetworkNamespace(options.Prefix + "b");
        NetworkNamespace.Run("ip", "link", "add", _link, "type", "veth", "peer", "name", "eth0", "netns", Node.Name);
        NetworkNamespace.Run("ip", "addr", "add", $"{api}/30", "dev", _link);
        NetworkNamespace.Run("ip", "link", "set", _link, "up");
        Node.Ip($"addr add 198.18.{network}.2/30 dev eth0");
        Node.Ip("link set eth0 up");
        Join(Clients, "clients", "10.202.0");
        Join(Backends, "backends", "10.203.0");
        Node.Exec("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
            "net.ipv4.conf.all.send_redirects=0");
        Node.Ip("route add 10.200.0.0/15 via 10.203.0.2");
        // What no rule takes ends there too, and is refused at once: nothing serves cluster IPs.
        Node.Ip("route add default via 10.203.0.2");
        Backends.Ip("route add local 10.96.0.0/16 dev lo");
        Backends.Ip("route add local 10.200.0.0/15 dev lo");
        Control = real ? new RealControlPlane(_options, api) : new StandInControlPlane(_options, api);
    }

    /// <summary>Where the proxy runs, between the other two.</summary>
    public NetworkNamespace Node { get; }

    /// <summary>Where connections come from: 10.202.0.2.</summary>
    public NetworkNamespace Clients { get; }

    /// <summary>Where they are answered.</summary>
    public NetworkNamespace Backends { get; }

    /// <summary>The API server.</summary>
    public IControlPlane Control { get; }

    /// <summary>Where all files are.</summary>
    public string Folder => _options.Folder;

    /// <summary>Requests as the administrator.</summary>
    public KubernetesClient Api { get; private set; } = null!;

    /// <summary>The proxy that was started last.</summary>
    public ChildProcess? Proxy { get; private set; }

    /// <summary>Why it cannot be had here; null where it can.</summary>
    public static string? Missing() => Environment.UserName != "root" ? "needs root: makes network namespaces"
        : Tool.Find("ip") is null || Tool.Find("iptables-restore") is null || Tool.Find("nft") is null ? "needs ip, iptables and nft: apt-get install iproute2 iptables nftables"
        : File.Exists(Requirements.AgentProgram) ? null : $"{Requirements.AgentProgram} is absent: make build";

    /// <summary>Makes namespaces, starts the control plane and creates the node.</summary>
    /// <param name="options">Folder, prefix (at most 8 characters) and control plane count.</param>
    /// <param name="network">The third number of the link to the API server, 198.18.N.0/30.</param>
    public static async Task<ProxyBed> UpAsync(HarnessOptions options, int network)
    {
        ArgumentNullException.ThrowIfNull(options);
        Directory.CreateDirectory(options.Folder);
        ProxyBed bed = new(options, network);
        try
        {
            bed._server = new EndpointServer(bed.Backends, TargetPort);
            await bed.Control.StartAsync();
            bed.Api = new KubernetesClient(KubeconfigLoader.Load(bed.Control.AdminKubeconfig), new KubernetesClientOptions { Qps = 2000, Burst = 4000 });
            await bed.CreateNodeAsync(network);
            return bed;
        }
        catch
        {
            await bed.DisposeAsync();
            throw;
        }
    }

    /// <summary>The cluster IP of a Service by its number.</summary>
    public static string ClusterIP(int service) => $"10.96.{1 + service / 250}.{1 + service % 250}";

    /// <summary>An endpoint's address by its number, up to 130,000.</summary>
    public static string Endpoint(int number) => $"10.{200 + ((number + 256) >> 16)}.{((number + 256) >> 8) & 255}.{(number + 256) & 255}";

    /// <summary>The node's address, on which node ports answer in every mode.</summary>
    public string NodeAddress => $"198.18.{_network}.2";

    /// <summary>The node port of a Service by its number, where it has one.</summary>
    public static int NodePort(int service) => 30000 + service;

    /// <summary>Creates Services with their slices; Service i has the endpoints i × each and following.</summary>
    /// <param name="count">How many.</param>
    /// <param name="each">Endpoints of each.</param>
    /// <param name="nodePorts">With node ports.</param>
    /// <param name="udp">For UDP too, by the same numbers.</param>
    public Task CreateServicesAsync(int count, int each, bool nodePorts = false, bool udp = false) => Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, _) =>
    {
        await PostAsync($"/api/v1/namespaces/{Space}/services", new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Service",
            ["metadata"] = new JsonObject { ["name"] = Name(i) },
            ["spec"] = new JsonObject { ["type"] = nodePorts ? "NodePort" : "ClusterIP", ["clusterIP"] = ClusterIP(i), ["ports"] = new JsonArray([.. Protocols(udp).Select(protocol => PortOf(i, nodePorts, protocol))]) },
        });
        await PostAsync($"/apis/discovery.k8s.io/v1/namespaces/{Space}/endpointslices", Slice(i, Ready(Enumerable.Range(i * each, each).Select(Endpoint)), udp));
    });

    /// <summary>Gives a Service other endpoints, all ready.</summary>
    public Task SetEndpointsAsync(int service, params string[] addresses) => SetEndpointsAsync(service, Ready(addresses));

    /// <summary>Gives a Service other endpoints.</summary>
    public Task SetEndpointsAsync(int service, IEnumerable<KeyValuePair<string, EndpointState>> endpoints) =>
        SendAsync(HttpMethod.Patch, $"/apis/discovery.k8s.io/v1/namespaces/{Space}/endpointslices/{Name(service)}-1",
            new JsonObject { ["endpoints"] = Slice(service, endpoints)["endpoints"]!.DeepClone() }, "application/merge-patch+json");

    /// <summary>Starts a kube-proxy of a mode: ours, or the program given.</summary>
    /// <param name="mode">iptables or nftables.</param>
    /// <param name="other">A program other than ours.</param>
    /// <param name="syncPeriod">As a duration, 30s for example.</param>
    /// <param name="environment">Variables of its environment besides those of this process.</param>
    public ChildProcess StartProxy(string mode, string? other = null, string syncPeriod = "30s", IReadOnlyDictionary<string, string>? environment = null)
    {
        string file = Path.Combine(_options.Folder, $"proxy-{mode}-{syncPeriod}.yaml");
        string text = $"""
            apiVersion: kubeproxy.config.k8s.io/v1alpha1
            kind: KubeProxyConfiguration
            mode: {mode}
            clusterCIDR: 10.200.0.0/14
            {mode}:
              syncPeriod: {syncPeriod}
            clientConnection:
              kubeconfig: "{Control.ProxyKubeconfig}"
            conntrack:
              maxPerCore: 0
              tcpEstablishedTimeout: 0s
              tcpCloseWaitTimeout: 0s
            """;
        // Both end when their file is written.
        if (!File.Exists(file) || File.ReadAllText(file) != text)
            File.WriteAllText(file, text);
        return Proxy = ChildProcess.Start(_options.Folder, Process, "ip",
            ["netns", "exec", Node.Name, .. other is null ? [Requirements.AgentProgram, "kube-proxy"] : new[] { other }, "--config", file, "--hostname-override", NodeName], environment);
    }

    /// <summary>Stops the proxy; its rules stay.</summary>
    public async Task StopProxyAsync()
    {
        if (Proxy is { } running)
            await running.StopAsync(TimeSpan.FromSeconds(30));
        Proxy = null;
    }

    /// <summary>Lets no packet pass between the proxy and the API server, or lets them pass again; connections are kept.</summary>
    public void CutOff(bool cut) => NetworkNamespace.Run("ip", "link", "set", _link, cut ? "down" : "up");

    /// <summary>A client whose connections begin on the node.</summary>
    public HttpClient OnNode() => new(new SocketsHttpHandler
    {
        ConnectCallback = async (where, cancellation) =>
        {
            Socket socket = Node.Within(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            await socket.ConnectAsync(where.DnsEndPoint.Host, where.DnsEndPoint.Port, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
    });

    /// <summary>Removes every rule from the node.</summary>
    public void Flush()
    {
        Node.Exec("nft", "flush", "ruleset");
        if (File.Exists("/usr/sbin/iptables-legacy"))
        {
            foreach (string table in (string[])["nat", "filter", "mangle"])
            {
                Node.Exec("iptables-legacy", "-t", table, "-F");
                Node.Exec("iptables-legacy", "-t", table, "-X");
            }
        }
    }

    /// <summary>Ends everything and removes it; the folder goes unless NODE_AGENT_E2E_KEEP is set.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopProxyAsync();
        Api?.Dispose();
        await Control.StopAsync();
        _server?.Dispose();
        foreach (NetworkNamespace space in (NetworkNamespace[])[Clients, Backends, Node])
            space.Dispose();
        // The link went with the namespace of its other end, as soon as the kernel had time.
        await Until.HoldsAsync($"{_link} is gone", TimeSpan.FromSeconds(20), () => Task.FromResult(!HostNetwork.LinkExists(_link)));
        if (Environment.GetEnvironmentVariable("NODE_AGENT_E2E_KEEP") is null or "")
            Directory.Delete(_options.Folder, recursive: true);
    }

    private static string Name(int service) => "svc-" + service.ToString("00000", CultureInfo.InvariantCulture);

    private static IEnumerable<KeyValuePair<string, EndpointState>> Ready(IEnumerable<string> addresses) =>
        addresses.Select(a => KeyValuePair.Create(a, EndpointState.Ready));

    private static string[] Protocols(bool udp) => udp ? ["TCP", "UDP"] : ["TCP"];

    private static string PortName(string protocol) => protocol == "TCP" ? "web" : "web-udp";

    private static JsonNode PortOf(int service, bool nodePort, string protocol)
    {
        JsonObject port = new() { ["name"] = PortName(protocol), ["protocol"] = protocol, ["port"] = Port, ["targetPort"] = TargetPort };
        if (nodePort)
            port["nodePort"] = NodePort(service);
        return port;
    }

    private static JsonObject Slice(int service, IEnumerable<KeyValuePair<string, EndpointState>> endpoints, bool udp = false) => new()
    {
        ["apiVersion"] = "discovery.k8s.io/v1",
        ["kind"] = "EndpointSlice",
        ["addressType"] = "IPv4",
        ["metadata"] = new JsonObject { ["name"] = Name(service) + "-1", ["labels"] = new JsonObject { ["kubernetes.io/service-name"] = Name(service) } },
        ["ports"] = new JsonArray([.. Protocols(udp).Select(protocol => (JsonNode)new JsonObject { ["name"] = PortName(protocol), ["port"] = TargetPort, ["protocol"] = protocol })]),
        ["endpoints"] = new JsonArray([.. endpoints.Where(e => e.Value != EndpointState.Absent).Select(e => (JsonNode)new JsonObject
        {
            ["addresses"] = new JsonArray(e.Key),
            ["conditions"] = new JsonObject
            {
                ["ready"] = e.Value == EndpointState.Ready, ["serving"] = e.Value != EndpointState.NotReady, ["terminating"] = e.Value == EndpointState.Terminating,
            },
            ["nodeName"] = "another-node",
        })]),
    };

    private async Task CreateNodeAsync(int network)
    {
        await PostAsync("/api/v1/nodes", new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["metadata"] = new JsonObject { ["name"] = NodeName } });
        await SendAsync(HttpMethod.Patch, $"/api/v1/nodes/{NodeName}/status",
            new JsonObject { ["status"] = new JsonObject { ["addresses"] = new JsonArray(new JsonObject { ["type"] = "InternalIP", ["address"] = $"198.18.{network}.2" }) } },
            "application/merge-patch+json");
    }

    private Task PostAsync(string path, JsonObject body) => SendAsync(HttpMethod.Post, path, body, "application/json");

    private Task SendAsync(HttpMethod method, string path, JsonObject body, string type) =>
        Api.RawAsync(method, path, Encoding.UTF8.GetBytes(body.ToJsonString()), type);

    private void Join(NetworkNamespace part, string link, string network)
    {
        NetworkNamespace.Run("ip", "-n", Node.Name, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", part.Name);
        Node.Ip($"addr add {network}.1/24 dev {link}");
        Node.Ip($"link set {link} up");
        part.Ip($"addr add {network}.2/24 dev eth0");
        part.Ip("link set eth0 up");
        part.Ip($"route add default via {network}.1");
    }
}
