using System.Diagnostics;
using System.Text;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;

namespace NodeAgent.EndToEnd;

/// <summary>A thousand Services of five endpoints each on the joined node, and what one change sends to iptables-restore.</summary>
[Collection(NodeCollection.Name)]
public sealed class ManyServicesTests(ClusterFixture fixture)
{
    private const string Space = "mass";
    private const int Services = 1000, Endpoints = 5, AtOnce = 24;

    private NodeCluster Cluster => fixture.Cluster;

    private string Sent => Path.Combine(Cluster.Options.Folder, "restored");

    [NodeFact]
    public async Task A_thousand_Services_are_programmed_and_one_change_rewrites_none_of_the_others()
    {
        await RestartProxyAsync(Recorder());
        Workloads work = await Workloads.CreateAsync(Cluster, Space);
        Stopwatch watch = Stopwatch.StartNew();
        await Parallel.ForEachAsync(Enumerable.Range(0, Services), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (number, _) =>
        {
            await work.PostAsync($"/api/v1/namespaces/{Space}/services",
                $$"""{"apiVersion":"v1","kind":"Service","metadata":{"name":"s-{{number}}"},"spec":{"ports":[{"port":80,"targetPort":8080}]} }""");
            await work.PostAsync($"/apis/discovery.k8s.io/v1/namespaces/{Space}/endpointslices", Slice(number));
        });
        TimeSpan created = watch.Elapsed;
        await Until.NothingMissesAsync("every endpoint has its rule", TimeSpan.FromSeconds(120), async () =>
        {
            int rules = (await EndpointRulesAsync()).Count();
            return rules == Services * Endpoints ? null : $"{rules} of {Services * Endpoints}";
        });
        Console.WriteLine($"[end-to-end] {Services} Services x {Endpoints} made in {created.TotalSeconds:F1} s, in the kernel after {watch.Elapsed.TotalSeconds:F1} s");

        HashSet<string> before = [.. Directory.EnumerateFiles(Sent)];
        watch.Restart();
        await Cluster.Client.RawAsync(HttpMethod.Patch, $"/apis/discovery.k8s.io/v1/namespaces/{Space}/endpointslices/s-500",
            Encoding.UTF8.GetBytes("""[{"op":"replace","path":"/endpoints/0/addresses","value":["10.213.250.250"]}]"""), "application/json-patch+json");
        await Until.HoldsAsync("the changed endpoint has its rule", TimeSpan.FromSeconds(30), async () =>
            (await EndpointRulesAsync()).Any(line => line.Contains("10.213.250.250:8080", StringComparison.Ordinal)));
        TimeSpan changed = watch.Elapsed;
        string[] lines = [.. Directory.EnumerateFiles(Sent).Where(path => !before.Contains(path)).Order().SelectMany(File.ReadLines)];
        Assert.Contains(lines, line => line.Contains("10.213.250.250:8080", StringComparison.Ordinal));
        // Chains of one Service: declared, filled or removed. The list of all Services is one chain and may be written whole.
        string[] others = [.. lines.Where(line => line.Contains($"\"{Space}/s-", StringComparison.Ordinal) && !line.Contains($"\"{Space}/s-500", StringComparison.Ordinal)
            && !line.StartsWith("-A KUBE-SERVICES ", StringComparison.Ordinal))];
        Assert.True(others.Length == 0, $"{others.Length} rules of other Services were sent, the first is {others.FirstOrDefault()}");
        int chains = lines.Count(line => line.StartsWith(":KUBE-SVC-", StringComparison.Ordinal) || line.StartsWith(":KUBE-SEP-", StringComparison.Ordinal));
        Assert.InRange(chains, 1, 3 * (Endpoints + 2));
        Console.WriteLine($"[end-to-end] one change: in the kernel after {changed.TotalSeconds:F1} s, {lines.Length} lines sent, {chains} chains");

        await work.DeleteAsync(TimeSpan.FromSeconds(180));
        await Until.NothingMissesAsync("no rule or chain of the Services is left", TimeSpan.FromSeconds(120), async () =>
        {
            string[] nat = [.. (await Tool.MustAsync("iptables-save", "-t", "nat")).Lines];
            int rules = nat.Count(line => line.Contains($"\"{Space}/", StringComparison.Ordinal));
            int left = nat.Count(line => line.StartsWith(":KUBE-SEP-", StringComparison.Ordinal) || line.StartsWith(":KUBE-SVC-", StringComparison.Ordinal));
            int jumps = nat.Where(line => line.StartsWith("-A KUBE-S", StringComparison.Ordinal)).Select(line => line.Split(" -j ")[^1].Split(' ')[0])
                .Where(chain => chain.StartsWith("KUBE-SVC-", StringComparison.Ordinal) || chain.StartsWith("KUBE-SEP-", StringComparison.Ordinal)).Distinct().Count();
            return rules == 0 && left == jumps ? null : $"{rules} rules, {left} chains of which {jumps} are used";
        });
        await RestartProxyAsync(null);
    }

    private static string Slice(int number)
    {
        IEnumerable<string> endpoints = Enumerable.Range(number * Endpoints, Endpoints)
            .Select(index => $$"""{"addresses":["10.213.{{(index / 200) + 1}}.{{(index % 200) + 1}}"],"conditions":{"ready":true} }""");
        return $$"""
            {"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","addressType":"IPv4","ports":[{"name":"","port":8080,"protocol":"TCP"}],
             "metadata":{"name":"s-{{number}}","labels":{"kubernetes.io/service-name":"s-{{number}}","endpointslice.kubernetes.io/managed-by":"end-to-end-test"} },
             "endpoints":[ {{string.Join(',', endpoints)}} ]}
            """;
    }

    // By address: with more than 1,000 endpoints kube-proxy leaves the names out of the endpoints' rules. Pods of the node are in 10.213.0.0/24.
    private static async Task<IEnumerable<string>> EndpointRulesAsync() =>
        (await Tool.MustAsync("iptables-save", "-t", "nat")).Lines.Where(line =>
            line.Contains("--to-destination 10.213.", StringComparison.Ordinal) && !line.Contains("--to-destination 10.213.0.", StringComparison.Ordinal));

    // A program of the same name before the real one, which keeps what it is given.
    private Dictionary<string, string> Recorder()
    {
        string folder = Path.Combine(Cluster.Options.Folder, "recorder"), program = Path.Combine(folder, "iptables-restore");
        Directory.CreateDirectory(folder);
        Directory.CreateDirectory(Sent);
        File.WriteAllText(program, $"#!/bin/sh\nfile={Sent}/$(date +%s%N)-$$\ncat >\"$file\"\nexec {Tool.Find("iptables-restore")} \"$@\" <\"$file\"\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new Dictionary<string, string> { ["PATH"] = $"{folder}:{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin:/usr/bin:/bin" };
    }

    private async Task RestartProxyAsync(Dictionary<string, string>? environment)
    {
        Assert.True(await Cluster.Node.ProxyProcess.StopAsync(TimeSpan.FromSeconds(30)), "kube-proxy did not end on SIGTERM");
        Cluster.Node.StartProxy(environment);
    }
}
