using System.Net;
using NodeAgent.Harness.ControlPlanes;
using NodeAgent.Harness.Host;
using NodeAgent.Images;
using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Harness.Cluster;

/// <summary>A cluster of one node on this machine: control plane, containerd and the agent, all ours, from nothing to Ready and back.</summary>
public sealed class NodeCluster : IDisposable
{
    private readonly HarnessOptions _options;
    private readonly HostNetwork _network;

    private NodeCluster(HarnessOptions options)
    {
        Address = Ports.OwnAddress();
        bool real = options.ControlPlane switch
        {
            ControlPlaneKind.Real => true,
            ControlPlaneKind.StandIn => false,
            _ => Requirements.MissingControlPlane() is null,
        };
        // The stand-in serves one fixed Service network.
        _options = options = real ? options : options with { ServiceNetwork = 96 };
        Control = real ? new RealControlPlane(options, Address) : new StandInControlPlane(options, Address);
        Runtime = new Containerd(options);
        Cgroups = new CgroupRoot(options.Prefix + "-" + Path.GetFileName(options.Folder));
        Node = new NodeProcesses(options, Control, Runtime, Cgroups, Address);
        _network = new HostNetwork(options);
    }

    /// <summary>The machine's address, the node's InternalIP.</summary>
    public IPAddress Address { get; }

    /// <summary>Names and networks.</summary>
    public HarnessOptions Options => _options;

    /// <summary>The API server and its controllers.</summary>
    public IControlPlane Control { get; }

    /// <summary>The runtime.</summary>
    public Containerd Runtime { get; }

    /// <summary>Where pods' cgroups are.</summary>
    public CgroupRoot Cgroups { get; }

    /// <summary>The agent.</summary>
    public NodeProcesses Node { get; }

    /// <summary>Requests as the administrator.</summary>
    public KubernetesClient Client { get; private set; } = null!;

    /// <summary>Brings everything up; takes down what it started when a step fails.</summary>
    public static async Task<NodeCluster> UpAsync(HarnessOptions options)
    {
        // Before anything is made: what is found here is another's, and taking down would undo it.
        if (Requirements.Missing() is { } missing) throw new InvalidOperationException(missing);
        if (await HostNetwork.OccupiedAsync() is { } occupied) throw new InvalidOperationException(occupied);
        NodeCluster cluster = new(options);
        string step = "";
        try
        {
            Directory.CreateDirectory(options.Folder);
            await StepAsync("prepare the host: forwarding, blackhole routes, cgroup", async () =>
            {
                await cluster._network.PrepareAsync();
                cluster.Cgroups.Create();
            });
            await StepAsync("start containerd (own root, state and socket)", cluster.Runtime.StartAsync);
            await StepAsync("build and import images (busybox, pause, hello-server)", async () =>
                await cluster.Runtime.ImportAsync(await TestImages.WriteAsync(Path.Combine(options.Folder, "images"))));
            await StepAsync($"start the control plane: {cluster.Control.Description}", cluster.Control.StartAsync);
            cluster.Connect();
            await StepAsync($"start node-agent as kubelet and kube-proxy ({Requirements.AgentProgram})", () =>
            {
                cluster.Node.Start();
                return Task.CompletedTask;
            });
            await StepAsync("wait for the node to be Ready", () => cluster.NodeIsAsync(ready: true, TimeSpan.FromSeconds(90)));
            return cluster;
        }
        catch (Exception e)
        {
            string logs = cluster.LogTails();
            IReadOnlyList<string> left = await cluster.DownAsync();
            cluster.Dispose();
            throw new InvalidOperationException($"step \"{step}\" failed: {e.Message}\n{logs}{(left.Count == 0 ? "" : "\nleft behind: " + string.Join("\n  ", left))}", e);
        }

        async Task StepAsync(string name, Func<Task> body)
        {
            step = name;
            options.Announce(name);
            await body();
        }
    }

    /// <summary>A cluster that another process brought up in this folder, for taking it down.</summary>
    public static NodeCluster Of(HarnessOptions options) => new(options);

