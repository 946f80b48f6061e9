using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Harness;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using Xunit.Abstractions;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.EndToEnd.Switching;

/// <summary>A node with pods of every shape changes hands between the Go kubelet and this agent, on the same files, and no pod notices.</summary>
[Collection(NodeCollection.Name)]
public sealed class KubeletSwitchTests(ClusterFixture fixture, ITestOutputHelper output)
{
    internal const string Go = "Go";
    private const string Ours = "ours";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(150);
    private static readonly string[] StaticPods = ["static", "static-host"];
    private readonly Dictionary<string, Pod> _known = [];
    private string _space = "";

    private NodeCluster Cluster => fixture.Cluster;

    private string HostFolder => Path.Combine(Cluster.Options.Folder, "switch-host");

    [GoKubeletTheory]
    [InlineData(Go, Ours, Go)]
    [InlineData(Ours, Go, Ours)]
    public async Task A_node_changes_hands_twice_and_no_pod_notices(string first, string second, string third)
    {
        _space = $"switch-{first}-{second}".ToLowerInvariant();
        await Cluster.Node.KubeletProcess.StopAsync(TimeSpan.FromSeconds(30));
        Start(first);
        try
        {
            Workloads work = await Workloads.CreateAsync(Cluster, _space);
            IReadOnlyList<SwitchShape> shapes = await PopulateAsync(work);
            await HandOverAsync(work, shapes, first, second, 100);
            await HandOverAsync(work, shapes, second, third, 150);
            await ClearAsync(work);
        }
        catch (Exception)
        {
            // What it made must not be in the next test's way.
            await Cluster.Client.RawAsync(HttpMethod.Delete, $"/api/v1/namespaces/{_space}");
            throw;
        }
        finally
        {
            foreach (string name in StaticPods) File.Delete(ManifestOf(name));
            if (ChildProcess.Find(Cluster.Options.Folder, "kubelet") is { } kubelet) await kubelet.StopAsync(TimeSpan.FromSeconds(30));
            Cluster.Node.StartKubelet();
        }
    }

    private void Start(string kubelet) => Cluster.Node.StartKubeletOf(kubelet == Go
        ? KubeletProgram.Go(Requirements.Kubernetes("kubelet")!) : KubeletProgram.Agent(Ours, Requirements.AgentProgram));

    private async Task<IReadOnlyList<SwitchShape>> PopulateAsync(Workloads work)
    {
        Directory.CreateDirectory(HostFolder);
        await File.WriteAllTextAsync(Path.Combine(HostFolder, "file"), "of the host");
        await work.PostAsync($"/api/v1/namespaces/{_space}/configmaps", """{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"},"data":{"mode":"0"} }""");
        await work.PostAsync($"/api/v1/namespaces/{_space}/secrets", """{"apiVersion":"v1","kind":"Secret","metadata":{"name":"keys"},"stringData":{"key":"k"} }""");
        IReadOnlyList<SwitchShape> shapes = SwitchShape.All(HostFolder);
        foreach (string name in StaticPods) WriteManifest(name, name == "static-host");
        await work.HelloAsync(3);
        await work.HelloServiceAsync();
        foreach (SwitchShape shape in shapes) await work.PodAsync(shape.Name, shape.Containers, shape.Spec, "\"shape\":\"given\"");
        await SettledAsync(work, shapes);
        await PatchAsync($"pods/{SwitchShape.Debugged}/ephemeralcontainers", $$"""{"spec":{"ephemeralContainers":[ {{Workloads.Shell("sleep 100000", "look")}} ]} }""");
        await ResizeAsync(work, 75);
        await SettledAsync(work, shapes);
        await AgedAsync(work);
        return shapes;
    }

    // A kubelet takes what probes had found over for containers only that had run for 10 s when it started.
    private static Task AgedAsync(Workloads work) => Until.NothingMissesAsync("every container has run for 12 s", Limit, async () =>
    {
        DateTimeOffset late = DateTimeOffset.UtcNow - TimeSpan.FromSeconds(12);
        string[] young = [.. (await work.PodsAsync()).Where(pod => pod.Status.ContainerStatuses.Concat(pod.Status.InitContainerStatuses).Any(status => status.State?.Running?.StartedAt > late)).Select(pod => pod.Metadata.Name!)];
        return young.Length == 0 ? null : string.Join(", ", young);
    });

