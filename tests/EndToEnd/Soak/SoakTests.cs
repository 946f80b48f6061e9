using System.Diagnostics;
using System.Globalization;
using System.Text;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.EndToEnd.Soak;

/// <summary>
/// A seeded sequence of everything that happens to a node: pods of every shape come, change and go, the agent and the runtime die.
/// NODE_AGENT_E2E_SOAK is its length in seconds, NODE_AGENT_E2E_SEED repeats a run.
/// </summary>
[Collection(NodeCollection.Name)]
public sealed class SoakTests(ClusterFixture fixture)
{
    private const string Space = "soak";
    private const int Most = 14;
    private static readonly TimeSpan Converged = TimeSpan.FromSeconds(150);
    private readonly Dictionary<string, PodShape> _wanted = [];
    private readonly Dictionary<string, Pod> _known = [];
    private readonly List<string> _told = [];
    private string[] _failing = [];
    private int _made;

    private NodeCluster Cluster => fixture.Cluster;

    [NodeFact]
    public async Task Whatever_happens_to_a_node_for_a_while_leaves_it_as_clean_as_before()
    {
        int seconds = Number("NODE_AGENT_E2E_SOAK") ?? 100, seed = Number("NODE_AGENT_E2E_SEED") ?? Random.Shared.Next();
        Console.WriteLine($"[end-to-end] soak of {seconds} s, NODE_AGENT_E2E_SEED={seed}");
        try
        {
            await RunAsync(TimeSpan.FromSeconds(seconds), new Random(seed));
        }
        catch (Exception e)
        {
            string log = Cluster.Runtime.LogTailOf(_failing.Length > 0 ? _failing : _known.Keys);
            throw new InvalidOperationException($"with NODE_AGENT_E2E_SEED={seed} NODE_AGENT_E2E_SOAK={seconds}: {e.Message}\nwhat was done, the last first: {string.Join("; ", _told.AsEnumerable().Reverse().Take(40))}\nwhat containerd says of these pods:\n{log}", e);
        }
    }

    private async Task RunAsync(TimeSpan length, Random random)
    {
        Workloads work = await Workloads.CreateAsync(Cluster, Space);
        await work.PostAsync($"/api/v1/namespaces/{Space}/configmaps", """{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"},"data":{"mode":"0"} }""");
        await work.PostAsync($"/api/v1/namespaces/{Space}/secrets", """{"apiVersion":"v1","kind":"Secret","metadata":{"name":"keys"},"stringData":{"key":"k"} }""");
        foreach (PodShape shape in PodShape.All) await MakeAsync(work, shape);
        Stopwatch watch = Stopwatch.StartNew();
        while (watch.Elapsed < length * 2 / 3) await RoundAsync(work, random, mayKill: true);

        // From here on the agent lives: what it holds may not grow.
        long before = await MemoryAsync();
        while (watch.Elapsed < length) await RoundAsync(work, random, mayKill: false);
        long after = await MemoryAsync();
        Console.WriteLine($"[end-to-end] soak: {_made} pods, {_told.Count} acts; the agent's own memory {before} KiB, in the end {after} KiB");
        Assert.True(after < before + (before / 4) + (24 << 10), $"the agent's own memory grew from {before} to {after} KiB");

        await work.DeleteAsync(TimeSpan.FromSeconds(180));
        await HostTraces.GoneAsync(Cluster, _known.Values);
        await HostTraces.NetworkMatchesAsync(Cluster);
        await Cluster.NodeIsAsync(ready: true, TimeSpan.FromSeconds(30));
    }

