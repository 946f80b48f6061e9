using System.Diagnostics;
using System.Globalization;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Harness.Cluster;
using NodeAgent.Images;

namespace NodeAgent.Bench;

/// <summary>The same pods by the same CRI calls, with nothing between: what the runtime alone needs.</summary>
internal static class Floor
{
    /// <summary>Pods under way at the same time in a burst.</summary>
    internal const int Parallel = 8;

    internal static async Task<Dictionary<string, double>> MeasureAsync(NodeCluster cluster, PodsBenchOptions options)
    {
        IRuntimeService runtime = cluster.Runtime.Runtime;
        List<double> starts = [], stops = [];
        for (int i = 0; i < options.Single; i++)
        {
            long begin = Stopwatch.GetTimestamp();
            (string sandbox, string container) = await StartAsync(runtime, cluster, "single-" + i.ToString(CultureInfo.InvariantCulture));
            starts.Add(Stopwatch.GetElapsedTime(begin).TotalSeconds);
            begin = Stopwatch.GetTimestamp();
            await StopAsync(runtime, sandbox, container);
            stops.Add(Stopwatch.GetElapsedTime(begin).TotalSeconds);
        }

        List<double> ready = [];
        List<(string, string)> running = [];
        long burst = Stopwatch.GetTimestamp();
        await System.Threading.Tasks.Parallel.ForAsync(0, options.Pods, new ParallelOptions { MaxDegreeOfParallelism = Parallel }, async (i, _) =>
        {
            (string, string) pod = await StartAsync(runtime, cluster, "burst-" + i.ToString(CultureInfo.InvariantCulture));
            lock (ready)
            {
                ready.Add(Stopwatch.GetElapsedTime(burst).TotalSeconds);
                running.Add(pod);
            }
        });
        long end = Stopwatch.GetTimestamp();
        await System.Threading.Tasks.Parallel.ForEachAsync(running, new ParallelOptions { MaxDegreeOfParallelism = Parallel },
            async (pod, _) => await StopAsync(runtime, pod.Item1, pod.Item2));
        return new Dictionary<string, double>
        {
            [Measures.OneReady] = Measures.Median(starts),
            [Measures.OneGone] = Measures.Median(stops),
            [Measures.MedianReady] = Measures.Median(ready),
            [Measures.AllReady] = ready.Max(),
            [Measures.AllGone] = Stopwatch.GetElapsedTime(end).TotalSeconds,
        };
    }

    private static async Task<(string Sandbox, string Container)> StartAsync(IRuntimeService runtime, NodeCluster cluster, string name)
    {
        string logs = Path.Combine(cluster.Options.Folder, "floor-logs", name);
        Directory.CreateDirectory(logs);
        PodSandboxConfig pod = new()
        {
            Metadata = new PodSandboxMetadata { Name = name, Namespace = "floor", Uid = name, Attempt = 0 },
            Hostname = name,
            LogDirectory = logs,
            Linux = new LinuxPodSandboxConfig { CgroupParent = cluster.Cgroups.FullName + "/floor-" + name },
        };
        string sandbox = (await runtime.RunPodSandboxAsync(new RunPodSandboxRequest { Config = pod }, CancellationToken.None)).PodSandboxId;
        ContainerConfig config = new()
        {
            Metadata = new ContainerMetadata { Name = "main", Attempt = 0 },
            Image = new ImageSpec { Image = TestImages.Busybox },
            LogPath = "main.log",
            Linux = new LinuxContainerConfig(),
        };
        config.Command.AddRange(["sh", "-c", PodsBench.Script]);
        string container = (await runtime.CreateContainerAsync(
            new CreateContainerRequest { PodSandboxId = sandbox, Config = config, SandboxConfig = pod }, CancellationToken.None)).ContainerId;
        await runtime.StartContainerAsync(new StartContainerRequest { ContainerId = container }, CancellationToken.None);
        return (sandbox, container);
    }

    private static async Task StopAsync(IRuntimeService runtime, string sandbox, string container)
    {
        await runtime.StopContainerAsync(new StopContainerRequest { ContainerId = container, Timeout = 30 }, CancellationToken.None);
        await runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = sandbox }, CancellationToken.None);
        await runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = sandbox }, CancellationToken.None);
    }
}
