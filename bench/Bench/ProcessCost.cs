using System.Globalization;

namespace NodeAgent.Bench;

/// <summary>What a process has used so far.</summary>
/// <param name="Cpu">Seconds of user and system time, ended threads and programs it ran included (resolution 10 ms).</param>
/// <param name="Switches">Voluntary context switches of each present thread by its id: it slept and was woken.</param>
/// <param name="AnonymousKiB">RssAnon.</param>
/// <param name="FileKiB">RssFile.</param>
internal sealed record ProcessCost(double Cpu, IReadOnlyDictionary<string, long> Switches, long AnonymousKiB, long FileKiB)
{
    internal static ProcessCost Of(int process)
    {
        string stat = File.ReadAllText($"/proc/{process}/stat");
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        double cpu = (Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14])) / 100.0;
        Dictionary<string, long> switches = [];
        foreach (string thread in Directory.EnumerateDirectories($"/proc/{process}/task"))
        {
            try
            {
                string[] lines = File.ReadAllLines(thread + "/status");
                switches[Path.GetFileName(thread)] = Line(lines, "voluntary_ctxt_switches:");
            }
            catch (IOException)
            {
                // The thread has ended.
            }
        }

        string[] status = File.ReadAllLines($"/proc/{process}/status");
        return new ProcessCost(cpu, switches, Line(status, "RssAnon:"), Line(status, "RssFile:"));
    }

    /// <summary>Context switches since an earlier look; those of threads that ended in between, after the look, are not counted.</summary>
    internal long SwitchesSince(ProcessCost earlier) => Switches.Sum(thread => thread.Value - earlier.Switches.GetValueOrDefault(thread.Key));

    private static long Line(string[] lines, string name) =>
        Number(lines.First(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..].Replace("kB", "", StringComparison.Ordinal).Trim());

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
