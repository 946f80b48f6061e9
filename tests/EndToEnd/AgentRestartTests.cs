using NodeAgent.Harness.Cluster;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.EndToEnd;

[Collection(NodeCollection.Name)]
public sealed class AgentRestartTests(ClusterFixture fixture)
{
    private NodeCluster Cluster => fixture.Cluster;

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
}
