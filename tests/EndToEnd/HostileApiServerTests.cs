using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Harness;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.ControlPlanes;
using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.EndToEnd;

/// <summary>An API server that checks nothing of what it is given: the stand-in, to which the node is moved for a while.</summary>
[Collection(NodeCollection.Name)]
public sealed class HostileApiServerTests(ClusterFixture fixture)
{
    private const string Pods = "/api/v1/namespaces/default/pods";

    private NodeCluster Cluster => fixture.Cluster;

    [NodeFact]
    public async Task What_no_API_server_should_send_harms_neither_node_nor_other_pods()
    {
        HarnessOptions options = Cluster.Options with { Folder = Path.Combine(Cluster.Options.Folder, "hostile"), ServiceNetwork = 96 };
        Directory.CreateDirectory(options.Folder);
        StandInControlPlane server = new(options, Cluster.Address, "--largest-request", $"{16 << 20}");
        await server.StartAsync();
        try
        {
            using KubernetesClient client = new(KubeconfigLoader.Load(server.AdminKubeconfig), new KubernetesClientOptions { Qps = 100, Burst = 200 });
            await Cluster.Node.KubeletProcess.StopAsync(TimeSpan.FromSeconds(30));
            Cluster.Node.StartKubelet("--kubeconfig", server.NodeKubeconfig);
            await SendAsync(client);
            foreach (string name in new[] { "leaves-volume", "slash-in-key", "leaves-folder", "volume-leaves" })
                await TellsAsync(client, name, ["FailedMount", "Failed", "CreateContainerConfigError", "CreateContainerError", "InvalidSpec"]);
            await RunsAsync(client, "steady", TimeSpan.FromSeconds(60));
            await EndsSomehowAsync(client, "huge-annotation");
            await PodAsync(client, "after", Shell);
            await RunsAsync(client, "after", TimeSpan.FromSeconds(60));
            Assert.False(File.Exists("/tmp/nae2e-escaped"));
            Assert.Empty(Directory.EnumerateFileSystemEntries(Cluster.Options.Folder, "*escaped*", SearchOption.AllDirectories));
            Assert.True(Cluster.Node.KubeletProcess.IsAlive);
            foreach (JsonNode? pod in JsonNode.Parse(await client.RawAsync(HttpMethod.Get, Pods))!["items"]!.AsArray())
                await client.RawAsync(HttpMethod.Delete, $"{Pods}/{pod!["metadata"]!["name"]}?gracePeriodSeconds=1");
            await Until.NothingMissesAsync("all of them go", TimeSpan.FromSeconds(90), async () =>
                JsonNode.Parse(await client.RawAsync(HttpMethod.Get, Pods))!["items"]!.AsArray() is { Count: > 0 } left ? string.Join(", ", left.Select(pod => pod!["metadata"]!["name"])) : null);
        }
        finally
        {
            await Cluster.Node.KubeletProcess.StopAsync(TimeSpan.FromSeconds(30));
            Cluster.Node.StartKubelet();
            await server.StopAsync();
        }
        await Cluster.NodeIsAsync(ready: true, TimeSpan.FromSeconds(60));
    }

    private static string Shell => Workloads.Shell("sleep 3600");

    private static async Task SendAsync(KubernetesClient client)
    {
        await PodAsync(client, "steady", Shell);
        string mounted = Workloads.Shell("sleep 3600", more: "\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"}]");
        await MapAsync(client, "dots", """{"..":"escaped"}""");
        await PodAsync(client, "leaves-volume", mounted, Volume("configMap", "{\"name\":\"dots\"}"));
        await MapAsync(client, "slash", """{"../../../../../../../../tmp/nae2e-escaped":"escaped"}""");
        await PodAsync(client, "slash-in-key", mounted, Volume("configMap", "{\"name\":\"slash\"}"));
        await MapAsync(client, "plain", """{"a":"escaped"}""");
        await PodAsync(client, "leaves-folder", mounted, Volume("configMap", "{\"name\":\"plain\",\"items\":[{\"key\":\"a\",\"path\":\"../../../../../../../../tmp/nae2e-escaped\"}]}"));
        await PodAsync(client, "volume-leaves", Workloads.Shell("sleep 3600", more: "\"volumeMounts\":[{\"name\":\"../../escaped\",\"mountPath\":\"/v\"}]"),
            Volume("emptyDir", "{}", "../../escaped"));
        await PodAsync(client, "huge-annotation", Shell, annotations: $"\"example.com/huge\":\"{new string('x', 5 << 20)}\"");
    }

    private static string Volume(string kind, string source, string name = "v") => $"\"volumes\":[{{\"name\":\"{name}\",\"{kind}\":{source}}}]";

    private static Task MapAsync(KubernetesClient client, string name, string data) => client.RawAsync(HttpMethod.Post, "/api/v1/namespaces/default/configmaps",
        Encoding.UTF8.GetBytes($"{{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{{\"name\":\"{name}\"}},\"data\":{data}}}"), "application/json");

    private static Task PodAsync(KubernetesClient client, string name, string container, string spec = "\"volumes\":[]", string annotations = "") =>
        client.RawAsync(HttpMethod.Post, Pods, Encoding.UTF8.GetBytes(
            $"{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{{\"name\":\"{name}\",\"annotations\":{{{annotations}}}}},\"spec\":{{\"terminationGracePeriodSeconds\":1,{spec},\"containers\":[{container}]}}}}"), "application/json");

    private static async Task<JsonNode> GetAsync(KubernetesClient client, string name) => JsonNode.Parse(await client.RawAsync(HttpMethod.Get, $"{Pods}/{name}"))!;

    private static async Task<string[]> EventsAsync(KubernetesClient client, string name) =>
        [.. JsonNode.Parse(await client.RawAsync(HttpMethod.Get, $"/api/v1/namespaces/default/events"))!["items"]!.AsArray()
            .Where(item => (string?)(item!["involvedObject"] ?? item["regarding"])?["name"] == name).Select(item => $"{item!["reason"]}: {item["message"] ?? item["note"]}")];

    private static Task RunsAsync(KubernetesClient client, string name, TimeSpan limit) => Until.NothingMissesAsync($"{name} runs", limit, async () =>
        (string?)(await GetAsync(client, name))["status"]?["phase"] == "Running" ? null : (await GetAsync(client, name))["status"]?.ToJsonString() + string.Join("; ", await EventsAsync(client, name)));

    private static Task TellsAsync(KubernetesClient client, string name, string[] reasons) => Until.NothingMissesAsync($"{name} tells what is wrong", TimeSpan.FromSeconds(60), async () =>
    {
        string[] events = await EventsAsync(client, name);
        JsonNode? status = (await GetAsync(client, name))["status"];
        return events.Any(text => reasons.Any(reason => text.StartsWith(reason + ":", StringComparison.Ordinal))) && (string?)status?["phase"] != "Running"
            ? null : $"{status?.ToJsonString()} {string.Join("; ", events)}";
    });

    // Whether it can run is the runtime's matter; it must come to something that is told.
    private static Task EndsSomehowAsync(KubernetesClient client, string name) => Until.NothingMissesAsync($"{name} runs, or tells why not", TimeSpan.FromSeconds(90), async () =>
        (string?)(await GetAsync(client, name))["status"]?["phase"] == "Running" || (await EventsAsync(client, name)).Any(text => text.StartsWith("Failed", StringComparison.Ordinal)) ? null
            : $"{(await GetAsync(client, name))["status"]?.ToJsonString()} {string.Join("; ", await EventsAsync(client, name))}");
}
