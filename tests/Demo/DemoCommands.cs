using NodeAgent.Harness;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.ControlPlanes;
using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Demo;

/// <summary>Brings the demo up and down.</summary>
internal static class DemoCommands
{
    private const int WantedPort = 30599;

    internal static int Usage()
    {
        Console.Error.WriteLine("usage: demo up | down");
        return 2;
    }

    internal static async Task<int> UpAsync(HarnessOptions options)
    {
        if (Directory.Exists(options.Folder))
        {
            Console.Error.WriteLine($"demo: {options.Folder} exists, so a demo runs already or was left: sudo make demo-down, then again");
            return 1;
        }
        await FindControlPlaneAsync(options);
        NodeCluster cluster = await NodeCluster.UpAsync(options);
        using NodeCluster closed = cluster;
        try
        {
            (int port, IReadOnlyList<Pod> pods) = await DeployAsync(cluster, options.Announce);
            Tell(cluster, port, pods);
            return 0;
        }
        catch (Exception e)
        {
            string logs = cluster.LogTails();
            await cluster.DownAsync();
            throw new InvalidOperationException($"the application did not come up: {e.Message}\n{logs}", e);
        }
    }

    internal static async Task<int> DownAsync(HarnessOptions options)
    {
        if (!Directory.Exists(options.Folder))
        {
            Console.WriteLine("demo: nothing to take down");
            return 0;
        }
        options.Announce("stop the agent, remove its pods, stop containerd and control plane, put the host back");
        // The Services' network depends on the control plane that was used.
        bool standIn = Directory.Exists(Path.Combine(options.Folder, "stand-in"));
        using NodeCluster cluster = NodeCluster.Of(options with { ControlPlane = standIn ? ControlPlaneKind.StandIn : ControlPlaneKind.Real });
        IReadOnlyList<string> problems = await cluster.DownAsync();
        foreach (string problem in problems)
            Console.Error.WriteLine("demo: " + problem);
        Console.WriteLine(problems.Count == 0 ? "demo: the host is as it was" : $"demo: {problems.Count} things are left; {options.Folder} is kept for a look");
        return problems.Count == 0 ? 0 : 1;
    }

    /// <summary>Downloads the official release where no Kubernetes programs are at hand; the stand-in serves where that is not possible either.</summary>
    private static async Task FindControlPlaneAsync(HarnessOptions options)
    {
        if (options.ControlPlane != ControlPlaneKind.Best || Requirements.MissingControlPlane() is not string missing)
            return;
        if (OfficialRelease.Source(Environment.GetEnvironmentVariable("NODE_AGENT_RELEASES")) is not Uri releases)
            return;
        options.Announce($"{missing}: try the official release at {releases} (NODE_AGENT_RELEASES=off leaves this out)");
        using HttpClient http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5) }) { Timeout = TimeSpan.FromMinutes(10) };
        string version = Requirements.KubernetesVersion;
        OfficialRelease release = new(http, releases, version, Path.Combine("/var/cache/node-agent/kubernetes", version), options.Announce);
        try
        {
            Environment.SetEnvironmentVariable("KUBERNETES_BIN", await release.FetchAsync(CancellationToken.None));
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            options.Announce($"the release cannot be had ({e.Message}): the stand-in API server of the tests takes its place");
        }
    }

    private static async Task<(int Port, IReadOnlyList<Pod> Pods)> DeployAsync(NodeCluster cluster, Action<string> announce)
    {
        announce("deploy hello-server, 3 replicas, with a NodePort Service");
        Workloads work = await Workloads.CreateAsync(cluster, "demo");
        await work.HelloAsync(3);
        (string address, int port) = await work.HelloServiceAsync(WantedPort, "hello-server");
        announce("wait for all replicas to be Ready");
        IReadOnlyList<Pod> pods = await work.AllReadyAsync(3, limit: TimeSpan.FromSeconds(120));
        announce($"ask the application on http://{cluster.Address}:{port}/ and http://{address}/");
        using HttpClient http = new(new SocketsHttpHandler { UseProxy = false, PooledConnectionLifetime = TimeSpan.Zero }) { Timeout = TimeSpan.FromSeconds(3) };
        foreach (string url in new[] { $"http://{cluster.Address}:{port}/", $"http://{address}/" })
        {
            HashSet<string> answered = [];
            await Until.NothingMissesAsync($"every replica answers on {url}", TimeSpan.FromSeconds(60), async () =>
            {
                answered.Add((await http.GetStringAsync(url)).Trim());
                return answered.Count >= 3 ? null : $"answered: {string.Join(", ", answered)}";
            });
            Console.WriteLine($"    {url} answered: {string.Join(", ", answered.Order())}");
        }
        return (port, pods);
    }

    private static void Tell(NodeCluster cluster, int port, IReadOnlyList<Pod> pods) => Console.WriteLine($"""

        A cluster of one node runs on this machine.
          control plane: {cluster.Control.Description}
          node:          {cluster.Options.NodeName}, kubelet and kube-proxy are {Requirements.AgentProgram}
          pods:          {string.Join(", ", pods.Select(pod => $"{pod.Metadata.Name} {pod.Status.PodIP}"))}

        Look at it:
          curl http://{cluster.Address}:{port}/
          export KUBECONFIG={cluster.Control.AdminKubeconfig}
          kubectl get nodes,pods -A -o wide        (any kubectl of v1.35 or later)
          tail -f {cluster.Options.Folder}/logs/kubelet.log
        Take it down:
          sudo make demo-down
        """);
}
