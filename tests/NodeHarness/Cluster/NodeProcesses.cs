using System.Net;
using NodeAgent.Harness.ControlPlanes;
using NodeAgent.Harness.Host;

namespace NodeAgent.Harness.Cluster;

/// <summary>The agent under test: kubelet and kube-proxy as processes of ours on files below the harness's folder.</summary>
public sealed class NodeProcesses(HarnessOptions options, IControlPlane control, Containerd runtime, CgroupRoot cgroups, IPAddress address)
{
    private const string Kubelet = "kubelet", Proxy = "kube-proxy";
    private readonly int _api = Ports.Free(), _health = Ports.Free(), _proxyHealth = Ports.Free(), _proxyMetrics = Ports.Free();

    /// <summary>The kubelet's state folder.</summary>
    public string RootFolder => Path.Combine(options.Folder, "kubelet");

    /// <summary>Where pods' logs are.</summary>
    public string LogFolder => Path.Combine(options.Folder, "pods");

    /// <summary>The folder of static pods' manifests.</summary>
    public string ManifestFolder => Path.Combine(options.Folder, "manifests");

    /// <summary>The kubelet's health answer.</summary>
    public Uri Health => new($"http://127.0.0.1:{_health}/healthz");

    /// <summary>The kubelet process.</summary>
    public ChildProcess KubeletProcess => ChildProcess.Find(options.Folder, Kubelet) ?? throw new InvalidOperationException("the kubelet does not run");

    /// <summary>The kube-proxy process.</summary>
    public ChildProcess ProxyProcess => ChildProcess.Find(options.Folder, Proxy) ?? throw new InvalidOperationException("kube-proxy does not run");

    /// <summary>Writes the configuration files and starts both.</summary>
    public void Start()
    {
        Directory.CreateDirectory(ManifestFolder);
        File.WriteAllText(ConfigurationFile(Kubelet), KubeletConfiguration());
        File.WriteAllText(ConfigurationFile(Proxy), ProxyConfiguration());
        StartKubelet();
        StartProxy();
    }

    /// <summary>Starts the kubelet (again).</summary>
    /// <param name="more">Flags that come last, so that they win over the usual ones.</param>
    public ChildProcess StartKubelet(params string[] more) => StartKubeletOf(KubeletProgram.Agent("node-agent", Requirements.AgentProgram) with { Flags = more });

    /// <summary>Starts the kubelet with more settings; a start without them has the usual ones again.</summary>
    /// <param name="settings">Lines of its configuration file.</param>
    public ChildProcess StartKubeletWith(string settings)
    {
        string file = ConfigurationFile("kubelet-more");
        File.WriteAllText(file, $"{KubeletConfiguration()}\n{settings}\n");
        return StartKubelet("--config", file);
    }

    /// <summary>Starts a program as the node's kubelet on the same files and flags; its own come last, so that they win over the usual ones.</summary>
    public ChildProcess StartKubeletOf(KubeletProgram kubelet) => ChildProcess.Start(options.Folder, Kubelet, kubelet.Program,
    [
        .. kubelet.Command, "--config", ConfigurationFile(Kubelet), "--kubeconfig", control.NodeKubeconfig, "--hostname-override", options.NodeName,
        "--node-ip", address.ToString(), "--root-dir", RootFolder, "--cert-dir", Path.Combine(options.Folder, "kubelet-pki"),
        "--v", Environment.GetEnvironmentVariable("NODE_AGENT_E2E_V") ?? "2", .. kubelet.Flags,
    ], kubelet.Environment);

    /// <summary>Starts kube-proxy (again).</summary>
    /// <param name="environment">Variables besides this process' own.</param>
    public ChildProcess StartProxy(IReadOnlyDictionary<string, string>? environment = null) => ChildProcess.Start(options.Folder, Proxy, Requirements.AgentProgram,
        ["kube-proxy", "--config", ConfigurationFile(Proxy), "--hostname-override", options.NodeName], environment);

    /// <summary>Stops both; pods go on running. Answers what did not end in time.</summary>
    public async Task<IReadOnlyList<string>> StopAsync()
    {
        List<string> late = [];
        foreach (string name in new[] { Kubelet, Proxy })
        {
            if (ChildProcess.Find(options.Folder, name) is { } child && !await child.StopAsync(TimeSpan.FromSeconds(30)))
                late.Add($"{name} did not end within 30 s of SIGTERM");
        }
        return late;
    }

    /// <summary>Runs kube-proxy --cleanup; answers its error output when it failed.</summary>
    public static async Task<string?> CleanupAsync()
    {
        ToolAnswer answer = await Tool.RunAsync(Requirements.AgentProgram, ["kube-proxy", "--cleanup"]);
        return answer.ExitCode == 0 ? null : $"kube-proxy --cleanup ended with {answer.ExitCode}: {answer.Error.Trim()}";
    }

    private string ConfigurationFile(string name) => Path.Combine(options.Folder, name + ".yaml");

    private string KubeletConfiguration() => $"""
        apiVersion: kubelet.config.k8s.io/v1beta1
        kind: KubeletConfiguration
        address: {address}
        port: {_api}
        readOnlyPort: 0
        healthzBindAddress: 127.0.0.1
        healthzPort: {_health}
        authentication:
          anonymous:
            enabled: false
          webhook:
            enabled: true
          x509:
            clientCAFile: "{control.ClientAuthority}"
        authorization:
          mode: Webhook
        cgroupDriver: cgroupfs
        cgroupRoot: "{cgroups.FullName}"
        failCgroupV1: false
        failSwapOn: false
        containerRuntimeEndpoint: "{runtime.Endpoint}"
        clusterDNS: ["10.{options.ServiceNetwork}.0.10"]
        clusterDomain: cluster.local
        podLogsDir: "{LogFolder}"
        staticPodPath: "{ManifestFolder}"
        fileCheckFrequency: {options.FileCheckFrequency}
        maxPods: {options.MaxPods}
        evictionHard:
          nodefs.available: "1%"
          imagefs.available: "1%"
          memory.available: 100Mi
        """;

    private string ProxyConfiguration() => $"""
        apiVersion: kubeproxy.config.k8s.io/v1alpha1
        kind: KubeProxyConfiguration
        mode: iptables
        clusterCIDR: "{options.PodRange}"
        healthzBindAddress: 127.0.0.1:{_proxyHealth}
        metricsBindAddress: 127.0.0.1:{_proxyMetrics}
        clientConnection:
          kubeconfig: "{control.ProxyKubeconfig}"
        conntrack:
          maxPerCore: 0
          tcpEstablishedTimeout: 0s
          tcpCloseWaitTimeout: 0s
        """;
}
