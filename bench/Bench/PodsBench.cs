using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using NodeAgent.Harness;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;

namespace NodeAgent.Bench;

/// <summary>
/// Pods on one node, by this agent and by the Go kubelet in turn, on the same control plane, runtime, configuration and flags, and by
/// CRI calls alone. Absolute times depend on the machine; the ratios of one run are what counts.
/// </summary>
internal static class PodsBench
{
    /// <summary>What every container runs: it ends at once on SIGTERM.</summary>
    internal const string Script = "trap 'exit 0' TERM; sleep 100000 & wait";

    private const string Ours = "node-agent", Lowest = "floor";
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    internal static async Task RunAsync(PodsBenchOptions options)
    {
        HarnessOptions harness = new()
        {
            Folder = $"/var/tmp/na-bench-{Environment.ProcessId}",
            NodeName = "bench-node",
            Prefix = "nabench",
            PodNetwork = 219,
            ServiceNetwork = 220,
            // What the Go kubelet takes when it is not told otherwise: the tests' values would cost both at rest.
            MaxPods = Math.Max(110, options.Pods + 10),
            FileCheckFrequency = "20s",
            ControlPlane = HarnessOptions.ControlPlaneFromEnvironment(),
            Announce = Say,
        };
        string? go = Requirements.Kubernetes("kubelet");
        List<KubeletProgram> kubelets = [KubeletProgram.Agent(Ours, Requirements.AgentProgram), .. options.Also];
        if (go is null)
        {
            Say("no Go kubelet in $KUBERNETES_BIN or PATH: nothing to compare with but the floor");
        }
        else
        {
            kubelets.Add(KubeletProgram.Go(go));
        }

        string[] subjects = [.. kubelets.Select(kubelet => kubelet.Name), Lowest];
        Dictionary<string, List<Dictionary<string, double>>> runs = subjects.ToDictionary(subject => subject, _ => new List<Dictionary<string, double>>());
        using NodeCluster cluster = await NodeCluster.UpAsync(harness);
        try
        {
            await StopKubeletAsync(cluster);
            for (int run = 0; run < options.Runs; run++)
            {
                // Every other run the order is turned round, so that none is always the first.
                foreach (string subject in run % 2 == 0 ? subjects : subjects.Reverse())
                {
                    Say($"run {run + 1} of {options.Runs}: {subject}");
                    runs[subject].Add(subject == Lowest
                        ? await Floor.MeasureAsync(cluster, options) : await KubeletAsync(cluster, kubelets.Single(kubelet => kubelet.Name == subject), options));
                    // A kubelet may leave dead containers and sandboxes to its collection of garbage, or be about to remove them: they are not the next one's to list.
                    await cluster.Runtime.RemoveSandboxesAsync();
                    if (options.Json is { } soFar)
                    {
                        await File.WriteAllTextAsync(soFar, Measures.Json(runs));
                    }
                }
            }
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{e.Message}\n{cluster.LogTails()}", e);
        }
        finally
        {
            foreach (string left in await cluster.DownAsync())
            {
                Say(left);
            }
        }

        Console.WriteLine($"{options.Pods} pods, {options.Runs} runs in turn; {cluster.Control.Description}; {Requirements.AgentProgram}; the floor with {Floor.Parallel} pods at a time");
        Console.Write(Measures.Table(subjects, runs));
    }

