using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.EndToEnd;

[Collection(NodeCollection.Name)]
public sealed class ServiceTests(ClusterFixture fixture)
{
    private static readonly HttpClient Http = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero, UseProxy = false })
    {
        Timeout = TimeSpan.FromSeconds(3),
    };

    private NodeCluster Cluster => fixture.Cluster;

    [NodeFact]
    public async Task A_Deployment_of_three_answers_through_ClusterIP_and_NodePort_from_host_and_pod()
    {
        Workloads work = await Workloads.CreateAsync(Cluster, "hello");
        await work.HelloAsync(3);
        (string address, int port) = await work.HelloServiceAsync();
        IReadOnlyList<Pod> pods = await work.AllReadyAsync(3);
        HashSet<string> names = [.. pods.Select(pod => pod.Metadata.Name!)];
        await EveryoneAnswersAsync("from the host through the ClusterIP", names, () => FromHostAsync($"http://{address}/"));
        await EveryoneAnswersAsync("from the host through the NodePort", names, () => FromHostAsync($"http://{Cluster.Address}:{port}/"));

        await work.PodAsync("client", Workloads.Shell("sleep 3600"), "\"terminationGracePeriodSeconds\":1");
        await work.ReadyAsync("client");
        await EveryoneAnswersAsync("from a pod through the ClusterIP", names, () => FromPodAsync("client", address, 80));
        await EveryoneAnswersAsync("from a pod through the NodePort", names, () => FromPodAsync("client", Cluster.Address.ToString(), port));
        // Hairpin: a backend reaches itself through its own Service.
        string backend = pods[0].Metadata.Name!;
        await EveryoneAnswersAsync("from a backend through its own Service", names, () => FromPodAsync(backend, address, 80));
        await work.DeleteAsync();

        Task<string> FromPodAsync(string pod, string host, int at) => work.AskFromAsync(pod, host, at);
    }

    [NodeFact]
    public async Task Rules_follow_when_scaled_from_3_to_10_to_1_to_0()
    {
        Workloads work = await Workloads.CreateAsync(Cluster, "scale");
        await work.HelloAsync(3);
        (string address, _) = await work.HelloServiceAsync();
        foreach (int count in new[] { 3, 10, 1 })
        {
            await work.ScaleAsync("hello-server", count);
            IReadOnlyList<Pod> pods = await work.AllReadyAsync(count, "app=hello", TimeSpan.FromSeconds(120));
            await RulesNameAsync(work, pods);
            await EveryoneAnswersAsync($"at {count}", [.. pods.Select(pod => pod.Metadata.Name!)], () => FromHostAsync($"http://{address}/"));
        }
        await work.ScaleAsync("hello-server", 0);
        await work.AllReadyAsync(0, "app=hello");
        await Until.NothingMissesAsync("a Service without endpoints refuses", TimeSpan.FromSeconds(20), async () =>
        {
            try
            {
                return $"answered {await FromHostAsync($"http://{address}/")}";
            }
            catch (HttpRequestException e)
            {
                return e.InnerException is System.Net.Sockets.SocketException { SocketErrorCode: System.Net.Sockets.SocketError.ConnectionRefused } ? null : e.Message;
            }
        });
        await work.DeleteAsync();
        await Until.NothingMissesAsync("no rule names the Service", TimeSpan.FromSeconds(60), async () =>
        {
            string[] left = [.. (await Tool.MustAsync("iptables-save")).Lines.Where(line => line.Contains("scale/hello", StringComparison.Ordinal) || line.Contains(address + "/32", StringComparison.Ordinal))];
            return left.Length == 0 ? null : string.Join('\n', left);
        });
    }

    private static async Task RulesNameAsync(Workloads work, IReadOnlyList<Pod> pods) => await Until.NothingMissesAsync("one endpoint chain for each pod", TimeSpan.FromSeconds(20), async () =>
    {
        string[] rules = [.. (await Tool.MustAsync("iptables-save", "-t", "nat")).Lines.Where(line => line.Contains("scale/hello", StringComparison.Ordinal) && line.Contains("--to-destination", StringComparison.Ordinal))];
        string[] wanted = [.. pods.Select(pod => $"{pod.Status.PodIP}:8080").Order()];
        string[] found = [.. rules.Select(rule => rule.Split("--to-destination ")[1].Trim()).Order()];
        return wanted.SequenceEqual(found) ? null
            : $"wanted {string.Join(' ', wanted)}, found {string.Join(' ', found)}; the API has {await work.GetJsonAsync("/apis/discovery.k8s.io/v1/namespaces/scale/endpointslices")}";
    });

    internal static async Task EveryoneAnswersAsync(string what, HashSet<string> names, Func<Task<string>> ask)
    {
        HashSet<string> answered = [];
        await Until.NothingMissesAsync($"every replica answers {what}", TimeSpan.FromSeconds(45), async () =>
        {
            answered.Add(await ask());
            return answered.IsSupersetOf(names) ? null : $"answered: {string.Join(", ", answered)}; wanted: {string.Join(", ", names)}";
        });
    }

    internal static async Task<string> FromHostAsync(string url) => (await Http.GetStringAsync(url)).Trim();
}
