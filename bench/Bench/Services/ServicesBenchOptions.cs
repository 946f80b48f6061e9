using System.Globalization;

namespace NodeAgent.Bench.Services;

/// <summary>How much is measured.</summary>
internal sealed record ServicesBenchOptions
{
    internal const string Usage = "services [--services N] [--endpoints N] [--mode iptables|nftables] [--runs N] [--changes N] [--rest SECONDS] [--longest SECONDS] [--json FILE]";

    /// <summary>Services.</summary>
    public int Services { get; init; } = 1000;

    /// <summary>Endpoints of each.</summary>
    public int Endpoints { get; init; } = 5;

    /// <summary>Modes, one after another.</summary>
    public IReadOnlyList<string> Modes { get; init; } = ["nftables", "iptables"];

    /// <summary>Runs of each program in each mode, in turn.</summary>
    public int Runs { get; init; } = 3;

    /// <summary>Changes of one endpoint, one after another in each run.</summary>
    public int Changes { get; init; } = 10;

    /// <summary>How long the proxy is watched at rest.</summary>
    public TimeSpan Rest { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>After this time a proxy is given up: its figure is a lower bound then.</summary>
    public TimeSpan Longest { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Where the figures of each run go as JSON, the mode before the file's name; null for nowhere.</summary>
    public string? Json { get; init; }

    /// <summary>Reads a command line; null where it cannot be understood.</summary>
    internal static ServicesBenchOptions? Parse(string[] arguments)
    {
        ServicesBenchOptions? options = arguments.Length % 2 == 0 ? new() : null;
        for (int i = 0; options is not null && i < arguments.Length; i += 2)
        {
            bool isNumber = int.TryParse(arguments[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0;
            options = (arguments[i], arguments[i + 1], isNumber) switch
            {
                ("--json", { Length: > 0 } file, _) => options with { Json = file },
                ("--mode", "iptables" or "nftables", _) => options with { Modes = [arguments[i + 1]] },
                ("--services", _, true) when number <= 10_000 => options with { Services = number },
                ("--endpoints", _, true) when number <= 10 => options with { Endpoints = number },
                ("--runs", _, true) => options with { Runs = number },
                ("--changes", _, true) => options with { Changes = number },
                ("--rest", _, true) => options with { Rest = TimeSpan.FromSeconds(number) },
                ("--longest", _, true) => options with { Longest = TimeSpan.FromSeconds(number) },
                _ => null,
            };
        }

        return options;
    }
}