    private static async Task<Dictionary<string, double>> KubeletAsync(NodeCluster cluster, KubeletProgram subject, PodsBenchOptions options)
    {
        ChildProcess agent = cluster.Node.StartKubeletOf(subject);
        Workloads work = await Workloads.CreateAsync(cluster, "bench-" + Guid.NewGuid().ToString("N")[..8]);
        await using PodWatch watch = new(cluster.Client, work.Namespace);
        // The node is Ready by its last heartbeat: this kubelet has taken over once a pod of it runs.
        await CreateAsync(work, cluster, "first");
        await watch.ReadyAsync("first", Longest);
        await DeleteAsync(work, watch, ["first"]);

        Dictionary<string, double> measured = [];
        List<double> starts = [], stops = [];
        for (int i = 0; i < options.Single; i++)
        {
            string name = "single-" + i.ToString(CultureInfo.InvariantCulture);
            long begin = Stopwatch.GetTimestamp();
            await CreateAsync(work, cluster, name);
            starts.Add(Stopwatch.GetElapsedTime(begin, await watch.ReadyAsync(name, Longest)).TotalSeconds);
            // It is Ready as soon as its process exists; told to end before its trap is set it would take its whole grace period.
            await Task.Delay(TimeSpan.FromSeconds(1));
            stops.Add(await DeleteAsync(work, watch, [name]));
        }

        measured[Measures.OneReady] = Measures.Median(starts);
        measured[Measures.OneGone] = Measures.Median(stops);
        string[] names = [.. Enumerable.Range(0, options.Pods).Select(i => "burst-" + i.ToString(CultureInfo.InvariantCulture))];
        await BurstAsync(cluster, work, watch, agent, names, measured);
        await RestAsync(agent, options.Rest, measured);
        ProcessCost before = ProcessCost.Of(agent.Id);
        measured[Measures.AllGone] = await DeleteAsync(work, watch, names);
        measured[Measures.GoneCpu] = ProcessCost.Of(agent.Id).Cpu - before.Cpu;
        await StopKubeletAsync(cluster);
        await cluster.Client.RawAsync(HttpMethod.Delete, $"/api/v1/namespaces/{work.Namespace}");
        return measured;
    }

    private static async Task BurstAsync(
        NodeCluster cluster, Workloads work, PodWatch watch, ChildProcess agent, string[] names, Dictionary<string, double> measured)
    {
        ProcessCost before = ProcessCost.Of(agent.Id), runtime = ProcessCost.Of(cluster.Runtime.Process.Id);
        long begin = Stopwatch.GetTimestamp();
        await Task.WhenAll(names.Select(name => CreateAsync(work, cluster, name)));
        long[] ready = await Task.WhenAll(names.Select(name => watch.ReadyAsync(name, Longest)));
        measured[Measures.BurstCpu] = ProcessCost.Of(agent.Id).Cpu - before.Cpu;
        measured[Measures.BurstRuntimeCpu] = ProcessCost.Of(cluster.Runtime.Process.Id).Cpu - runtime.Cpu;
        double[] times = [.. ready.Select(time => Stopwatch.GetElapsedTime(begin, time).TotalSeconds)];
        measured[Measures.MedianReady] = Measures.Median(times);
        measured[Measures.AllReady] = times.Max();
        // What the burst set going ends: status reports, events, the first full pass.
        await Task.Delay(TimeSpan.FromSeconds(15));
        measured[Measures.SettledCpu] = ProcessCost.Of(agent.Id).Cpu - before.Cpu;
    }

    private static async Task RestAsync(ChildProcess agent, TimeSpan time, Dictionary<string, double> measured)
    {
        ProcessCost before = ProcessCost.Of(agent.Id);
        await Task.Delay(time);
        ProcessCost after = ProcessCost.Of(agent.Id);
        measured[Measures.RestCpu] = (after.Cpu - before.Cpu) * 1000 / time.TotalSeconds;
        measured[Measures.RestSwitches] = after.SwitchesSince(before) / time.TotalSeconds;
        measured[Measures.Anonymous] = after.AnonymousKiB / 1024.0;
        measured[Measures.Files] = after.FileKiB / 1024.0;
        measured[Measures.Memory] = (after.AnonymousKiB + after.FileKiB) / 1024.0;
    }

    private static Task<JsonNode> CreateAsync(Workloads work, NodeCluster cluster, string name) =>
        work.PodAsync(name, Workloads.Shell(Script), $"\"nodeName\":\"{cluster.Options.NodeName}\"");

    private static async Task<double> DeleteAsync(Workloads work, PodWatch watch, string[] names)
    {
        long begin = Stopwatch.GetTimestamp();
        await Task.WhenAll(names.Select(name => work.DeletePodAsync(name)));
        long[] gone = await Task.WhenAll(names.Select(name => watch.GoneAsync(name, Longest)));
        return Stopwatch.GetElapsedTime(begin, gone.Max()).TotalSeconds;
    }

    private static async Task StopKubeletAsync(NodeCluster cluster)
    {
        if (!await cluster.Node.KubeletProcess.StopAsync(TimeSpan.FromSeconds(30)))
        {
            throw new InvalidOperationException("the kubelet did not end within 30 s of SIGTERM");
        }
    }

    private static void Say(string text) => Console.Error.WriteLine("[bench] " + text);
}