    /// <summary>Takes everything down and answers what it could not, and what the agent had left behind.</summary>
    public async Task<IReadOnlyList<string>> DownAsync()
    {
        List<string> problems = [];
        await TryAsync(async () => problems.AddRange(await Node.StopAsync()));
        await TryAsync(async () =>
        {
            if (File.Exists(Requirements.AgentProgram) && await NodeProcesses.CleanupAsync() is { } text) problems.Add(text);
        });
        await TryAsync(Runtime.RemoveAllAsync);
        await TryAsync(Control.StopAsync);
        foreach (string name in new[] { "kubelet", "kube-proxy", "containerd" })
            await TryAsync(() => ChildProcess.Find(_options.Folder, name)?.KillAsync() ?? Task.CompletedTask);
        await TryAsync(EndIdleShimsAsync);
        await TryAsync(UnmountAsync);
        Cgroups.Remove();
        foreach (string link in Leftovers.LogLinks(_options.Folder))
            File.Delete(link);
        await TryAsync(_network.RestoreAsync);
        problems.AddRange((await Leftovers.FindAsync(_options, Cgroups)).Select(left => "left behind: " + left));
        if (problems.Count == 0 && Environment.GetEnvironmentVariable("NODE_AGENT_E2E_KEEP") is null or "" && Directory.Exists(_options.Folder))
            await TryAsync(() => Task.Run(() => Directory.Delete(_options.Folder, recursive: true)));
        return problems;

        async Task TryAsync(Func<Task> body)
        {
            try
            {
                await body();
            }
            catch (Exception e)
            {
                problems.Add($"{e.GetType().Name}: {e.Message}");
            }
        }
    }

    /// <summary>Waits until the node's Ready condition is as wanted.</summary>
    public Task NodeIsAsync(bool ready, TimeSpan limit) => Until.NothingMissesAsync($"the node is {(ready ? "Ready" : "not Ready")}", limit, async () =>
    {
        NodeCondition? condition = (await Client.GetAsync<Node>(null, _options.NodeName)).Status?.Conditions.FirstOrDefault(c => c.Type == "Ready");
        return condition?.Status == "True" == ready ? null : $"Ready is {condition?.Status ?? "absent"}: {condition?.Reason} {condition?.Message}";
    });

    /// <summary>The last lines of every log.</summary>
    public string LogTails(int lines = 25)
    {
        string logs = Path.Combine(_options.Folder, "logs");
        return !Directory.Exists(logs) ? "" : string.Concat(Directory.EnumerateFiles(logs).Order()
            .Where(path => Path.GetFileName(path) is "kubelet.log" or "kube-proxy.log" or "stand-in.log" or "containerd.log")
            .Select(path => $"--- {path}\n{string.Join('\n', File.ReadLines(path).TakeLast(lines))}\n"));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Client?.Dispose();
        Runtime.Dispose();
    }

    internal void Connect()
    {
        Client?.Dispose();
        Client = new KubernetesClient(KubeconfigLoader.Load(Control.AdminKubeconfig), new KubernetesClientOptions { Qps = 200, Burst = 400, MaximumRetries = 2 });
    }

    // containerd 1.6 forgets the shim of a start that broke off when its caller died. Nothing runs in it, and no CRI call reaches it.
    private async Task EndIdleShimsAsync()
    {
        foreach ((int id, string command) in Leftovers.Processes(_options.Folder).ToArray())
        {
            if (!command.Contains("containerd-shim", StringComparison.Ordinal) || File.ReadAllText($"/proc/{id}/task/{id}/children").Trim().Length > 0) continue;
            _options.Announce($"containerd had forgotten a shim without a container (process {id}); it is ended");
            await Tool.RunAsync("kill", ["-KILL", $"{id}"]);
            await Until.HoldsAsync($"shim {id} has ended", TimeSpan.FromSeconds(10), () => Task.FromResult(Leftovers.Processes(_options.Folder).All(process => process.Id != id)));
        }
    }

    // What pods mounted; the agent's end leaves pods running, so this is the harness's to undo.
    private async Task UnmountAsync()
    {
        foreach (string mount in Leftovers.Mounts(_options.Folder).Reverse().ToArray())
            await Tool.RunAsync("umount", ["-l", mount]);
    }
}