    private async Task HandOverAsync(Workloads work, IReadOnlyList<SwitchShape> shapes, string from, string to, int cpu)
    {
        Assert.True(await Cluster.Node.KubeletProcess.StopAsync(TimeSpan.FromSeconds(30)), $"{from} did not end in time");
        HashSet<string> steady = [.. (await work.PodsAsync()).Where(pod => Workloads.IsReady(pod) && pod.Metadata.Name != SwitchShape.Looping).Select(pod => pod.Metadata.Name!)];
        await using ReadyWatch watch = await ReadyWatch.StartAsync(Cluster.Client, _space, steady);
        NodeSnapshot before = await NodeSnapshot.OfAsync(Cluster, work);
        LoopingPod looping = await LoopingPod.OfAsync(Cluster, work);
        Start(to);
        await TakenOverAsync(work, shapes, to);
        NodeSnapshot after = await NodeSnapshot.OfAsync(Cluster, work);
        string[] all = [.. before.DifferencesTo(after)], wrong = [.. all.Where(difference => !ExpectedDifferences.Allow(from, to, difference)), .. await looping.ForgottenAsync(Cluster, work, waitsOn: to == Ours)];
        foreach (string difference in all.Except(wrong)) output.WriteLine($"{from} → {to}: expected: {difference}");
        Assert.True(wrong.Length == 0, $"{from} → {to}:\n{string.Join('\n', wrong)}");
        AssertSteady(from, to, watch);

        // What it has taken over it can also change: the records of what was allocated and carried out are read.
        await ResizeAsync(work, cpu);
        AssertSteady(from, to, watch);
    }

    private static void AssertSteady(string from, string to, ReadyWatch watch)
    {
        string[] flaps = [.. watch.Flaps.Where(flap => !ExpectedDifferences.AllowFlap(to, flap))];
        Assert.True(flaps.Length == 0, $"{from} → {to}: readiness was lost:\n{string.Join('\n', flaps)}");
    }

    /// <summary>
    /// The new kubelet has looked at every pod once each has a status of a generation that came after its start; a pod that has ended
    /// is not looked at again, and static pods have none: for them a pod of its own that starts and goes has to do.
    /// </summary>
    private async Task TakenOverAsync(Workloads work, IReadOnlyList<SwitchShape> shapes, string kubelet)
    {
        Dictionary<string, long> wanted = [];
        foreach (Pod pod in (await work.PodsAsync()).Where(pod => pod.Status.Phase is "Running" or "Pending" && !pod.Metadata.Annotations.ContainsKey("kubernetes.io/config.mirror")))
        {
            JsonNode changed = await PatchAsync($"pods/{pod.Metadata.Name}", $$"""[{"op":"add","path":"/spec/tolerations/-","value":{"key":"taken-over-{{Guid.NewGuid():N}}","operator":"Exists"} }]""", "application/json-patch+json");
            wanted[pod.Metadata.Name!] = (long)changed["metadata"]!["generation"]!;
        }

        await work.PodAsync("new", Workloads.Shell("sleep 3600"), "\"terminationGracePeriodSeconds\":1");
        await work.ReadyAsync("new", Limit);
        await work.DeletePodAsync("new");
        await work.GoneAsync("new", Limit);
        await Until.NothingMissesAsync($"{kubelet} has looked at every pod", Limit, async () =>
        {
            string[] late = [.. (await work.PodsAsync()).Where(pod => wanted.TryGetValue(pod.Metadata.Name!, out long generation) && !(pod.Status.ObservedGeneration >= generation)).Select(Workloads.Describe)];
            return late.Length == 0 ? null : string.Join("; ", late);
        });
        await SettledAsync(work, shapes);
    }