    // Some acts one upon the other, then everything has to become as it should be.
    private async Task RoundAsync(Workloads work, Random random, bool mayKill)
    {
        for (int acts = random.Next(4, 12); acts > 0; acts--)
        {
            await ActAsync(work, random, mayKill);
            // When the next thing happens is what this varies; nothing is waited for.
            await Task.Delay(random.Next(0, 600));
        }

        await Until.NothingMissesAsync("every pod is what it should become", Converged, async () =>
        {
            IReadOnlyList<Pod> pods = await work.PodsAsync();
            foreach (Pod pod in pods) _known[pod.Metadata.Uid!] = pod;
            (string? Uid, string What)[] wrong =
            [
                .. pods.Where(pod => !_wanted.ContainsKey(pod.Metadata.Name!)).Select(pod => (pod.Metadata.Uid, "still there: " + Workloads.Describe(pod))),
                .. _wanted.Keys.Except(pods.Select(pod => pod.Metadata.Name!)).Select(name => (_known.Values.FirstOrDefault(pod => pod.Metadata.Name == name)?.Metadata.Uid, "missing: " + name)),
                .. pods.Where(pod => _wanted.ContainsKey(pod.Metadata.Name!)).Select(pod => (Pod: pod, What: _wanted[pod.Metadata.Name!].Misses(pod, () => Cluster.Runtime.StartsGivenUp(pod.Metadata.Uid!)))).Where(pair => pair.What is not null)
                    .Select(pair => (pair.Pod.Metadata.Uid, $"{pair.What}: {Workloads.Describe(pair.Pod)}")),
            ];
            _failing = [.. wrong.Select(pair => pair.Uid).OfType<string>()];
            return wrong.Length == 0 ? null : string.Join("; ", wrong.Select(pair => pair.What));
        });
    }

    private async Task ActAsync(Workloads work, Random random, bool mayKill)
    {
        switch (random.Next(mayKill ? 20 : 18))
        {
            case < 9 when _wanted.Count < Most:
                await MakeAsync(work, PodShape.All[random.Next(PodShape.All.Count)]);
                break;
            case < 14 when _wanted.Count > 0:
                await DropAsync(work, _wanted.Keys.Order(StringComparer.Ordinal).ElementAt(random.Next(_wanted.Count)), random.Next(4) switch { 0 => 0, 1 => 3, _ => null });
                break;
            case 14 or 15 when _wanted.Count > 0:
                string name = _wanted.Keys.Order(StringComparer.Ordinal).ElementAt(random.Next(_wanted.Count));
                await PatchAsync($"pods/{name}", $$"""{"metadata":{"labels":{"turn":"{{_told.Count}}"} } }""");
                break;
            case 16 or 17:
                await PatchAsync("configmaps/settings", $$"""{"data":{"mode":"{{_told.Count}}"} }""");
                break;
            case 18:
                _told.Add("kill -9 of the agent");
                await Cluster.Node.KubeletProcess.KillAsync();
                Cluster.Node.StartKubelet();
                break;
            case 19:
                _told.Add("containerd restarts");
                await Cluster.Runtime.Process.KillAsync();
                await Cluster.Runtime.RestartAsync();
                break;
            default:
                break;
        }
    }

    private async Task MakeAsync(Workloads work, PodShape shape)
    {
        string name = $"{shape.Name}-{++_made}";
        _told.Add("create " + name);
        await work.PodAsync(name, shape.Container, shape.Spec);
        _wanted.Add(name, shape);
        Pod pod = await work.GetPodAsync(name);
        _known[pod.Metadata.Uid!] = pod;
    }

    private async Task DropAsync(Workloads work, string name, int? grace)
    {
        _told.Add($"delete {name}{(grace is { } seconds ? $" with grace {seconds}" : "")}");
        _wanted.Remove(name);
        await work.DeletePodAsync(name, grace);
    }

    private async Task PatchAsync(string what, string patch)
    {
        _told.Add("change " + what);
        await Cluster.Client.RawAsync(HttpMethod.Patch, $"/api/v1/namespaces/{Space}/{what}", Encoding.UTF8.GetBytes(patch), "application/merge-patch+json");
    }

    private async Task<long> MemoryAsync()
    {
        string line = (await File.ReadAllLinesAsync($"/proc/{Cluster.Node.KubeletProcess.Id}/status")).Single(text => text.StartsWith("RssAnon:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)[^2].Split('\t')[^1], CultureInfo.InvariantCulture);
    }

    private static int? Number(string variable) => int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int number) ? number : null;
}
