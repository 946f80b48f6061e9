using System.Diagnostics;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.EndToEnd;

/// <summary>What blocks in the kernel or in the runtime for some pods delays nothing of the others.</summary>
[Collection(NodeCollection.Name)]
public sealed class BlockedNodeTests(ClusterFixture fixture)
{
    private const string OneSecond = "\"terminationGracePeriodSeconds\":1";

    private NodeCluster Cluster => fixture.Cluster;

    [NodeFact]
    public async Task A_mount_that_freezes_delays_nothing_of_other_pods()
    {
        Assert.True(FreezableMount.Missing is null, FreezableMount.Missing);
        Workloads pods = await Workloads.CreateAsync(Cluster, "frozen");
        using FreezableMount mount = FreezableMount.Create(Path.Combine(Cluster.Options.Folder, "freezable"));
        using NodeWatch watch = await NodeWatch.StartAsync(Cluster, pods);
        await pods.PodAsync("holder", Workloads.Shell("ls /v; sleep 3600", more: Mounted("\"mountPath\":\"/v\"")), Volume(mount));
        await pods.ReadyAsync("holder");

        mount.Freeze();
        for (int number = 0; number < 10; number++)
        {
            await pods.PodAsync($"checked-{number}", Workloads.Shell("sleep 3600", more: Mounted("\"mountPath\":\"/v\"")), Volume(mount, "Directory"));
            await pods.PodAsync($"part-{number}", Workloads.Shell("sleep 3600", more: Mounted("\"mountPath\":\"/v\",\"subPath\":\"part\"")), Volume(mount));
        }
        await pods.PodAsync("plain", Workloads.Shell("sleep 3600", more: Mounted("\"mountPath\":\"/v\"")), Volume(mount));
        await pods.DeletePodAsync("holder");
        await watch.EverythingElseGoesOnAsync(rounds: 3);
        foreach (string name in new[] { "checked-0", "part-0" })
            Assert.False(Workloads.IsReady(await pods.GetPodAsync(name)));
        await Until.NothingMissesAsync("an event tells that the mount does not answer", TimeSpan.FromSeconds(150), async () =>
            (await pods.EventsAsync("checked-0")).Any(text => text.StartsWith("FailedMount", StringComparison.Ordinal)) ? null : string.Join("; ", await pods.EventsAsync("checked-0")));
        await watch.EverythingElseGoesOnAsync(rounds: 1);

        mount.Dispose();
        await pods.DeleteAsync(TimeSpan.FromSeconds(240));
    }

    [NodeFact]
    public async Task A_network_plugin_that_hangs_delays_nothing_of_other_pods()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "hanging");
        using NodeWatch watch = await NodeWatch.StartAsync(Cluster, pods);
        Cluster.Runtime.HangNetworkOfSomePods();
        try
        {
            // More of them than pods may start at once.
            for (int number = 0; number < 15; number++)
                await pods.PodAsync($"hang-{number}", Workloads.Shell("sleep 3600"), OneSecond);
            await watch.EverythingElseGoesOnAsync(rounds: 4);
            Assert.All((await pods.PodsAsync()).Where(pod => pod.Metadata.Name!.StartsWith("hang", StringComparison.Ordinal)), pod => Assert.Equal("Pending", pod.Status.Phase));
        }
        finally
        {
            Cluster.Runtime.StopHangingNetwork();
        }
        for (int number = 0; number < 15; number++)
            await pods.ReadyAsync($"hang-{number}", TimeSpan.FromSeconds(120));
        await pods.DeleteAsync(TimeSpan.FromSeconds(150));
    }

    [NodeFact]
    public async Task A_hundred_slow_exec_probes_delay_nothing_of_other_pods()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "slow");
        using NodeWatch watch = await NodeWatch.StartAsync(Cluster, pods);
        const string probe = "\"readinessProbe\":{\"exec\":{\"command\":[\"sleep\",\"25\"]},\"timeoutSeconds\":40,\"periodSeconds\":30}";
        for (int number = 0; number < 10; number++)
        {
            string containers = string.Join(',', Enumerable.Range(0, 10).Select(container => Workloads.Shell("sleep 3600", $"c{container}", probe)));
            await pods.PodAsync($"probed-{number}", containers, OneSecond);
        }
        await Until.NothingMissesAsync("all hundred containers run", TimeSpan.FromSeconds(150), async () =>
            (await pods.PodsAsync()).Sum(pod => pod.Status.ContainerStatuses.Count(status => status.Name.StartsWith('c') && status.State?.Running is not null)) is var count and < 100 ? $"{count} run" : null);
        await watch.EverythingElseGoesOnAsync(rounds: 3);
        await Until.NothingMissesAsync("slow probes succeed", TimeSpan.FromSeconds(150), async () =>
            (await pods.PodsAsync()).Where(pod => pod.Metadata.Name!.StartsWith("probed", StringComparison.Ordinal)).FirstOrDefault(pod => !Workloads.IsReady(pod)) is { } waits ? Workloads.Describe(waits) : null);
        await pods.DeleteAsync(TimeSpan.FromSeconds(150));
    }

    private static string Mounted(string how) => $"\"volumeMounts\":[{{\"name\":\"v\",{how}}}]";

    private static string Volume(FreezableMount mount, string type = "") =>
        $"{OneSecond},\"volumes\":[{{\"name\":\"v\",\"hostPath\":{{\"path\":\"{mount.Path}\",\"type\":\"{type}\"}}}}]";
}

