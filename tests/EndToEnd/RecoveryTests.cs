using System.Diagnostics;
using NodeAgent.Cri.V1;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.EndToEnd;

[Collection(NodeCollection.Name)]
public sealed class RecoveryTests(ClusterFixture fixture)
{
    private NodeCluster Cluster => fixture.Cluster;

    [NodeFact]
    public async Task The_control_plane_dies_and_comes_back()
    {
        Workloads work = await Workloads.CreateAsync(Cluster, "away");
        await work.HelloAsync(3);
        (string address, int port) = await work.HelloServiceAsync();
        IReadOnlyList<Pod> before = await work.AllReadyAsync(3);
        HashSet<string> names = [.. before.Select(pod => pod.Metadata.Name!)];
        await ServiceTests.EveryoneAnswersAsync("before", names, () => ServiceTests.FromHostAsync($"http://{address}/"));

        await Cluster.Control.KillApiServerAsync();
        Pod victim = before[0];
        string id = victim.Status.ContainerStatuses.Single().ContainerID!.Split("//")[1];
        await ServiceTests.EveryoneAnswersAsync("while it is away", names, () => ServiceTests.FromHostAsync($"http://{Cluster.Address}:{port}/"));
        await Tool.MustAsync("ctr", "--address", Cluster.Runtime.Socket, "-n", "k8s.io", "tasks", "kill", "-s", "KILL", id);
        await Until.FoundAsync("the killed container runs again without an API server", TimeSpan.FromSeconds(60), async () =>
        {
            IReadOnlyList<Container> running = await RunningAsync(victim.Metadata.Uid!);
            return (running.FirstOrDefault(container => container.Id != id), $"{running.Count} running");
        });

        await Cluster.Control.StartApiServerAsync();
        Stopwatch back = Stopwatch.StartNew();
        await work.PodIsAsync(victim.Metadata.Name!, "one restart counted and Ready", TimeSpan.FromSeconds(30),
            pod => pod.Status.ContainerStatuses.Single().RestartCount == 1 && Workloads.IsReady(pod));
        Console.WriteLine($"[end-to-end] status correct {back.Elapsed.TotalSeconds:F1} s after /readyz");
        await Cluster.NodeIsAsync(ready: true, TimeSpan.FromSeconds(30));
        IReadOnlyList<Pod> after = await work.AllReadyAsync(3);
        Assert.Equal(before.Select(pod => pod.Metadata.Uid).Order(), after.Select(pod => pod.Metadata.Uid).Order());
        Assert.Equal(1, after.Sum(pod => pod.Status.ContainerStatuses.Single().RestartCount));
        await ServiceTests.EveryoneAnswersAsync("after", names, () => ServiceTests.FromHostAsync($"http://{address}/"));
        await work.DeleteAsync();
    }

    [NodeFact]
    public async Task The_runtime_restarts_and_no_pod_does()
    {
        Workloads work = await Workloads.CreateAsync(Cluster, "runtime");
        await work.HelloAsync(3);
        IReadOnlyList<Pod> before = await work.AllReadyAsync(3);
        await Cluster.Runtime.Process.StopAsync(TimeSpan.FromSeconds(20));
        await Cluster.NodeIsAsync(ready: false, TimeSpan.FromSeconds(60));
        await Cluster.Runtime.RestartAsync();
        await Cluster.NodeIsAsync(ready: true, TimeSpan.FromSeconds(60));
        IReadOnlyList<Pod> after = await work.AllReadyAsync(3);
        Assert.Equal(Containers(before), Containers(after));
        await work.DeleteAsync();

        static IEnumerable<string> Containers(IEnumerable<Pod> pods) => pods.Select(pod => pod.Status.ContainerStatuses.Single().ContainerID!).Order();
    }

    [NodeFact]
    public async Task A_restarted_agent_restarts_no_container()
    {
        Workloads work = await Workloads.CreateAsync(Cluster, "again");
        await work.HelloAsync(2);
        IReadOnlyList<Pod> before = await work.AllReadyAsync(2);
        Assert.Empty(await Cluster.Node.StopAsync());
        Cluster.Node.StartKubelet();
        Cluster.Node.StartProxy();
        await work.PodAsync("new", Workloads.Shell("sleep 3600"), "\"terminationGracePeriodSeconds\":1");
        await work.ReadyAsync("new");
        IReadOnlyList<Pod> after = await work.AllReadyAsync(2, "app=hello");
        Assert.Equal(before.Select(pod => pod.Status.ContainerStatuses.Single().ContainerID).Order(), after.Select(pod => pod.Status.ContainerStatuses.Single().ContainerID).Order());
        await work.DeleteAsync();
    }

    private async Task<IReadOnlyList<Container>> RunningAsync(string uid) =>
        [.. (await Cluster.Runtime.Runtime.ListContainersAsync(new ListContainersRequest(), CancellationToken.None)).Containers
            .Where(container => container.State == ContainerState.ContainerRunning && container.Labels["io.kubernetes.pod.uid"] == uid)];
}
