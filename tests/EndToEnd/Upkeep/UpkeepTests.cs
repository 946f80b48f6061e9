using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using NodeAgent.Images;
using ContainerStatus = NodeAgent.Kubernetes.Objects.ContainerStatus;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.EndToEnd.Upkeep;

/// <summary>
/// What a node keeps within bounds by itself, with a real runtime: logs, dead containers, evicted pods, images; and the restarts that
/// containers' own rules ask for. One test, so that what takes its time takes it together.
/// </summary>
[Collection(NodeCollection.Name)]
public sealed class UpkeepTests(ClusterFixture fixture)
{
    private const string Space = "upkeep", InUse = "node-agent.test/in-use:1", OfEnded = "node-agent.test/of-ended:1";
    private const int LogFiles = 3;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);
    private static readonly string[] Unused = ["node-agent.test/unused:1", "node-agent.test/unused:2"];

    // As short as they may be; 0 would be the default.
    private static readonly string Hurried = $"""
        containerLogMaxSize: 20Ki
        containerLogMaxFiles: {LogFiles}
        containerLogMonitorInterval: 3s
        imageGCHighThresholdPercent: 100
        imageMinimumGCAge: 1us
        crashLoopBackOff:
          maxContainerRestartPeriod: 1s
        """;

    private NodeCluster Cluster => fixture.Cluster;

    private IRuntimeService Runtime => Cluster.Runtime.Runtime;

    [NodeFact]
    public async Task A_node_keeps_logs_dead_containers_and_images_within_bounds_and_follows_the_restart_rules_of_containers()
    {
        await RestartAsync(Hurried);
        try
        {
            Workloads work = await Workloads.CreateAsync(Cluster, Space);
            using FollowedLog log = new(Cluster, work);
            await log.CreateAsync();
            await PopulateAsync(work);
            await log.FollowAsync(3, LogFiles);
            await RulesAsync(work);
            await RestartAllAsync(work);
            await DeadContainersAsync(work);
            await EvictedAsync(work);
            await ImagesAsync(work);
            await work.DeleteAsync();
        }
        finally
        {
            await Cluster.Node.KubeletProcess.StopAsync(TimeSpan.FromSeconds(30));
            Cluster.Node.StartKubelet();
            await Cluster.Runtime.ImportAsync(Directory.EnumerateFiles(Path.Combine(Cluster.Options.Folder, "images"), "*.tar"));
        }
    }

    private async Task RestartAsync(string settings)
    {
        await Cluster.Node.KubeletProcess.StopAsync(TimeSpan.FromSeconds(30));
        Cluster.Node.StartKubeletWith(settings);
    }

    private async Task PopulateAsync(Workloads work)
    {
        await Cluster.Runtime.ImportAsync([.. Unused.Append(InUse).Append(OfEnded).Select(WriteImage)]);
        await work.PodAsync("ends", Container("main", "echo last words", image: OfEnded), Spec("Never"));
        await work.PodAsync("lives", Container("main", "sleep 100000 & wait", image: InUse), Spec("Always"));
        await work.PodAsync("crashes", Container("main", Counted(5, "exit 1")), Spec("Always"));
        await work.PodAsync("greedy", Container("main", "sleep 100000 & wait"), Spec("Never", "1Mi", Container("first", "head -c 4000000 /dev/zero > /work/much")));
        await work.PodAsync("ruled",
            Container("named", Counted(3, "exit 42", "exit 7"), Rule("Restart", "In", "42")) + "," + Container("others", Counted(2, "exit 1", "exit 3"), Rule("Restart", "NotIn", "0,3")), Spec("Never"));
        await work.PodAsync("together",
            Container("main", Counted(2, "exit 88"), Rule("RestartAllContainers", "In", "88")) + "," + Container("beside", "sleep 100000 & wait"), Spec("Always", first: Container("first", "echo once >> /work/first")));
    }

    private string WriteImage(string name)
    {
        string path = Path.Combine(Cluster.Options.Folder, $"{Path.GetRandomFileName()}.tar");
        ImageArchive.Write(path, [name], new ImageLayer().Program("/bin/busybox", TestImages.BusyboxProgram).Link("/bin/sh", "busybox").Link("/bin/sleep", "busybox"), new ImageSettings { Environment = [$"IMAGE={name}", "PATH=/bin"] });
        return path;
    }

    private static async Task RulesAsync(Workloads work)
    {
        Pod pod = await work.PhaseAsync("ruled", "Failed", Limit);
        Assert.Equal(["named 2 7", "others 1 3"], pod.Status.ContainerStatuses.Select(status => $"{status.Name} {status.RestartCount} {status.State?.Terminated?.ExitCode}").Order(StringComparer.Ordinal));
    }

    // The same sandbox and volumes; each container and each init container once more.
    private async Task RestartAllAsync(Workloads work)
    {
        Pod pod = await work.PodIsAsync("together", "has been restarted as a whole", Limit, p => Workloads.IsReady(p) && p.Status.ContainerStatuses.All(status => status.RestartCount == 1)
            && p.Status.Conditions.Any(condition => condition is { Type: "AllContainersRestarting", Status: "False" }));
        Assert.Equal(1, pod.Status.InitContainerStatuses.Single().RestartCount);
        Assert.Equal("once\nonce\n", await File.ReadAllTextAsync(Path.Combine(Volume(pod), "first")));
        PodSandbox sandbox = Assert.Single(await SandboxesAsync(pod));
        Assert.Equal((PodSandboxState.SandboxReady, 0u), (sandbox.State, sandbox.Metadata.Attempt));
    }

    private async Task DeadContainersAsync(Workloads work)
    {
        Pod pod = await work.PodIsAsync("crashes", "stays after four crashes", Limit, p => p.Status.ContainerStatuses.Single() is { RestartCount: 4, State.Running: not null });
        await Until.NothingMissesAsync("the last crash and what runs are there", Limit, async () =>
            string.Join(", ", await ContainersAsync(pod)) is var all && all == "ContainerExited 3, ContainerRunning 4" ? null : all);
        ContainerStatus main = (await work.GetPodAsync("crashes")).Status.ContainerStatuses.Single();
        Assert.Equal((4, 1), (main.RestartCount, main.LastState?.Terminated?.ExitCode));
        Assert.Equal("crash 4\n", await work.LogAsync("crashes", "?previous=true"));
    }

    private async Task EvictedAsync(Workloads work)
    {
        Pod pod = await work.PhaseAsync("greedy", "Failed", Limit);
        Assert.Equal("Evicted", pod.Status.Reason);
        await Until.NothingMissesAsync("nothing of the evicted pod is in the runtime", Limit, async () =>
            (await ContainersAsync(pod)).Concat((await SandboxesAsync(pod)).Select(sandbox => sandbox.Id)).ToArray() is { Length: > 0 } left ? string.Join(", ", left) : null);
        // What has ended by itself is kept to be looked at.
        Assert.Equal("last words\n", await work.LogAsync("ends"));
        Assert.Equal("Succeeded", (await work.GetPodAsync("ends")).Status.Phase);
    }

    private async Task ImagesAsync(Workloads work)
    {
        Assert.Empty(Unused.Except(await ImagesAsync()));
        await RestartAsync($"{Hurried.Replace("imageGCHighThresholdPercent: 100", "imageGCHighThresholdPercent: 1", StringComparison.Ordinal)}\nimageGCLowThresholdPercent: 0");
        await Until.NothingMissesAsync("unused images are gone", Limit, async () => (await ImagesAsync()).Intersect(Unused).FirstOrDefault());
        Assert.Empty(new[] { InUse, OfEnded, TestImages.Busybox, TestImages.Pause }.Except(await ImagesAsync()));
        Assert.Equal("last words\n", await work.LogAsync("ends"));
        await work.PodIsAsync("lives", "runs on", Limit, pod => Workloads.IsReady(pod) && pod.Status.ContainerStatuses.Single().RestartCount == 0);
    }

    private async Task<IReadOnlyList<string>> ImagesAsync() => [.. (await Cluster.Runtime.ImageService.ListImagesAsync(new ListImagesRequest(), CancellationToken.None)).Images.SelectMany(image => image.RepoTags)];

    private async Task<IReadOnlyList<PodSandbox>> SandboxesAsync(Pod pod) =>
        [.. (await Runtime.ListPodSandboxAsync(new ListPodSandboxRequest(), CancellationToken.None)).Items.Where(sandbox => sandbox.Metadata.Uid == pod.Metadata.Uid)];

    // State and attempt, in the order of attempts.
    private async Task<IReadOnlyList<string>> ContainersAsync(Pod pod) =>
        [.. (await Runtime.ListContainersAsync(new ListContainersRequest(), CancellationToken.None)).Containers.Where(container => container.Labels.GetValueOrDefault("io.kubernetes.pod.uid") == pod.Metadata.Uid)
            .OrderBy(container => container.Metadata.Attempt).Select(container => $"{container.State} {container.Metadata.Attempt}")];

    private string Volume(Pod pod) => Path.Combine(Cluster.Node.RootFolder, "pods", pod.Metadata.Uid!, "volumes", "kubernetes.io~empty-dir", "work");

    // Ends so until its given run, which ends otherwise or stays. Counts in a file of its own in the pod's volume.
    private static string Counted(int last, string before, string then = "sleep 100000 & wait") =>
        $"n=$(cat /work/$NAME 2>/dev/null || echo 0); n=$((n+1)); echo $n > /work/$NAME; if [ $n -lt {last} ]; then echo crash $n; {before}; fi; {then}";

    private static string Rule(string action, string operation, string codes) =>
        $$"""
        ,"restartPolicy":"Never","restartPolicyRules":[{"action":"{{action}}","exitCodes":{"operator":"{{operation}}","values":[{{codes}}]} }]
        """;

    private static string Container(string name, string script, string more = "", string image = TestImages.Busybox) =>
        Workloads.Shell(script, name, $$"""
            "env":[{"name":"NAME","value":"{{name}}"}],"volumeMounts":[{"name":"work","mountPath":"/work"}]{{more}}
            """).Replace(TestImages.Busybox, image, StringComparison.Ordinal);

    private static string Spec(string policy, string size = "50Mi", string? first = null) => $$"""
        "restartPolicy":"{{policy}}","terminationGracePeriodSeconds":1,"volumes":[{"name":"work","emptyDir":{"sizeLimit":"{{size}}"} }]{{(first is null ? "" : $",\"initContainers\":[{first}]")}}
        """;
}
