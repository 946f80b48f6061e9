using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Cri.V1;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Objects;
using Container = NodeAgent.Cri.V1.Container;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.EndToEnd;

/// <summary>The control plane dies and comes back; what runs here goes on meanwhile.</summary>
[Collection(NodeCollection.Name)]
public sealed class ControlPlaneOutageTests(ClusterFixture fixture)
{
    private const string Space = "away";
    private const int NodePort = 30599;
    private static readonly TimeSpan CorrectWithin = TimeSpan.FromSeconds(10);

    private NodeCluster Cluster => fixture.Cluster;

    [NodeFact]
    public async Task The_control_plane_dies_and_comes_back()
    {
        Workloads work = await Workloads.CreateAsync(Cluster, Space);
        await work.HelloAsync(3);
        await work.PostAsync($"/apis/policy/v1/namespaces/{Space}/poddisruptionbudgets",
            """{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"hello"},"spec":{"minAvailable":2,"selector":{"matchLabels":{"app":"hello"}}}}""");
        (string address, _) = await work.HelloServiceAsync(NodePort);
        await work.PodAsync("client", Workloads.Shell("sleep 3600"), "\"terminationGracePeriodSeconds\":1");
        IReadOnlyList<Pod> before = await work.AllReadyAsync(3, "app=hello");
        string client = ContainerId(await work.ReadyAsync("client"));
        HashSet<string> names = [.. before.Select(pod => pod.Metadata.Name!)];
        await AnswersAsync("before");

        await Cluster.Control.KillAsync();
        Pod victim = before[0];
        string id = ContainerId(victim);
        await AnswersAsync("while the control plane is away");
        await Tool.MustAsync("ctr", "--address", Cluster.Runtime.Socket, "-n", "k8s.io", "tasks", "kill", "-s", "KILL", id);
        Container next = await Until.FoundAsync("the killed container runs again on this node", TimeSpan.FromSeconds(60), async () =>
        {
            IReadOnlyList<Container> running = await RunningAsync(victim.Metadata.Uid!);
            return (running.FirstOrDefault(container => container.Id != id), $"{running.Count} running");
        });
        Assert.Single(await RunningAsync(victim.Metadata.Uid!));
        await AnswersAsync("after the restart, while the control plane is away");

        await Cluster.Control.StartApiServerAsync();
        DateTimeOffset readyAt = DateTimeOffset.UtcNow;
        Stopwatch back = Stopwatch.StartNew();
        await work.PodIsAsync(victim.Metadata.Name!, "one restart counted and Ready", CorrectWithin,
            pod => pod.Status.ContainerStatuses.Single() is { RestartCount: 1, LastState.Terminated.ExitCode: 137 } status
                && status.ContainerID!.EndsWith(next.Id, StringComparison.Ordinal) && Workloads.IsReady(pod));
        await Cluster.NodeIsAsync(ready: true, Left(back));
        Console.WriteLine($"[end-to-end] pod and node status correct {back.Elapsed.TotalSeconds:F1} s after /readyz");
        await Cluster.Control.ControllersAreBackAsync();
        back.Restart();
        IReadOnlyList<Pod> after = await work.AllReadyAsync(3, "app=hello", CorrectWithin);
        await EndpointsAsync(work, after, Left(back));
        Console.WriteLine($"[end-to-end] endpoints correct {back.Elapsed.TotalSeconds:F1} s after the controllers were back");
        Assert.Equal(before.Select(pod => pod.Metadata.Uid).Order(), after.Select(pod => pod.Metadata.Uid).Order());
        Assert.Equal(1, after.Sum(pod => pod.Status.ContainerStatuses.Single().RestartCount));
        await AnswersAsync("afterwards");
        // The lease is renewed every 10 s.
        await NodeHeartbeatAsync(readyAt, TimeSpan.FromSeconds(20));
        await work.DeleteAsync();

        async Task AnswersAsync(string when)
        {
            await ServiceTests.EveryoneAnswersAsync($"through the ClusterIP from the host {when}", names, () => ServiceTests.FromHostAsync($"http://{address}/"));
            await ServiceTests.EveryoneAnswersAsync($"through the NodePort from the host {when}", names, () => ServiceTests.FromHostAsync($"http://{Cluster.Address}:{NodePort}/"));
            await ServiceTests.EveryoneAnswersAsync($"through the ClusterIP from a pod {when}", names, () => AskAsync(client, address, 80));
        }
    }

    // Through the runtime: no API server is needed for it.
    private async Task<string> AskAsync(string container, string address, int port)
    {
        ExecSyncRequest request = new() { ContainerId = container, Timeout = 5 };
        request.Cmd.Add(["ask", address, port.ToString(CultureInfo.InvariantCulture)]);
        ExecSyncResponse answer = await Cluster.Runtime.Runtime.ExecSyncAsync(request, CancellationToken.None);
        return answer.ExitCode == 0 ? answer.Stdout.ToStringUtf8().Trim() : throw new InvalidOperationException(answer.Stderr.ToStringUtf8());
    }

    // A status from before the outage would pass for correct: the lease shows that the node has spoken since.
    private Task NodeHeartbeatAsync(DateTimeOffset since, TimeSpan limit) => Until.NothingMissesAsync("the node has spoken since and is Ready", limit, async () =>
    {
        JsonNode lease = JsonNode.Parse(Encoding.UTF8.GetString(
            await Cluster.Client.RawAsync(HttpMethod.Get, $"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{Cluster.Options.NodeName}")))!;
        DateTimeOffset renewed = DateTimeOffset.Parse((string)lease["spec"]!["renewTime"]!, CultureInfo.InvariantCulture);
        NodeCondition ready = (await Cluster.Client.GetAsync<Node>(null, Cluster.Options.NodeName)).Status!.Conditions.Single(condition => condition.Type == "Ready");
        return renewed >= since && ready.Status == "True" ? null : $"renewed {renewed:O} (wanted since {since:O}), Ready {ready.Status} {ready.Message}";
    });

    private static Task EndpointsAsync(Workloads work, IReadOnlyList<Pod> pods, TimeSpan limit) => Until.NothingMissesAsync("the endpoints are the Ready pods", limit, async () =>
    {
        JsonNode slices = await work.GetJsonAsync($"/apis/discovery.k8s.io/v1/namespaces/{Space}/endpointslices?labelSelector=kubernetes.io/service-name=hello");
        string[] found = [.. slices["items"]!.AsArray().SelectMany(slice => slice!["endpoints"]!.AsArray())
            .Where(endpoint => (bool)endpoint!["conditions"]!["ready"]!).Select(endpoint => (string)endpoint!["addresses"]![0]!).Order()];
        string[] wanted = [.. pods.Select(pod => pod.Status.PodIP!).Order()];
        return found.SequenceEqual(wanted) ? null : $"found {string.Join(' ', found)}, wanted {string.Join(' ', wanted)}";
    });

    private static TimeSpan Left(Stopwatch watch) => CorrectWithin - watch.Elapsed is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero;

    private static string ContainerId(Pod pod) => pod.Status.ContainerStatuses.Single().ContainerID!.Split("//")[1];

    private async Task<IReadOnlyList<Container>> RunningAsync(string uid) =>
        [.. (await Cluster.Runtime.Runtime.ListContainersAsync(new ListContainersRequest(), CancellationToken.None)).Containers
            .Where(container => container.State == NodeAgent.Cri.V1.ContainerState.ContainerRunning && container.Labels["io.kubernetes.pod.uid"] == uid)];
}
