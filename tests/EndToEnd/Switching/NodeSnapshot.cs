using System.Globalization;
using System.Text.Json.Nodes;
using NodeAgent.Cri.V1;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;

namespace NodeAgent.EndToEnd.Switching;

/// <summary>What of a node's pods can be seen from outside, as names and values: statuses, sandboxes, containers, mounts, files, cgroups.</summary>
internal sealed class NodeSnapshot
{
    private static readonly string[] CgroupFiles =
    [
        "cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "memory.limit_in_bytes", "pids.max", "cpu.weight", "cpu.max", "memory.max", "memory.min", "memory.low", "memory.high",
    ];

    private readonly SortedDictionary<string, string> _facts = new(StringComparer.Ordinal);

    /// <summary>Looks at everything of the pods of these namespaces.</summary>
    internal static async Task<NodeSnapshot> OfAsync(NodeCluster cluster, Workloads work)
    {
        NodeSnapshot snapshot = new();
        Dictionary<string, string> names = [];
        foreach (JsonNode? pod in (await work.GetJsonAsync($"/api/v1/namespaces/{work.Namespace}/pods"))["items"]!.AsArray())
        {
            names[(string)(pod!["metadata"]!["annotations"]?["kubernetes.io/config.hash"] ?? pod["metadata"]!["uid"])!] = (string)pod["metadata"]!["name"]!;
            snapshot.Flatten($"pod {pod["metadata"]!["name"]} {pod["metadata"]!["uid"]} status", pod["status"]);
        }

        foreach (PodSandbox sandbox in (await cluster.Runtime.Runtime.ListPodSandboxAsync(new ListPodSandboxRequest(), CancellationToken.None)).Items)
        {
            snapshot.Set($"sandbox {sandbox.Metadata.Name} {sandbox.Id}", $"{sandbox.State} attempt {sandbox.Metadata.Attempt}");
        }

        foreach (Container container in (await cluster.Runtime.Runtime.ListContainersAsync(new ListContainersRequest(), CancellationToken.None)).Containers)
        {
            snapshot.Set($"container {container.Labels["io.kubernetes.pod.name"]} {container.Metadata.Name} {container.Id}", $"{container.State} attempt {container.Metadata.Attempt}");
        }

        snapshot.AddMounts(cluster.Node.RootFolder);
        await snapshot.AddFilesAsync(cluster.Node.RootFolder, names);
        snapshot.AddCgroups(cluster.Cgroups, names);
        return snapshot;
    }

    /// <summary>What is not the same in another one: name, value here, value there.</summary>
    internal IEnumerable<string> DifferencesTo(NodeSnapshot other) => _facts.Keys.Union(other._facts.Keys).Order(StringComparer.Ordinal)
        .Select(name => (Name: name, Before: _facts.GetValueOrDefault(name), After: other._facts.GetValueOrDefault(name)))
        .Where(fact => fact.Before != fact.After)
        .Select(fact => $"{fact.Name}: {fact.Before ?? "absent"} → {fact.After ?? "absent"}");

    private void Set(string name, string value) => _facts[name] = value;

    private void Flatten(string name, JsonNode? node)
    {
        switch (node)
        {
            case JsonObject members:
                foreach ((string key, JsonNode? value) in members) Flatten($"{name}.{key}", value);
                break;
            case JsonArray items:
                // By what tells them apart, so that another order is no difference but a missing one is.
                foreach (JsonNode? item in items)
                    Flatten($"{name}[{(item as JsonObject)?["name"] ?? (item as JsonObject)?["type"] ?? (item as JsonObject)?["mountPath"] ?? (item as JsonObject)?["ip"] ?? item}]", item);
                break;
            default:
                Set(name, node?.ToJsonString() ?? "null");
                break;
        }
    }

    // The mount's id: another one would be another mount.
    private void AddMounts(string folder)
    {
        foreach (string line in File.ReadLines("/proc/self/mountinfo").Where(line => line.Contains(folder + "/", StringComparison.Ordinal)))
        {
            string[] fields = line.Split(' ');
            Set($"mount {fields[4]} {fields[0]}", string.Join(' ', fields[3..]));
        }
    }

    // Inode, kind, mode, owner and target of everything in the pods' folders; the same inode with another content is seen by its time.
    private async Task AddFilesAsync(string root, Dictionary<string, string> names)
    {
        // It fails where something is removed meanwhile.
        ToolAnswer found = await Until.FoundAsync("all that is in the pods' folders", TimeSpan.FromSeconds(60), async () =>
        {
            ToolAnswer answer = await Tool.RunAsync("find", [Path.Combine(root, "pods"), "-printf", "%P\\t%i %M %U:%G %l\\t%y%T@\\n"]);
            return (answer.ExitCode == 0 ? answer : null, answer.Error);
        });
        foreach (string line in found.Lines)
        {
            string[] parts = line.Split('\t');
            string[] path = parts[0].Split('/', 2);
            Set($"file {names.GetValueOrDefault(path[0], path[0])} {(path.Length > 1 ? path[1] : ".")}", parts[1] + (parts[2][0] == 'f' ? " " + parts[2][1..] : ""));
        }
    }

    private void AddCgroups(CgroupRoot cgroups, Dictionary<string, string> names)
    {
        foreach (string folder in cgroups.Folders.Where(Directory.Exists).SelectMany(top => Directory.EnumerateDirectories(top, "*", SearchOption.AllDirectories)))
        {
            string? pod = folder.Split('/').Where(part => part.StartsWith("pod", StringComparison.Ordinal)).Select(part => names.GetValueOrDefault(part[3..])).FirstOrDefault(name => name is not null);
            foreach (string file in CgroupFiles.Select(name => Path.Combine(folder, name)).Where(File.Exists))
            {
                Set($"cgroup {pod ?? "-"} {file}", Read(file));
            }
        }

        static string Read(string file)
        {
            try
            {
                return File.ReadAllText(file).Trim();
            }
            catch (IOException e)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{e.HResult}");
            }
        }
    }
}
