using System.Globalization;
using NodeAgent.Harness;
using NodeAgent.Harness.Networks;

namespace NodeAgent.Bench.Services;

/// <summary>Failures of connections under one script, by this agent's proxy and by the Go kube-proxy, side by side in both modes.</summary>
internal static class TrafficBench
{
    internal const string Usage = "traffic [--changes N] [--rate N] [--seed N] [--mode iptables|nftables]";

    internal static async Task<int> MainAsync(string[] arguments)
    {
        if (Parse(arguments) is not ({ } options, { } modes))
        {
            Console.Error.WriteLine($"usage: bench {Usage}");
            return 2;
        }

        try
        {
            await RunAsync(options, modes);
            return 0;
        }
        catch (Exception e)
        {
            Console.Error.WriteLine($"bench: {e.Message}");
            return 1;
        }
    }

    private static async Task RunAsync(TrafficOptions options, string[] modes)
    {
        if (ProxyBed.Missing() is { } missing)
        {
            throw new InvalidOperationException(missing);
        }

        HarnessOptions harness = new() { Folder = "/var/tmp/na-bench-t", Prefix = "nabt", ControlPlane = HarnessOptions.ControlPlaneFromEnvironment(), Announce = Say };
        string? go = Requirements.Kubernetes("kube-proxy");
        await using ProxyBed bed = await ProxyBed.UpAsync(harness, 62);
        Console.WriteLine($"{TrafficServices.Count} Services, seed {options.Seed}, {options.Changes} changes, {options.ChangesPerSecond}/s; {options.Connections} connections/s (a third of them UDP) and {options.Open} long ones through cluster IPs and node ports; {bed.Control.Description}; {Requirements.AgentProgram}");
        TrafficServices? first = null;
        foreach (string mode in modes)
        {
            List<TrafficReport> reports = [];
            foreach ((string name, string? program) in (IEnumerable<(string, string?)>)[("node-agent", null), .. go is null ? [] : new (string, string?)[] { ("kube-proxy (Go)", go) }])
            {
                Say($"{mode}: {name}");
                // The same changes for each.
                TrafficServices services = new(bed, options.Seed, udp: true);
                await (first is null ? services.CreateAsync() : services.ResetAsync());
                first = services;
                reports.Add(await new TrafficScript(bed, services, options with { Announce = Say }).RunAsync(name, mode, program));
            }

            Console.Write(TrafficReport.Table(reports));
        }
    }

    private static (TrafficOptions? Options, string[] Modes) Parse(string[] arguments)
    {
        TrafficOptions? options = arguments.Length % 2 == 0 ? new() : null;
        string[] modes = ["nftables", "iptables"];
        for (int i = 0; options is not null && i < arguments.Length; i += 2)
        {
            bool isNumber = int.TryParse(arguments[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0;
            switch (arguments[i], isNumber)
            {
                case ("--changes", true): options = options with { Changes = number }; break;
                case ("--rate", true): options = options with { ChangesPerSecond = number }; break;
                case ("--seed", true): options = options with { Seed = number }; break;
                case ("--mode", false) when arguments[i + 1] is "iptables" or "nftables": modes = [arguments[i + 1]]; break;
                default: options = null; break;
            }
        }

        return (options, modes);
    }

    private static void Say(string text) => Console.Error.WriteLine("[bench] " + text);
}
