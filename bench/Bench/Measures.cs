using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace NodeAgent.Bench;

/// <summary>Names of what is measured, and the table of the medians side by side.</summary>
internal static class Measures
{
    internal const string
        OneReady = "one pod, create to Ready (s)", OneGone = "one pod, delete to gone (s)", MedianReady = "burst, median pod Ready (s)",
        AllReady = "burst, all Ready (s)", BurstCpu = "burst, CPU of the agent (s)", SettledCpu = "burst and 15 s after, CPU of the agent (s)", BurstRuntimeCpu = "burst, CPU of containerd (s)",
        AllGone = "burst, all gone (s)", GoneCpu = "burst, CPU of the agent until gone (s)", RestCpu = "at rest, CPU (ms/s)",
        RestSwitches = "at rest, wake-ups (1/s)", Anonymous = "at rest, RssAnon (MiB)", Files = "at rest, RssFile (MiB)", Memory = "at rest, RssAnon + RssFile (MiB)";

    private static readonly string[] Order =
        [OneReady, OneGone, MedianReady, AllReady, BurstCpu, SettledCpu, BurstRuntimeCpu, AllGone, GoneCpu, RestCpu, RestSwitches, Anonymous, Files, Memory];

    internal static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>The table: a row for each measure, a column for each subject, then ours against each other.</summary>
    internal static string Table(IReadOnlyList<string> subjects, IReadOnlyDictionary<string, List<Dictionary<string, double>>> runs, IReadOnlyList<string>? order = null)
    {
        StringBuilder text = new();
        text.Append("| ").Append("medians".PadRight(42));
        foreach (string subject in subjects)
        {
            text.Append(" | ").Append(subject.PadLeft(13));
        }

        foreach (string other in subjects.Skip(1))
        {
            text.Append(" | ").Append($"{subjects[0]} / {other}".PadLeft(24));
        }

        text.AppendLine(" |");
        text.Append('|').Append('-', 44);
        foreach (string _ in subjects)
        {
            text.Append('|').Append('-', 14).Append(':');
        }

        foreach (string _ in subjects.Skip(1))
        {
            text.Append('|').Append('-', 25).Append(':');
        }

        text.AppendLine("|");
        foreach (string measure in order ?? Order)
        {
            double[] medians = [.. subjects.Select(subject => Median(runs[subject].Where(run => run.ContainsKey(measure)).Select(run => run[measure])))];
            text.Append("| ").Append(measure.PadRight(42));
            foreach (double median in medians)
            {
                text.Append(" | ").Append(Show(median, "0.00").PadLeft(13));
            }

            foreach (double other in medians.Skip(1))
            {
                text.Append(" | ").Append(Show(medians[0] / other, "0.00").PadLeft(24));
            }

            text.AppendLine(" |");
        }

        return text.ToString();
    }

    /// <summary>Every run's figures.</summary>
    internal static string Json(IReadOnlyDictionary<string, List<Dictionary<string, double>>> runs)
    {
        JsonObject all = [];
        foreach ((string subject, List<Dictionary<string, double>> list) in runs)
        {
            JsonArray array = [];
            foreach (Dictionary<string, double> run in list)
            {
                JsonObject one = [];
                foreach ((string name, double value) in run)
                {
                    one[name] = value;
                }

                array.Add((JsonNode)one);
            }

            all[subject] = array;
        }

        return all.ToJsonString();
    }

    private static string Show(double value, string format) => double.IsNaN(value) ? "-" : value.ToString(format, CultureInfo.InvariantCulture);
}
