using System.Diagnostics;
using System.Globalization;
using NodeAgent.Harness;
using NodeAgent.Harness.Host;
using NodeAgent.Harness.Networks;

namespace NodeAgent.Bench.Services;

/// <summary>
/// Services on one node, by this agent and by the Go kube-proxy in turn, in the same mode and on the same API server, judged by real
/// connections through cluster IPs in namespaces; and what the kernel alone needs for our rules.
/// </summary>
internal static class ServicesBench
{
    private const string Ours = "node-agent", Go = "kube-proxy (Go)", Lowest = "floor";
    private const int Asked = 1000;
    private static readonly TimeSpan OneTry = TimeSpan.FromMilliseconds(100), MinSyncPeriod = TimeSpan.FromSeconds(1), Pause = TimeSpan.FromMilliseconds(10);

    internal static async Task<int> MainAsync(string[] arguments)
    {
        if (ServicesBenchOptions.Parse(arguments) is not { } options)
        {
            Console.Error.WriteLine($"usage: bench {ServicesBenchOptions.Usage}");
            return 2;
        }

        try
        {
            await RunAsync(options);
            return 0;
        }
        catch (Exception e)
        {
            Console.Error.WriteLine($"bench: {e.Message}");
            return 1;
        }
    }

    private static async Task RunAsync(ServicesBenchOptions options)
    {
        if (ProxyBed.Missing() is { } missing)
        {
            throw new InvalidOperationException(missing);
        }

        HarnessOptions harness = new() { Folder = "/var/tmp/na-bench-s", Prefix = "nabs", ControlPlane = HarnessOptions.ControlPlaneFromEnvironment(), Announce = Say };
        string? go = Requirements.Kubernetes("kube-proxy");
        string[] subjects = go is null ? [Ours, Lowest] : [Ours, Go, Lowest];
        if (go is null)
        {
            Say("no Go kube-proxy in $KUBERNETES_BIN or PATH: nothing to compare with but the floor");
        }

        await using ProxyBed bed = await ProxyBed.UpAsync(harness, 61);
        Say($"creating {options.Services} Services with {options.Endpoints} endpoints each; {bed.Control.Description}");
        await bed.CreateServicesAsync(options.Services, options.Endpoints);
        foreach (string mode in options.Modes)
        {
            Dictionary<string, List<Dictionary<string, double>>> runs = subjects.ToDictionary(subject => subject, _ => new List<Dictionary<string, double>>());
            for (int run = 0; run < options.Runs; run++)
            {
                // Every other run the order is turned round, so that none is always the first.
                foreach (string subject in run % 2 == 0 ? subjects : subjects.Reverse())
                {
                    Say($"{mode}, run {run + 1} of {options.Runs}: {subject}");
                    runs[subject].Add(subject == Lowest ? await ServiceFloor.MeasureAsync(bed, mode, options) : await ProxyAsync(bed, mode, subject == Go ? go : null, options));
                }
            }

            Console.WriteLine($"{mode}: {options.Services} Services × {options.Endpoints} endpoints, {options.Runs} runs in turn; {bed.Control.Description}; {Requirements.AgentProgram}; kernel {Environment.OSVersion.Version}");
            Console.Write(Measures.Table(subjects, runs, ServiceMeasures.Order));
            if (options.Json is { } file)
            {
                await File.WriteAllTextAsync(Path.Combine(Path.GetDirectoryName(file) ?? "", $"{mode}-{Path.GetFileName(file)}"), Measures.Json(runs));
            }
        }
    }

    private static async Task<Dictionary<string, double>> ProxyAsync(ProxyBed bed, string mode, string? go, ServicesBenchOptions options)
    {
        using ServiceClient client = new(bed.Clients);
        Dictionary<string, double> measured = [];
        long begin = Stopwatch.GetTimestamp();
        ChildProcess proxy = bed.StartProxy(mode, go);
        try
        {
            if (!await AllAnswerAsync(client, options, proxy))
            {
                // A lower bound; what comes after the start cannot be measured.
                Say($"not all Services answer after {options.Longest.TotalSeconds:0} s: {proxy.Id} is given up, its cold start is at least that");
                measured[ServiceMeasures.Cold] = options.Longest.TotalSeconds;
                measured[ServiceMeasures.ColdCpu] = Cpu(proxy);
                return measured;
            }

            measured[ServiceMeasures.Cold] = Stopwatch.GetElapsedTime(begin).TotalSeconds;
            await QuietAsync(proxy, options.Longest);
            measured[ServiceMeasures.ColdCpu] = Cpu(proxy);
            await ChangesAsync(bed, client, proxy, options, measured);
            await RestAsync(proxy, options, measured);
            return measured;
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{e.Message}\n{proxy.LogTail()}", e);
        }
        finally
        {
            await bed.StopProxyAsync();
            bed.Flush();
        }
    }

