using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.Kubelet.Tests.Containers;

/// <summary>hostUsers: false, as the runtime gets it.</summary>
public sealed class UserNamespacePodTests
{
    private static Pod Pod() => RuntimeManagerFixture.Pod() is var p ? p with { Spec = p.Spec with { HostUsers = false } } : null!;

    [Fact]
    public async Task Sandbox_container_and_every_mount_have_the_pods_ids()
    {
        await using RuntimeManagerFixture f = await RuntimeManagerFixture.StartAsync();
        f.Features = new NodeRuntimeHandlerFeatures { UserNamespaces = true };
        Assert.True((await f.PassAsync(Pod())).Succeeded);
        var ids = new IDMapping { HostId = 65536, ContainerId = 0, Length = 65536 };
        var expected = new UserNamespace { Mode = NamespaceMode.Pod, Uids = { ids }, Gids = { ids } };
        Assert.Equal(expected, f.Fake.Calls.Select(c => c.Request).OfType<RunPodSandboxRequest>().Single().Config.Linux.SecurityContext.NamespaceOptions.UsernsOptions);
        ContainerConfig container = f.Fake.Calls.Select(c => c.Request).OfType<CreateContainerRequest>().Single().Config;
        Assert.Equal(expected, container.Linux.SecurityContext.NamespaceOptions.UsernsOptions);
        Assert.Equal(["/etc/hosts"], container.Mounts.Select(m => m.ContainerPath));
        Assert.All(container.Mounts, m => Assert.Equal((ids, ids), (m.UidMappings.Single(), m.GidMappings.Single())));
    }

    [Fact]
    public async Task A_runtime_that_cannot_gets_no_sandbox_and_the_pod_waits_with_upstreams_event()
    {
        await using RuntimeManagerFixture f = await RuntimeManagerFixture.StartAsync();
        f.Features = new NodeRuntimeHandlerFeatures { RecursiveReadOnlyMounts = true };
        PodSyncResult result = await f.PassAsync(Pod());
        Assert.False(result.Succeeded);
        Assert.Equal(("FailedCreatePodSandBox", "Failed to create pod sandbox: can't set `spec.hostUsers: false`, runtime does not support user namespaces"), Assert.Single(f.Events));
        Assert.Empty(f.Calls("RunPodSandbox", "CreateContainer"));
        string[] metrics = f.Metrics.Write().Split('\n');
        Assert.Contains("kubelet_started_user_namespaced_pods_total 1", metrics);
        Assert.Contains("kubelet_started_user_namespaced_pods_errors_total 1", metrics);
    }

    [Fact]
    public async Task A_pod_of_the_nodes_users_maps_nothing()
    {
        await using RuntimeManagerFixture f = await RuntimeManagerFixture.StartAsync();
        Assert.True((await f.PassAsync(RuntimeManagerFixture.Pod())).Succeeded);
        ContainerConfig container = f.Fake.Calls.Select(c => c.Request).OfType<CreateContainerRequest>().Single().Config;
        Assert.Equal(new UserNamespace { Mode = NamespaceMode.Node }, container.Linux.SecurityContext.NamespaceOptions.UsernsOptions);
        Assert.All(container.Mounts, m => Assert.Empty(m.UidMappings));
    }
}