/// <summary>Watches the lease all the time, and tries on demand whether status, probes, starts and stops still work.</summary>
internal sealed class NodeWatch : IDisposable
{
    // The lease's own period is 10 s; an agent that is held up misses several.
    private static readonly TimeSpan OldestLease = TimeSpan.FromSeconds(16);
    private readonly NodeCluster _cluster;
    private readonly Workloads _pods;
    private readonly CancellationTokenSource _over = new();
    private Task _lease = Task.CompletedTask;
    private TimeSpan _oldest;
    private int _round;

    private NodeWatch(NodeCluster cluster, Workloads pods) => (_cluster, _pods) = (cluster, pods);

    internal static async Task<NodeWatch> StartAsync(NodeCluster cluster, Workloads pods)
    {
        NodeWatch watch = new(cluster, pods);
        await pods.PodAsync("witness", Workloads.Shell("sleep 3600", more: "\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"}],"
            + "\"readinessProbe\":{\"exec\":{\"command\":[\"test\",\"-e\",\"/v/ready\"]},\"periodSeconds\":1,\"timeoutSeconds\":10,\"failureThreshold\":1}"),
            "\"terminationGracePeriodSeconds\":1,\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]");
        await pods.PodIsAsync("witness", "running", Workloads.StartLimit, pod => pod.Status.Phase == "Running");
        watch._lease = Task.Run(watch.WatchLeaseAsync);
        return watch;
    }

    /// <summary>Starts, probes, status, stops: each within its time, round after round.</summary>
    internal async Task EverythingElseGoesOnAsync(int rounds)
    {
        string witness = (await _pods.GetPodAsync("witness")).Metadata.Uid!;
        string ready = Path.Combine(_cluster.Node.RootFolder, "pods", witness, "volumes/kubernetes.io~empty-dir/v/ready");
        for (int round = 0; round < rounds; round++)
        {
            string name = $"other-{_round++}";
            Stopwatch clock = Stopwatch.StartNew();
            await _pods.PodAsync(name, Workloads.Shell("sleep 3600"), "\"terminationGracePeriodSeconds\":1");
            await _pods.ReadyAsync(name, TimeSpan.FromSeconds(30));
            TimeSpan started = clock.Elapsed;

            clock.Restart();
            await File.WriteAllTextAsync(ready, "");
            await _pods.ReadyAsync("witness", TimeSpan.FromSeconds(20));
            File.Delete(ready);
            await _pods.PodIsAsync("witness", "no longer Ready", TimeSpan.FromSeconds(20), pod => !Workloads.IsReady(pod));
            TimeSpan probed = clock.Elapsed;

            clock.Restart();
            await _pods.DeletePodAsync(name);
            await _pods.GoneAsync(name, TimeSpan.FromSeconds(30));
            TimeSpan stopped = clock.Elapsed;

            clock.Restart();
            await StatusIsPutRightAsync();
            Console.WriteLine($"[end-to-end] {_pods.Namespace} round {_round}: started in {started.TotalSeconds:F1} s, probe twice {probed.TotalSeconds:F1} s, "
                + $"stopped in {stopped.TotalSeconds:F1} s, status in {clock.Elapsed.TotalSeconds:F1} s, oldest lease {_oldest.TotalSeconds:F1} s");
        }
        Assert.True(_oldest < OldestLease, $"the lease was not renewed for {_oldest.TotalSeconds:F1} s");
        Assert.False(_lease.IsFaulted, _lease.Exception?.InnerException?.Message);
    }

    public void Dispose()
    {
        _over.Cancel();
        _lease.ContinueWith(_ => { }, TaskScheduler.Default).Wait(TimeSpan.FromSeconds(10));
        _over.Dispose();
    }

    // Somebody writes nonsense into the node's status; the agent sees it and puts it right.
    private async Task StatusIsPutRightAsync()
    {
        await _cluster.Client.RawAsync(HttpMethod.Patch, $"/api/v1/nodes/{_cluster.Options.NodeName}/status",
            """{"status":{"conditions":[{"type":"Ready","status":"Unknown","reason":"WrittenByTheTest"}]}}"""u8.ToArray(), "application/strategic-merge-patch+json");
        await _cluster.NodeIsAsync(ready: true, TimeSpan.FromSeconds(30));
    }

    private async Task WatchLeaseAsync()
    {
        while (!_over.IsCancellationRequested)
        {
            Lease lease = await _cluster.Client.GetAsync<Lease>("kube-node-lease", _cluster.Options.NodeName);
            TimeSpan age = DateTimeOffset.UtcNow - lease.Spec!.RenewTime!.Value;
            if (age > _oldest) _oldest = age;
            await Task.Delay(500);
        }
    }
}
