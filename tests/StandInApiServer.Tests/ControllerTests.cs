using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.StandIn;

namespace NodeAgent.StandInApiServer.Tests;

public sealed class ControllerTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private readonly KubernetesClient _admin = fixture.Admin;

    [Fact]
    public async Task A_pod_goes_to_the_ready_node_that_its_selector_names()
    {
        string ns = await fixture.NewNamespaceAsync();
        await fixture.NewReadyNodeAsync("sched-a", ("disk", "hdd"));
        await fixture.NewReadyNodeAsync("sched-b", ("disk", "ssd"));
        Pod pod = ServerFixture.Pod(ns, "p");
        await _admin.CreateAsync(pod with { Spec = pod.Spec with { NodeSelector = new Dictionary<string, string> { ["disk"] = "ssd" } } });
        Pod bound = await ServerFixture.EventuallyAsync(() => _admin.GetAsync<Pod>(ns, "p"), p => !string.IsNullOrEmpty(p.Spec.NodeName));
        Assert.Equal("sched-b", bound.Spec.NodeName);
        Assert.Equal("True", Assert.Single(bound.Status.Conditions).Status);
    }

    [Fact]
    public async Task A_pod_that_fits_nowhere_says_so()
    {
        string ns = await fixture.NewNamespaceAsync();
        Pod pod = ServerFixture.Pod(ns, "p");
        await _admin.CreateAsync(pod with { Spec = pod.Spec with { NodeSelector = new Dictionary<string, string> { ["disk"] = "none" } } });
        Pod waiting = await ServerFixture.EventuallyAsync(() => _admin.GetAsync<Pod>(ns, "p"), p => p.Status.Conditions.Count > 0);
        Assert.Equal("Unschedulable", waiting.Status.Conditions[0].Reason);
    }

    [Fact]
    public async Task Endpoint_slices_follow_readiness_named_ports_and_termination()
    {
        string ns = await fixture.NewNamespaceAsync();
        Pod pod = ServerFixture.Pod(ns, "p", "slices", ("app", "a"));
        await _admin.CreateAsync(pod with
        {
            Spec = pod.Spec with { Containers = [pod.Spec.Containers[0] with { Ports = [new ContainerPort { Name = "web", ContainerPortValue = 8080 }] }] },
        });
        await _admin.CreateAsync(new Service
        {
            Metadata = new ObjectMeta { Namespace = ns, Name = "svc" },
            Spec = new ServiceSpec
            {
                Selector = new Dictionary<string, string> { ["app"] = "a" },
                Ports = [new ServicePort { Name = "http", Port = 80, TargetPort = "web" }],
            },
        });
        await fixture.RunAsync(ns, "p", "10.1.2.3", ready: false);
        Endpoint unready = Assert.Single((await SliceAsync(ns, s => s.Endpoints.Count == 1)).Endpoints);
        Assert.False(unready.Conditions!.Ready);
        await fixture.RunAsync(ns, "p", "10.1.2.3");
        EndpointSlice ready = await SliceAsync(ns, s => s.Endpoints.Any(e => e.Conditions!.Ready == true));
        Assert.Equal((8080, "http", "TCP"), (ready.Ports[0].Port, ready.Ports[0].Name, ready.Ports[0].Protocol));
        Assert.Equal(("slices", "10.1.2.3"), (ready.Endpoints[0].NodeName, ready.Endpoints[0].Addresses[0]));
        await _admin.DeleteAsync<Pod>(ns, "p");
        EndpointSlice ending = await SliceAsync(ns, s => s.Endpoints.Any(e => e.Conditions!.Terminating == true));
        Assert.Equal((false, true), (ending.Endpoints[0].Conditions!.Ready, ending.Endpoints[0].Conditions!.Serving));
        await _admin.DeleteAsync<Pod>(ns, "p", new DeleteOptions { GracePeriodSeconds = 0 });
        await SliceAsync(ns, s => s.Endpoints.Count == 0);
    }

    [Fact]
    public async Task Services_get_cluster_addresses_and_node_ports_of_their_own()
    {
        string ns = await fixture.NewNamespaceAsync();
        Service Make(string name, int? nodePort) => new()
        {
            Metadata = new ObjectMeta { Namespace = ns, Name = name },
            Spec = new ServiceSpec { Type = "NodePort", Ports = [new ServicePort { Port = 80, NodePort = nodePort }] },
        };
        Service first = await _admin.CreateAsync(Make("a", 30599)), second = await _admin.CreateAsync(Make("b", null));
        Assert.StartsWith("10.96.", first.Spec!.ClusterIP, StringComparison.Ordinal);
        Assert.NotEqual(first.Spec.ClusterIP, second.Spec!.ClusterIP);
        Assert.InRange(second.Spec.Ports[0].NodePort!.Value, 30000, 32767);
        Assert.True((await Assert.ThrowsAsync<ApiException>(() => _admin.CreateAsync(Make("c", 30599)))).IsInvalid);
    }

    [Fact]
    public async Task A_deployment_scales_rolls_and_respects_its_budget_and_goes_with_its_pods()
    {
        string ns = await fixture.NewNamespaceAsync();
        await fixture.NewReadyNodeAsync($"node-{ns}");
        string path = $"/apis/apps/v1/namespaces/{ns}/deployments";
        await SendAsync(HttpMethod.Post, path, """
            {"metadata":{"name":"web"},"spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"}},
             "template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"x:1"}]}}}}
            """);
        await SendAsync(HttpMethod.Post, $"/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets",
            """{"metadata":{"name":"web"},"spec":{"minAvailable":2,"selector":{"matchLabels":{"app":"web"}}}}""");
        KubernetesList<Pod> pods = await PodsAsync(ns, list => list.Items.Count == 2 && list.Items.All(p => !string.IsNullOrEmpty(p.Spec.NodeName)));
        await RunAllAsync(ns, pods);
        await ServerFixture.EventuallyAsync(() => ReadAsync($"{path}/web"), d => d["status"]?["availableReplicas"]?.GetValue<int>() == 2);

        Eviction eviction = new() { Metadata = new ObjectMeta { Namespace = ns, Name = pods.Items[0].Metadata.Name } };
        await ServerFixture.EventuallyAsync(
            () => ReadAsync($"/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets/web"), b => b["status"]?["currentHealthy"]?.GetValue<int>() == 2);
        ApiException refused = await Assert.ThrowsAsync<ApiException>(() => _admin.RawAsync(
            HttpMethod.Post, $"/api/v1/namespaces/{ns}/pods/{eviction.Metadata.Name}/eviction",
            Encoding.UTF8.GetBytes($$$"""{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"{{{eviction.Metadata.Name}}}"}}"""), "application/json"));
        Assert.True(refused.HasCause("DisruptionBudget"));

        await SendAsync(HttpMethod.Patch, $"{path}/web/scale", """{"spec":{"replicas":3}}""", "application/merge-patch+json");
        await RunAllAsync(ns, await PodsAsync(ns, list => list.Items.Count == 3));
        await SendAsync(HttpMethod.Patch, $"{path}/web",
            """{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"x:2"}]}}}}""", "application/strategic-merge-patch+json");
        await ServerFixture.EventuallyAsync(async () => await DriveAsync(ns), done => done);

        await _admin.DeleteAsync<Node>(null, $"node-{ns}");
        await SendAsync(HttpMethod.Delete, $"{path}/web", "");
        await PodsAsync(ns, list => list.Items.Count == 0);
    }

    [Fact]
    public async Task State_outlives_a_killed_server()
    {
        string folder = Directory.CreateTempSubdirectory("stand-in-").FullName;
        try
        {
            string uid, authority;
            await using (StandIn.StandInApiServer first = await StandIn.StandInApiServer.StartAsync(new StandInOptions { DataFolder = folder }))
            {
                using KubernetesClient client = new(first.AdminConfiguration());
                uid = (await client.CreateAsync(new Secret { Metadata = new ObjectMeta { Namespace = "default", Name = "kept" } })).Metadata.Uid!;
                await client.CreateAsync(new Secret { Metadata = new ObjectMeta { Namespace = "default", Name = "lost" } });
                await client.DeleteAsync<Secret>("default", "lost");
                authority = first.CertificateAuthorityPem;
            }
            await File.AppendAllTextAsync(Path.Combine(folder, "state.jsonl"), "{\"put\":{\"apiVersion\":\"v1\",\"ki");
            await using StandIn.StandInApiServer second = await StandIn.StandInApiServer.StartAsync(new StandInOptions { DataFolder = folder });
            using KubernetesClient again = new(second.AdminConfiguration());
            Assert.Equal(uid, Assert.Single((await again.ListAsync<Secret>("default")).Items).Metadata.Uid);
            Assert.Equal(authority, second.CertificateAuthorityPem);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_node_whose_lease_is_stale_is_unknown_and_tainted()
    {
        await using StandIn.StandInApiServer server = await StandIn.StandInApiServer.StartAsync(
            new StandInOptions { NodeMonitorGracePeriod = TimeSpan.FromMilliseconds(100) });
        using KubernetesClient client = new(server.AdminConfiguration());
        await client.CreateAsync(new Node
        {
            Metadata = new ObjectMeta { Name = "n" },
            Status = new NodeStatus { Conditions = [new NodeCondition { Type = "Ready", Status = "True" }] },
        });
        Node node = await ServerFixture.EventuallyAsync(
            () => client.GetAsync<Node>(null, "n"), n => n.Spec!.Taints.Any(t => t.Key == "node.kubernetes.io/unreachable" && t.Effect == "NoExecute"));
        Assert.Equal("Unknown", Assert.Single(node.Status!.Conditions).Status);
    }

    // Plays the kubelet until no pod of the old image is left.
    private async Task<bool> DriveAsync(string ns)
    {
        KubernetesList<Pod> pods = await _admin.ListAsync<Pod>(ns);
        await RunAllAsync(ns, pods);
        foreach (Pod pod in pods.Items.Where(p => p.Metadata.DeletionTimestamp is not null))
            await _admin.DeleteAsync<Pod>(ns, pod.Metadata.Name!, new DeleteOptions { GracePeriodSeconds = 0 });
        return pods.Items.Count == 3 && pods.Items.All(p => p.Spec.Containers[0].Image == "x:2");
    }

    private async Task RunAllAsync(string ns, KubernetesList<Pod> pods)
    {
        int i = 1;
        foreach (Pod pod in pods.Items.Where(p => p.Metadata.DeletionTimestamp is null && p.Status.Phase == "Pending" && !string.IsNullOrEmpty(p.Spec.NodeName)))
            await fixture.RunAsync(ns, pod.Metadata.Name!, $"10.9.0.{i++}");
    }

    private Task<KubernetesList<Pod>> PodsAsync(string ns, Func<KubernetesList<Pod>, bool> wanted) =>
        ServerFixture.EventuallyAsync(() => _admin.ListAsync<Pod>(ns), wanted);

    private async Task<EndpointSlice> SliceAsync(string ns, Func<EndpointSlice, bool> wanted) =>
        (await ServerFixture.EventuallyAsync(() => _admin.ListAsync<EndpointSlice>(ns), list => list.Items.Count == 1 && wanted(list.Items[0]))).Items[0];

    private async Task<JsonNode> ReadAsync(string path) => JsonNode.Parse(await _admin.RawAsync(HttpMethod.Get, path))!;

    private Task<byte[]> SendAsync(HttpMethod method, string path, string body, string contentType = "application/json") =>
        _admin.RawAsync(method, path, Encoding.UTF8.GetBytes(body), contentType);
}
