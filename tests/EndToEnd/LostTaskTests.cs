using NodeAgent.Cri.V1;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using NodeAgent.Images;

namespace NodeAgent.EndToEnd;

/// <summary>A task that containerd has and its CRI service does not know, as an agent's death in the middle of a start can leave it.</summary>
[Collection(NodeCollection.Name)]
public sealed class LostTaskTests(ClusterFixture fixture)
{
    private NodeCluster Cluster => fixture.Cluster;

    [NodeTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Containerd_is_rid_of_it_with_the_container_or_the_sandbox(bool byContainer)
    {
        PodSandboxConfig config = new()
        {
            Metadata = new PodSandboxMetadata { Name = "lost", Namespace = "others", Uid = Guid.NewGuid().ToString() },
            Linux = new LinuxPodSandboxConfig { SecurityContext = new LinuxSandboxSecurityContext { NamespaceOptions = new NamespaceOption { Network = NamespaceMode.Node } } },
        };
        string sandbox = (await Cluster.Runtime.Runtime.RunPodSandboxAsync(new RunPodSandboxRequest { Config = config }, default)).PodSandboxId;
        string container = (await Cluster.Runtime.Runtime.CreateContainerAsync(new CreateContainerRequest
        {
            PodSandboxId = sandbox,
            SandboxConfig = config,
            Config = new ContainerConfig
            {
                Metadata = new ContainerMetadata { Name = "main" },
                Image = new ImageSpec { Image = TestImages.Busybox },
                Command = { "sleep", "3600" },
                Linux = new LinuxContainerConfig(),
            },
        }, default)).ContainerId;
        // Past the CRI service: for that one the container has not been started.
        await Tool.MustAsync("ctr", "--address", Cluster.Runtime.Socket, "-n", "k8s.io", "tasks", "start", "--detach", "--null-io", container);
        Assert.Equal(ContainerState.ContainerCreated, (await Cluster.Runtime.Runtime.ContainerStatusAsync(new ContainerStatusRequest { ContainerId = container }, default)).Status.State);

        if (byContainer) await Cluster.Runtime.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = container }, default);
        await Cluster.Runtime.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = sandbox }, default);
        await Cluster.Runtime.Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = sandbox }, default);

        ToolAnswer tasks = await Tool.MustAsync("ctr", "--address", Cluster.Runtime.Socket, "-n", "k8s.io", "tasks", "ls");
        Assert.DoesNotContain(tasks.Lines, line => line.Contains(container, StringComparison.Ordinal));
        Assert.Empty((await Cluster.Runtime.Runtime.ListPodSandboxAsync(new ListPodSandboxRequest { Filter = new PodSandboxFilter { Id = sandbox } }, default)).Items);
    }
}
