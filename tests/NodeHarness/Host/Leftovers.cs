namespace NodeAgent.Harness.Host;

/// <summary>What of a node is still on the host: mounts, cgroups, links, namespaces, rules, routes, processes, log links.</summary>
public static class Leftovers
{
    /// <summary>Everything found; empty when the host is as it was.</summary>
    public static async Task<IReadOnlyList<string>> FindAsync(HarnessOptions options, CgroupRoot cgroups)
    {
        List<string> found = [.. Mounts(options.Folder).Select(path => "mount " + path)];
        found.AddRange(cgroups.Folders.Where(Directory.Exists).Select(path => "cgroup " + path));
        if (HostNetwork.LinkExists(options.Prefix)) found.Add("link " + options.Prefix);
        found.AddRange((await new HostNetwork(options).RulesLeftAsync()).Select(rule => "rule " + rule));
        found.AddRange((await Tool.MustAsync("ip", "route")).Lines
            .Where(line => line.Contains($"10.{options.PodNetwork}.", StringComparison.Ordinal) || line.Contains($"10.{options.ServiceNetwork}.", StringComparison.Ordinal))
            .Select(line => "route " + line));
        found.AddRange(Processes(options.Folder).Select(process => $"process {process.Id} {process.Command}"));
        found.AddRange(LogLinks(options.Folder).Select(path => "log link " + path));
        return found;
    }

    /// <summary>Mount points at or below a folder.</summary>
    public static IEnumerable<string> Mounts(string folder) => File.ReadLines("/proc/self/mountinfo")
        .Select(line => line.Split(' ')[4].Replace(@"\040", " ", StringComparison.Ordinal))
        .Where(path => path == folder || path.StartsWith(folder + "/", StringComparison.Ordinal));

    /// <summary>Links in /var/log/containers into a folder.</summary>
    public static IEnumerable<string> LogLinks(string folder) => !Directory.Exists("/var/log/containers") ? []
        : Directory.EnumerateFiles("/var/log/containers").Where(path => new FileInfo(path).LinkTarget?.StartsWith(folder, StringComparison.Ordinal) == true);

    /// <summary>Processes whose command line names a folder.</summary>
    public static IEnumerable<(int Id, string Command)> Processes(string folder)
    {
        foreach (string entry in Directory.EnumerateDirectories("/proc").Where(path => char.IsAsciiDigit(path[6])))
        {
            string command;
            try
            {
                command = File.ReadAllText(Path.Combine(entry, "cmdline")).Replace('\0', ' ').Trim();
            }
            catch (IOException)
            {
                continue;
            }
            int id = int.Parse(entry[6..]);
            if (id != Environment.ProcessId && command.Contains(folder + "/", StringComparison.Ordinal)) yield return (id, command);
        }
    }
}
