using System.Globalization;
using System.Text;

namespace NodeAgent.Harness.Networks;

/// <summary>What connections went through in one part of a <see cref="TrafficScript"/>.</summary>
/// <param name="Name">What was done meanwhile.</param>
/// <param name="Changes">Changes of endpoints made meanwhile.</param>
/// <param name="Load">What became of the connections.</param>
public sealed record TrafficPart(string Name, int Changes, LoadResult Load)
{
    /// <summary>After a foreign change of the rules: the time until all targets answered; null where they did not in time, or nothing was changed.</summary>
    public TimeSpan? Repaired { get; init; }

    /// <summary>A foreign change of the rules was not repaired in time; the proxy was started anew.</summary>
    public bool GivenUp { get; init; }

    /// <summary>What was wrong with answers once all was settled.</summary>
    public IReadOnlyList<string> Wrong { get; init; } = [];

    /// <summary>Short connections that were refused, reset, without answer or answered by a stale endpoint, and long ones that were broken.</summary>
    public int Failures => Load.Failures.Values.Sum() + Load.Broken.Count;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Name} ({Changes} changes): {Load}{(Repaired is { } time ? $"; repaired after {time.TotalSeconds:0.00} s" : GivenUp ? "; not repaired" : "")}{(Wrong.Count == 0 ? "" : "; wrong: " + Wrong[0])}");
}

/// <summary>All parts for one proxy in one mode.</summary>
/// <param name="Subject">Whose proxy.</param>
/// <param name="Mode">Its mode.</param>
/// <param name="Parts">In order.</param>
/// <param name="Longest">The longest time, in seconds, that an endpoint which was not ready any more still got new connections.</param>
public sealed record TrafficReport(string Subject, string Mode, IReadOnlyList<TrafficPart> Parts, double Longest)
{
    /// <summary>Reports side by side, the same parts in each: failures of short and of long connections, and times until repair.</summary>
    public static string Table(IReadOnlyList<TrafficReport> reports)
    {
        ArgumentNullException.ThrowIfNull(reports);
        StringBuilder text = new();
        text.AppendLine($"| {reports[0].Mode}: failed connections | {string.Join(" | ", reports.Select(r => r.Subject))} |");
        text.AppendLine($"|---|{string.Concat(reports.Select(_ => "---|"))}");
        for (int i = 0; i < reports[0].Parts.Count; i++)
            text.AppendLine($"| {reports[0].Parts[i].Name} | {string.Join(" | ", reports.Select(r => Cell(r.Parts[i])))} |");
        text.AppendLine($"| longest use of an endpoint not ready any more (s) | {string.Join(" | ", reports.Select(r => r.Longest.ToString("0.0", CultureInfo.InvariantCulture)))} |");
        return text.ToString();
    }

    private static string Cell(TrafficPart part)
    {
        string failures = part.Load.Failures.Count == 0 ? "0" : string.Join(", ", part.Load.Failures.Select(f => $"{f.Value} {f.Key}"));
        string time = part.Repaired is { } repaired ? string.Create(CultureInfo.InvariantCulture, $"; {repaired.TotalSeconds:0.0} s") : part.GivenUp ? "; not repaired" : "";
        return $"{failures} of {part.Load.Connections}, {part.Load.Broken.Count} of {part.Load.Open} long{time}{(part.Wrong.Count == 0 ? "" : $"; {part.Wrong.Count} wrong answers at rest")}";
    }
}
