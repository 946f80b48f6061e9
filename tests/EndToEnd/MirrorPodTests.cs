using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.EndToEnd;

/// <summary>Static pods as users see them: by their mirror pods.</summary>
[Collection(NodeCollection.Name)]
public sealed class MirrorPodTests(ClusterFixture fixture)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private NodeCluster Cluster => fixture.Cluster;

    [NodeFact]
    public async Task A_manifest_shows_as_a_mirror_pod_through_all_its_life()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "mirror");
        string name = Name("lives");
        Write("lives", "mirror", "echo one; trap 'exit 0' TERM; while :; do sleep 0.1; done");
        try
        {
            Pod first = await pods.ReadyAsync(name);
            string hash = first.Metadata.Annotations["kubernetes.io/config.mirror"];
            Assert.Equal(hash, first.Metadata.Annotations["kubernetes.io/config.hash"]);
            Assert.Equal("file", first.Metadata.Annotations["kubernetes.io/config.source"]);
            Assert.NotEmpty(first.Metadata.Annotations["kubernetes.io/config.seen"]);
            Node node = await Cluster.Client.GetAsync<Node>(null, Cluster.Options.NodeName);
            OwnerReference owner = Assert.Single(first.Metadata.OwnerReferences);
            Assert.Equal(("Node", node.Metadata.Name, node.Metadata.Uid, true), (owner.Kind, owner.Name, owner.Uid, owner.Controller));
            Assert.Equal("Running", first.Status.Phase);
            await Until.HoldsAsync("its log", TimeSpan.FromSeconds(10), async () => await pods.LogAsync(name) == "one\n");
            Assert.Equal("in\n", (await PodExec.RunAsync(Cluster, "mirror", name, ["sh", "-c", "echo in"])).Output);

            // A user's deletion ends the mirror, not the pod.
            string container = first.Status.ContainerStatuses.Single().ContainerID!;
            await pods.DeletePodAsync(name);
            Pod again = await pods.PodIsAsync(name, "back with its status", Limit, pod => pod.Metadata.Uid != first.Metadata.Uid && Workloads.IsReady(pod));
            Assert.Equal(container, again.Status.ContainerStatuses.Single().ContainerID);

            Write("lives", "mirror", "echo two; trap 'exit 0' TERM; while :; do sleep 0.1; done");
            Pod edited = await pods.PodIsAsync(name, "of the new manifest and Ready", Limit,
                pod => pod.Metadata.Annotations["kubernetes.io/config.mirror"] != hash && Workloads.IsReady(pod));
            Assert.NotEqual(container, edited.Status.ContainerStatuses.Single().ContainerID);
            await Until.HoldsAsync("the new log", TimeSpan.FromSeconds(10), async () => await pods.LogAsync(name) == "two\n");
        }
        finally
        {
            Remove("lives");
        }
        await pods.GoneAsync(name, Limit);
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task A_restart_of_the_agent_keeps_the_pod_and_takes_away_what_has_no_manifest_any_more()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "mirror-restart");
        Write("stays", "mirror-restart", "sleep 3600");
        Write("goes", "mirror-restart", "trap 'exit 0' TERM; while :; do sleep 0.1; done");
        try
        {
            Pod before = await pods.ReadyAsync(Name("stays"));
            await pods.ReadyAsync(Name("goes"));
            await Cluster.Node.KubeletProcess.KillAsync();
            Remove("goes");
            Cluster.Node.StartKubelet();
            await pods.GoneAsync(Name("goes"), Limit);
            await Cluster.NodeIsAsync(ready: true, Limit);
            Pod after = await pods.ReadyAsync(Name("stays"));
            Assert.Equal(before.Metadata.Uid, after.Metadata.Uid);
            Assert.Equal(before.Status.StartTime, after.Status.StartTime);
            Assert.Equal((before.Status.ContainerStatuses.Single().ContainerID, 0), (after.Status.ContainerStatuses.Single().ContainerID, after.Status.ContainerStatuses.Single().RestartCount));
        }
        finally
        {
            Remove("stays");
            Remove("goes");
        }
        await pods.GoneAsync(Name("stays"), Limit);
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task A_static_pod_ends_and_starts_while_the_API_server_is_away()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "mirror-away");
        Write("old", "mirror-away", "trap 'exit 0' TERM; while :; do sleep 0.1; done");
        try
        {
            Pod old = await pods.ReadyAsync(Name("old"));
            string task = old.Status.ContainerStatuses.Single().ContainerID!.Split("//")[1];
            await Cluster.Control.KillApiServerAsync();
            Remove("old");
            Write("new", "mirror-away", "sleep 3600");
            await Until.HoldsAsync("the old container has ended", Limit, async () => !await RunsAsync(task));
            await Cluster.Control.StartApiServerAsync();
            await pods.GoneAsync(Name("old"), TimeSpan.FromSeconds(90));
            await pods.ReadyAsync(Name("new"), TimeSpan.FromSeconds(90));
        }
        finally
        {
            Remove("old");
            Remove("new");
        }
        await pods.GoneAsync(Name("new"), TimeSpan.FromSeconds(90));
        await pods.DeleteAsync();
    }

    private async Task<bool> RunsAsync(string container) =>
        (await Cluster.Runtime.Runtime.ListContainersAsync(new Cri.V1.ListContainersRequest(), CancellationToken.None)).Containers
            .Any(c => c.Id == container && c.State == Cri.V1.ContainerState.ContainerRunning);

    private string Name(string name) => $"{name}-{Cluster.Options.NodeName}";

    private string File(string name) => Path.Combine(Cluster.Node.ManifestFolder, $"{name}.yaml");

    /// <summary>As an editor does: a new file in the place of the old one.</summary>
    private void Write(string name, string space, string script)
    {
        string hidden = Path.Combine(Cluster.Node.ManifestFolder, $".{name}.tmp");
        System.IO.File.WriteAllText(hidden, $$"""
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"{{name}}","namespace":"{{space}}","labels":{"app":"{{name}}"} },
             "spec":{"terminationGracePeriodSeconds":5,"containers":[ {{Workloads.Shell(script)}} ]} }
            """);
        System.IO.File.Move(hidden, File(name), overwrite: true);
    }

    private void Remove(string name) => System.IO.File.Delete(File(name));
}
