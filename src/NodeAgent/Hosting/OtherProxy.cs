using System.Globalization;

namespace NodeAgent.Hosting;

/// <summary>Looks for another kube-proxy on this host: two would overwrite each other's rules.</summary>
/// <param name="procRoot">Where proc is mounted.</param>
internal sealed class OtherProxy(string procRoot = "/proc")
{
    private const int HealthPort = 10256;

    /// <summary>What was found, or null.</summary>
    /// <param name="ownRuns">Our own proxy runs: its health port is no sign of another.</param>
    internal string? Find(bool ownRuns = false)
    {
        foreach (string folder in Directory.EnumerateDirectories(procRoot))
        {
            if (!int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out int pid) || pid == Environment.ProcessId)
                continue;
            string[] command = Read(Path.Combine(folder, "cmdline")).Split('\0');
            if (Path.GetFileName(command[0]) == "kube-proxy" || (Path.GetFileName(command[0]) == "node-agent" && command.ElementAtOrDefault(1) == "kube-proxy"))
                return $"process {pid} is a kube-proxy";
        }
        return !ownRuns && (IsListening(Path.Combine(procRoot, "net/tcp")) || IsListening(Path.Combine(procRoot, "net/tcp6")))
            ? $"port {HealthPort}, a kube-proxy's health port, is in use"
            : null;
    }

    // "sl local_address rem_address st …"; state 0A is listening, the port is hexadecimal.
    private static bool IsListening(string file) => Read(file).Split('\n').Skip(1)
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Any(f => f.Length > 3 && f[3] == "0A" && f[1].EndsWith($":{HealthPort:X4}", StringComparison.Ordinal));

    private static string Read(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The process has ended since, or its name is not ours to read.
            return "";
        }
    }
}