    private Task SettledAsync(Workloads work, IReadOnlyList<SwitchShape> shapes) => Until.NothingMissesAsync("every pod is what it becomes", Limit, async () =>
    {
        IReadOnlyList<Pod> pods = await work.PodsAsync();
        foreach (Pod pod in pods) _known[pod.Metadata.Uid!] = pod;
        Dictionary<string, SwitchShape> byName = shapes.ToDictionary(shape => shape.Name);
        string[] wrong =
        [
            .. byName.Keys.Concat(StaticPods.Select(NameOf)).Except(pods.Select(pod => pod.Metadata.Name!)).Select(name => "missing: " + name),
            .. pods.Select(pod => byName.TryGetValue(pod.Metadata.Name!, out SwitchShape? shape) ? shape.Misses(pod) : Workloads.IsReady(pod) ? null : Workloads.Describe(pod)).OfType<string>(),
        ];
        return wrong.Length == 0 ? null : string.Join("; ", wrong);
    });

    private async Task ResizeAsync(Workloads work, int cpu)
    {
        await PatchAsync($"pods/{SwitchShape.Resized}/resize", $$"""{"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"{{cpu}}m"},"limits":{"cpu":"{{2 * cpu}}m"} } }]} }""");
        await work.PodIsAsync(SwitchShape.Resized, $"has {cpu}m", Limit, pod => pod.Status.ContainerStatuses.Single() is { RestartCount: 0 } main
            && main.Resources?.Requests.GetValueOrDefault("cpu").ToString() == $"{cpu}m" && main.Resources.Limits.GetValueOrDefault("cpu").ToString() == $"{2 * cpu}m"
            && pod.Status.Conditions.All(condition => !condition.Type.StartsWith("PodResize", StringComparison.Ordinal)));
    }

    private async Task ClearAsync(Workloads work)
    {
        foreach (string name in StaticPods) File.Delete(ManifestOf(name));
        await work.DeleteAsync(TimeSpan.FromSeconds(180));
        await HostTraces.GoneAsync(Cluster, _known.Values);
        await HostTraces.NetworkMatchesAsync(Cluster);
        string pods = Path.Combine(Cluster.Node.RootFolder, "pods");
        await Until.HoldsAsync("no pod's folder is left", Limit, () => Task.FromResult(!Directory.EnumerateFileSystemEntries(pods).Any()));
    }

    private async Task<JsonNode> PatchAsync(string what, string patch, string kind = "application/strategic-merge-patch+json") =>
        JsonNode.Parse(await Cluster.Client.RawAsync(HttpMethod.Patch, $"/api/v1/namespaces/{_space}/{what}", Encoding.UTF8.GetBytes(patch), kind))!;

    private string NameOf(string name) => $"{name}-{Cluster.Options.NodeName}";

    private string ManifestOf(string name) => Path.Combine(Cluster.Node.ManifestFolder, $"{name}.yaml");

    private void WriteManifest(string name, bool onHost)
    {
        string hidden = Path.Combine(Cluster.Node.ManifestFolder, $".{name}.tmp");
        File.WriteAllText(hidden, $$"""
            apiVersion: v1
            kind: Pod
            metadata:
              name: {{name}}
              namespace: {{_space}}
              labels: {app: {{name}}}
            spec:
              hostNetwork: {{(onHost ? "true" : "false")}}
              priorityClassName: system-node-critical
              terminationGracePeriodSeconds: 5
              containers:
              - {{Workloads.Shell("trap 'exit 0' TERM; sleep 100000 & wait", more: "\"resources\":{\"requests\":{\"cpu\":\"10m\"}},\"readinessProbe\":{\"exec\":{\"command\":[\"true\"]},\"periodSeconds\":1},\"volumeMounts\":[{\"name\":\"etc\",\"mountPath\":\"/host\",\"readOnly\":true}]")}}
              volumes:
              - name: etc
                hostPath: {path: {{HostFolder}}, type: DirectoryOrCreate}
            """);
        File.Move(hidden, ManifestOf(name), overwrite: true);
    }
}
