using NodeAgent.Cri.V1;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.EndToEnd;

/// <summary>What of a pod is on the host.</summary>
internal static class HostTraces
{
    /// <summary>Its cgroups, mounts, folders, sandboxes and containers.</summary>
    internal static async Task<List<string>> OfAsync(NodeCluster cluster, Pod pod)
    {
        string uid = pod.Metadata.Uid!;
        IEnumerable<PodSandbox> sandboxes = (await cluster.Runtime.Runtime.ListPodSandboxAsync(new ListPodSandboxRequest(), CancellationToken.None)).Items;
        IEnumerable<Container> containers = (await cluster.Runtime.Runtime.ListContainersAsync(new ListContainersRequest(), CancellationToken.None)).Containers;
        return
        [
            .. cluster.Cgroups.PodFolders(uid),
            .. Leftovers.Mounts(cluster.Options.Folder).Where(path => path.Contains(uid, StringComparison.Ordinal)),
            .. Existing(Path.Combine(cluster.Node.RootFolder, "pods", uid)),
            .. Existing(Path.Combine(cluster.Node.LogFolder, $"{pod.Metadata.Namespace}_{pod.Metadata.Name}_{uid}")),
            .. sandboxes.Where(sandbox => sandbox.Metadata.Uid == uid).Select(sandbox => $"sandbox {sandbox.Id} {sandbox.State}"),
            .. containers.Where(container => container.Labels.GetValueOrDefault("io.kubernetes.pod.uid") == uid).Select(container => $"container {container.Id} {container.State}"),
        ];
    }

    /// <summary>Waits until nothing of the pods is on the host.</summary>
    internal static async Task GoneAsync(NodeCluster cluster, IEnumerable<Pod> pods)
    {
        foreach (Pod pod in pods)
        {
            await Until.NothingMissesAsync($"nothing of {pod.Metadata.Namespace}/{pod.Metadata.Name} is on the host", TimeSpan.FromSeconds(90),
                async () => await OfAsync(cluster, pod) is { Count: > 0 } traces ? string.Join(", ", traces) : null);
        }
    }

    /// <summary>
    /// Waits until every address lease and masquerade rule of the network plugin belongs to a sandbox that exists. The bridge plugin removes its
    /// rule only while the sandbox's link is there: where its call was killed in between, along with the agent, the rule is the plugin's loss.
    /// </summary>
    internal static Task NetworkMatchesAsync(NodeCluster cluster) => Until.NothingMissesAsync("no address or rule of a sandbox that is gone", TimeSpan.FromSeconds(90), async () =>
    {
        HashSet<string> sandboxes = [.. (await cluster.Runtime.Runtime.ListPodSandboxAsync(new ListPodSandboxRequest(), CancellationToken.None)).Items.Select(sandbox => sandbox.Id)];
        string leases = Path.Combine(cluster.Options.Folder, "ipam", cluster.Options.Prefix);
        IEnumerable<string> leased = !Directory.Exists(leases) ? [] : Directory.EnumerateFiles(leases).Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0]))
            .Where(path => !sandboxes.Contains(File.ReadLines(path).First().Trim())).Select(path => "lease " + Path.GetFileName(path));
        IEnumerable<string> rules = (await Tool.MustAsync("iptables-save", "-t", "nat")).Lines
            .Where(line => line.StartsWith("-A POSTROUTING", StringComparison.Ordinal) && line.Contains(" id: ", StringComparison.Ordinal)
                && !sandboxes.Any(id => line.Contains(id, StringComparison.Ordinal)) && !cluster.Runtime.LostPluginCall(SandboxOf(line)));
        string[] left = [.. leased, .. rules];
        return left.Length == 0 ? null : string.Join('\n', left);
    });

    private static string SandboxOf(string rule) => rule.Split("id: \\\"")[1].Split('\\')[0];

    private static IEnumerable<string> Existing(string folder) => Directory.Exists(folder) ? [folder] : [];
}
