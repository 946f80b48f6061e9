using System.Globalization;
using NodeAgent.Cri.V1;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.EndToEnd;

/// <summary>kill -9 of the agent at random instants while pods start, run and end.</summary>
[Collection(NodeCollection.Name)]
public sealed class AgentKillTests(ClusterFixture fixture)
{
    private const string Space = "kill";
    private readonly List<Pod> _deleted = [];

    private NodeCluster Cluster => fixture.Cluster;

    private string Starts => Path.Combine(Cluster.Options.Folder, "kill-starts");

    [NodeFact]
    public async Task An_agent_killed_at_random_instants_starts_no_container_twice_and_leaves_nothing()
    {
        int rounds = Number("NODE_AGENT_E2E_KILLS") ?? 8, seed = Number("NODE_AGENT_E2E_SEED") ?? Random.Shared.Next();
        Console.WriteLine($"[end-to-end] {rounds} kills, NODE_AGENT_E2E_SEED={seed}");
        try
        {
            await RunAsync(rounds, new Random(seed));
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"with NODE_AGENT_E2E_SEED={seed} NODE_AGENT_E2E_KILLS={rounds}: {e.Message}", e);
        }
    }

    private async Task RunAsync(int rounds, Random random)
    {
        Directory.CreateDirectory(Starts);
        Workloads work = await Workloads.CreateAsync(Cluster, Space);
        for (int round = 0; round < rounds; round++)
        {
            await StartAsync(work, $"runs-{round}", "Always", "trap 'exit 0' TERM; sleep 3600 & wait");
            await StartAsync(work, $"goes-{round}", "Always", "trap 'exit 0' TERM; sleep 3600 & wait");
            await StartAsync(work, $"ends-{round}", "Never", $"sleep {(random.NextDouble() * 2).ToString("F2", CultureInfo.InvariantCulture)}");
            if (round > 0)
            {
                Pod pod = await work.GetPodAsync($"goes-{round - 1}");
                _deleted.Add(pod);
                await work.DeletePodAsync(pod.Metadata.Name!);
            }
            // The instant is what this test varies; nothing is waited for.
            await Task.Delay(random.Next(0, 2500));
            await Cluster.Node.KubeletProcess.KillAsync();
            Cluster.Node.StartKubelet();
            // Every third kill hits an agent that has not recovered from the one before.
            if (random.Next(3) > 0) await ConvergesAsync(work, $"after kill {round + 1}");
        }
        await ConvergesAsync(work, "after the last kill");
        await NoneTwiceAsync(work);
        await HostTraces.GoneAsync(Cluster, _deleted);
        await HostTraces.NetworkMatchesAsync(Cluster);
        IReadOnlyList<Pod> all = await work.PodsAsync();
        await work.DeleteAsync(TimeSpan.FromSeconds(150));
        await HostTraces.GoneAsync(Cluster, all);
        await HostTraces.NetworkMatchesAsync(Cluster);
    }

    // Each start writes a line, whoever asked for it.
    private async Task StartAsync(Workloads work, string name, string policy, string script) => await work.PodAsync(name,
        Workloads.Shell($"echo $NAME >> /starts/$UID; {script}", more: """
            "env":[{"name":"UID","valueFrom":{"fieldRef":{"fieldPath":"metadata.uid"}}},{"name":"NAME","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}],
            "volumeMounts":[{"name":"starts","mountPath":"/starts"},{"name":"memory","mountPath":"/memory"}]
            """),
        $$"""
        "restartPolicy":"{{policy}}","terminationGracePeriodSeconds":2,"volumes":[{"name":"starts","hostPath":{"path":"{{Starts}}"} },
        {"name":"memory","emptyDir":{"medium":"Memory"} }]
        """);

    private Task ConvergesAsync(Workloads work, string when) => Until.NothingMissesAsync($"every pod is as wanted {when}", TimeSpan.FromSeconds(120), async () =>
    {
        IReadOnlyList<Pod> pods = await work.PodsAsync();
        Pod[] wrong = [.. pods.Where(pod => _deleted.Any(gone => gone.Metadata.Uid == pod.Metadata.Uid)
            || (pod.Spec.RestartPolicy == "Never" ? !Ended(pod) : !Workloads.IsReady(pod)))];
        return wrong.Length == 0 ? null : string.Join("; ", wrong.Select(Workloads.Describe));
    });

    // A program that may have begun is not begun again: where the runtime gave its start up, the pod has failed.
    private bool Ended(Pod pod) => pod.Status.Phase == "Succeeded" || (pod.Status.Phase == "Failed" && Cluster.Runtime.StartsGivenUp(pod.Metadata.Uid!) > 0);

    private async Task NoneTwiceAsync(Workloads work)
    {
        List<string> wrong = [];
        IReadOnlyList<Pod> pods = await work.PodsAsync();
        foreach (Pod pod in pods)
        {
            int restarts = pod.Status.ContainerStatuses.Single().RestartCount, starts = StartsOf(pod), givenUp = Cluster.Runtime.StartsGivenUp(pod.Metadata.Uid!);
            if (restarts > givenUp) wrong.Add($"{pod.Metadata.Name}: {restarts} restarts counted, {givenUp} starts given up by the runtime");
            if ((starts < 1 && givenUp == 0) || starts > 1 + givenUp) wrong.Add($"{pod.Metadata.Name}: started {starts} times, {givenUp} starts given up by the runtime");
        }
        wrong.AddRange(_deleted.Where(pod => StartsOf(pod) > 1 + Cluster.Runtime.StartsGivenUp(pod.Metadata.Uid!)).Select(pod => $"{pod.Metadata.Name} (deleted): started {StartsOf(pod)} times"));
        IEnumerable<Container> containers = (await Cluster.Runtime.Runtime.ListContainersAsync(new ListContainersRequest(), CancellationToken.None)).Containers
            .Where(container => container.Labels.GetValueOrDefault("io.kubernetes.pod.namespace") == Space);
        wrong.AddRange(containers.GroupBy(container => container.Labels["io.kubernetes.pod.name"])
            .Where(group => group.Count() > 1 + Cluster.Runtime.StartsGivenUp(group.First().Labels["io.kubernetes.pod.uid"]))
            .Select(group => $"{group.Key}: containers {string.Join(", ", group.Select(container => $"{container.Metadata.Attempt} {container.State}"))}"));
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private int StartsOf(Pod pod) => Path.Combine(Starts, pod.Metadata.Uid!) is var path && File.Exists(path) ? File.ReadLines(path).Count() : 0;

    private static int? Number(string variable) => int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int number) ? number : null;
}
