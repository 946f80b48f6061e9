using NodeAgent.Cri.V1;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using NodeAgent.Images;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.EndToEnd;

/// <summary>What is not this node's is left alone; what is and is wanted by no source goes, once every source has been heard.</summary>
[Collection(NodeCollection.Name)]
public sealed class BystanderTests(ClusterFixture fixture)
{
    private const string Orphan = "0b0e0000-1111-4222-8333-444455556666";
    // Longer than the minute between two looks of the agent at what is on the host.
    private static readonly TimeSpan PastHousekeeping = TimeSpan.FromSeconds(65);

    private NodeCluster Cluster => fixture.Cluster;

    [NodeFact]
    public async Task Only_a_sandbox_of_a_pod_that_no_source_wants_is_removed_and_only_after_all_have_delivered()
    {
        Workloads work = await Workloads.CreateAsync(Cluster, "others");
        await CtrAsync("bystanders", "images", "import", Path.Combine(Cluster.Options.Folder, "images", "busybox.tar"));
        await CtrAsync("bystanders", "run", "-d", "--cgroup", "", TestImages.Busybox, "elsewhere", "sleep", "3600");
        await CtrAsync("k8s.io", "run", "-d", "--cgroup", "", TestImages.Busybox, "unlabelled", "sleep", "3600");
        string manifest = Path.Combine(Cluster.Node.ManifestFolder, "witness.yaml");
        try
        {
            await work.PostAsync("/api/v1/nodes", """{"apiVersion":"v1","kind":"Node","metadata":{"name":"elsewhere"}}""");
            await work.PodAsync("not-here", Workloads.Shell("sleep 3600"), "\"nodeName\":\"elsewhere\"");
            Pod bound = await work.GetPodAsync("not-here");

            Assert.True(await Cluster.Node.KubeletProcess.StopAsync(TimeSpan.FromSeconds(30)), "the kubelet did not end on SIGTERM");
            await Cluster.Control.KillApiServerAsync();
            await OrphanAsync();
            await File.WriteAllTextAsync(manifest, $$"""
                {"apiVersion":"v1","kind":"Pod","metadata":{"name":"witness","namespace":"others"},"spec":{"terminationGracePeriodSeconds":1,"containers":[ {{Workloads.Shell("sleep 3600")}} ]} }
                """);
            Cluster.Node.StartKubelet();
            await Until.HoldsAsync("the agent runs its static pod", TimeSpan.FromSeconds(60), async () => (await SandboxesAsync()).Any(sandbox => sandbox.Metadata.Name.StartsWith("witness", StringComparison.Ordinal)));
            // Nothing may happen in this time, so nothing can be waited for.
            await Task.Delay(PastHousekeeping);
            Assert.Contains(await SandboxesAsync(), sandbox => sandbox.Metadata.Uid == Orphan && sandbox.State == PodSandboxState.SandboxReady);

            await Cluster.Control.StartApiServerAsync();
            await Until.NothingMissesAsync("the sandbox that no source wants is gone", TimeSpan.FromSeconds(120), async () =>
                (await SandboxesAsync()).FirstOrDefault(sandbox => sandbox.Metadata.Uid == Orphan)?.ToString());
            Assert.Equal("RUNNING", await TaskStateAsync("bystanders", "elsewhere"));
            Assert.Equal("RUNNING", await TaskStateAsync("k8s.io", "unlabelled"));
            Pod still = await work.GetPodAsync("not-here");
            Assert.Equal(bound.Metadata.Uid, still.Metadata.Uid);
            Assert.Equal("Pending", still.Status.Phase);
            Assert.Empty(still.Status.ContainerStatuses);
            Assert.Null(still.Metadata.DeletionTimestamp);
            Assert.Empty(await HostTraces.OfAsync(Cluster, still));
        }
        finally
        {
            File.Delete(manifest);
            if (!Cluster.Control.IsApiServerUp) await Cluster.Control.StartApiServerAsync();
            foreach ((string space, string name) in new[] { ("bystanders", "elsewhere"), ("k8s.io", "unlabelled") })
            {
                await Tool.RunAsync("ctr", ["--address", Cluster.Runtime.Socket, "-n", space, "tasks", "rm", "-f", name]);
                await Tool.RunAsync("ctr", ["--address", Cluster.Runtime.Socket, "-n", space, "containers", "rm", name]);
            }
            await work.DeletePodAsync("not-here", grace: 0);
            await Cluster.Client.RawAsync(HttpMethod.Delete, "/api/v1/nodes/elsewhere");
        }
        await Until.HoldsAsync("the static pod is gone", TimeSpan.FromSeconds(60), async () => !(await SandboxesAsync()).Any(sandbox => sandbox.Metadata.Name.StartsWith("witness", StringComparison.Ordinal)));
        await work.DeleteAsync();
    }

    // As the agent would have made it for a pod of an earlier life.
    private async Task OrphanAsync()
    {
        PodSandboxConfig config = new()
        {
            Metadata = new PodSandboxMetadata { Name = "forgotten", Namespace = "others", Uid = Orphan },
            LogDirectory = Path.Combine(Cluster.Node.LogFolder, $"others_forgotten_{Orphan}"),
            Linux = new LinuxPodSandboxConfig
            {
                CgroupParent = Cluster.Cgroups.FullName,
                SecurityContext = new LinuxSandboxSecurityContext { NamespaceOptions = new NamespaceOption { Network = NamespaceMode.Node } },
            },
        };
        config.Labels.Add("io.kubernetes.pod.name", "forgotten");
        config.Labels.Add("io.kubernetes.pod.namespace", "others");
        config.Labels.Add("io.kubernetes.pod.uid", Orphan);
        await Cluster.Runtime.Runtime.RunPodSandboxAsync(new RunPodSandboxRequest { Config = config }, CancellationToken.None);
    }

    private async Task<IEnumerable<PodSandbox>> SandboxesAsync() =>
        (await Cluster.Runtime.Runtime.ListPodSandboxAsync(new ListPodSandboxRequest(), CancellationToken.None)).Items;

    private async Task<string?> TaskStateAsync(string space, string name) => (await Tool.MustAsync("ctr", "--address", Cluster.Runtime.Socket, "-n", space, "tasks", "ls")).Lines
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).FirstOrDefault(parts => parts[0] == name)?[2];

    private Task CtrAsync(string space, params string[] arguments) => Tool.MustAsync("ctr", ["--address", Cluster.Runtime.Socket, "-n", space, .. arguments]);
}