    /// <summary>Up to a thousand of the Services, spread over all and the last among them, have answered; false where not all did in time.</summary>
    private static async Task<bool> AllAnswerAsync(ServiceClient client, ServicesBenchOptions options, ChildProcess proxy)
    {
        long begin = Stopwatch.GetTimestamp();
        int services = options.Services, step = Math.Max(1, services / Asked);
        bool late = false;
        await Parallel.ForEachAsync(Enumerable.Range(0, services).Where(i => (services - 1 - i) % step == 0).Reverse(), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (i, _) =>
        {
            while (!late && (await client.AskAsync(ProxyBed.ClusterIP(i), ProxyBed.Port, OneTry)).Endpoint is null)
            {
                late = Stopwatch.GetElapsedTime(begin) > options.Longest;
                if (!proxy.IsAlive)
                {
                    throw new InvalidOperationException($"the proxy has ended before Service {i} answered");
                }

                await Task.Delay(Pause, CancellationToken.None);
            }
        });
        return !late;
    }

    private static async Task ChangesAsync(ProxyBed bed, ServiceClient client, ChildProcess proxy, ServicesBenchOptions options, Dictionary<string, double> measured)
    {
        double before = Cpu(proxy);
        List<double> times = [];
        for (int i = 0; i < options.Changes; i++)
        {
            int service = i * 97 % options.Services;
            string[] endpoints = [.. Enumerable.Range(service * options.Endpoints, options.Endpoints).Select(ProxyBed.Endpoint)];
            // Never an address of an earlier run: an answer of it is of this change.
            string fresh = ProxyBed.Endpoint(60_000 + Random.Shared.Next(60_000));
            endpoints[i % endpoints.Length] = fresh;
            await bed.SetEndpointsAsync(service, endpoints);
            long begin = Stopwatch.GetTimestamp();
            while ((await client.AskAsync(ProxyBed.ClusterIP(service), ProxyBed.Port, OneTry)).Endpoint != fresh)
            {
                if (Stopwatch.GetElapsedTime(begin) > options.Longest)
                {
                    throw new TimeoutException($"the new endpoint of Service {service} does not answer");
                }
            }

            times.Add(Stopwatch.GetElapsedTime(begin).TotalMilliseconds);
            // One change is measured at a time: the next must not wait for minSyncPeriod.
            await Task.Delay(1.5 * MinSyncPeriod);
        }

        measured[ServiceMeasures.Change] = Measures.Median(times);
        measured[ServiceMeasures.ChangeCpu] = (Cpu(proxy) - before) * 1000 / options.Changes;
    }

    private static async Task RestAsync(ChildProcess proxy, ServicesBenchOptions options, Dictionary<string, double> measured)
    {
        TimeSpan time = options.Rest;
        await QuietAsync(proxy, options.Longest);
        ProcessCost before = ProcessCost.Of(proxy.Id);
        double cpu = Cpu(proxy);
        await Task.Delay(time);
        ProcessCost after = ProcessCost.Of(proxy.Id);
        measured[ServiceMeasures.RestCpu] = (Cpu(proxy) - cpu) * 1000 / time.TotalSeconds;
        measured[ServiceMeasures.RestSwitches] = after.SwitchesSince(before) / time.TotalSeconds;
        measured[ServiceMeasures.Anonymous] = after.AnonymousKiB / 1024.0;
        measured[ServiceMeasures.Files] = after.FileKiB / 1024.0;
        measured[ServiceMeasures.Memory] = (after.AnonymousKiB + after.FileKiB) / 1024.0;
    }

    /// <summary>Three seconds have passed in which the proxy hardly worked: what was set going has ended.</summary>
    private static async Task QuietAsync(ChildProcess proxy, TimeSpan longest)
    {
        long begin = Stopwatch.GetTimestamp();
        for (double last = -1; Cpu(proxy) - last > 0.02 && Stopwatch.GetElapsedTime(begin) < longest;)
        {
            last = Cpu(proxy);
            await Task.Delay(TimeSpan.FromSeconds(3));
        }
    }

    /// <summary>Seconds of the process and of the programs it started and waited for.</summary>
    private static double Cpu(ChildProcess process)
    {
        string stat = File.ReadAllText($"/proc/{process.Id}/stat");
        return stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[11..15].Sum(ticks => long.Parse(ticks, CultureInfo.InvariantCulture)) / 100.0;
    }

    private static void Say(string text) => Console.Error.WriteLine("[bench] " + text);
}
