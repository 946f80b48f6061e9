using System.Globalization;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.EndToEnd;

/// <summary>The runtime goes away and comes back; the pods do not. One cluster for each containerd.</summary>
[Collection(Name)]
[CollectionDefinition(Name)]
public sealed class RuntimeOutageTests
{
    internal const string Name = "runtimes";
    private const string Hosts = "the host's";

    /// <summary>The host's containerd, and those in the folders of $NODE_AGENT_CONTAINERDS (separated by colons).</summary>
    public static TheoryData<string> Containerds() =>
        [Hosts, .. (Environment.GetEnvironmentVariable("NODE_AGENT_CONTAINERDS") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)];

    // How long the second outage lasts.
    private static TimeSpan Away => TimeSpan.FromSeconds(
        int.TryParse(Environment.GetEnvironmentVariable("NODE_AGENT_E2E_RUNTIME_AWAY"), CultureInfo.InvariantCulture, out int seconds) ? seconds : 20);

    [NodeTheory]
    [MemberData(nameof(Containerds))]
    public Task The_runtime_dies_and_no_pod_does(string containerd) =>
        ClusterFixture.OnOwnClusterAsync(containerd == Hosts ? null : containerd, async cluster =>
        {
            Workloads work = await Workloads.CreateAsync(cluster, "runtime");
            await work.HelloAsync(3);
            (string address, _) = await work.HelloServiceAsync();
            await SleeperAsync(work, "goes");
            IReadOnlyList<Pod> before = await work.AllReadyAsync(3, "app=hello");
            Pod goes = await work.ReadyAsync("goes");
            HashSet<string> names = [.. before.Select(pod => pod.Metadata.Name!)];

            await cluster.Runtime.Process.StopAsync(TimeSpan.FromSeconds(20));
            await NotReadyAsync(cluster);
            await cluster.Runtime.RestartAsync();
            await cluster.NodeIsAsync(ready: true, TimeSpan.FromSeconds(60));
            await SameContainersAsync(work, before);

            await cluster.Runtime.Process.KillAsync();
            await NotReadyAsync(cluster);
            await SleeperAsync(work, "born");
            await SleeperAsync(work, "brief");
            Pod brief = await work.GetPodAsync("brief");
            await work.DeletePodAsync("goes");
            await work.DeletePodAsync("brief");
            await ServiceTests.EveryoneAnswersAsync("while the runtime is away", names, () => ServiceTests.FromHostAsync($"http://{address}/"));
            // The length of the outage is what this varies; nothing is waited for.
            await Task.Delay(Away);
            Assert.NotNull((await work.GetPodAsync("goes")).Metadata.DeletionTimestamp);
            await NotReadyAsync(cluster);
            await cluster.Runtime.RestartAsync();
            await cluster.NodeIsAsync(ready: true, TimeSpan.FromSeconds(60));
            await work.ReadyAsync("born");
            await work.GoneAsync("goes", TimeSpan.FromSeconds(60));
            await work.GoneAsync("brief", TimeSpan.FromSeconds(60));
            await HostTraces.GoneAsync(cluster, [goes, brief]);
            await SameContainersAsync(work, before);
            await ServiceTests.EveryoneAnswersAsync("afterwards", names, () => ServiceTests.FromHostAsync($"http://{address}/"));
            await work.DeleteAsync();
            await HostTraces.NetworkMatchesAsync(cluster);
        });

    // Bound here by hand: the scheduler gives nothing to a node that is not ready.
    private static Task SleeperAsync(Workloads work, string name) => work.PodAsync(name, Workloads.Shell("trap 'exit 0' TERM; sleep 3600 & wait"),
        "\"terminationGracePeriodSeconds\":2,\"nodeName\":\"e2e-node\"");

    private static Task NotReadyAsync(NodeCluster cluster) => Until.NothingMissesAsync("the node is not Ready because of its runtime", TimeSpan.FromSeconds(60), async () =>
    {
        NodeCondition ready = (await cluster.Client.GetAsync<Node>(null, cluster.Options.NodeName)).Status!.Conditions.Single(condition => condition.Type == "Ready");
        return ready is { Status: "False", Reason: "KubeletNotReady" } && ready.Message!.Contains("container runtime", StringComparison.Ordinal) ? null : $"{ready.Status} {ready.Reason} {ready.Message}";
    });

    private static async Task SameContainersAsync(Workloads work, IReadOnlyList<Pod> before)
    {
        IReadOnlyList<Pod> after = await work.AllReadyAsync(before.Count, "app=hello");
        Assert.Equal(Ids(before), Ids(after));
        Assert.All(after, pod => Assert.Equal(0, pod.Status.ContainerStatuses.Single().RestartCount));

        static IEnumerable<string> Ids(IEnumerable<Pod> pods) => pods.Select(pod => pod.Status.ContainerStatuses.Single().ContainerID!).Order();
    }
}
