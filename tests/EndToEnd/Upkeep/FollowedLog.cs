using System.IO.Compression;
using System.Text;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.Kubernetes.Rest;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.EndToEnd.Upkeep;

/// <summary>A pod that counts into its log from when it is told until it is told, and a user who follows the log meanwhile.</summary>
internal sealed class FollowedLog(NodeCluster cluster, Workloads work) : IDisposable
{
    private const string Name = "talks";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);
    private readonly KubernetesClient _user = new(KubeconfigLoader.Load(cluster.Control.AdminKubeconfig), new KubernetesClientOptions { RequestTimeout = TimeSpan.FromMinutes(5) });
    private string _signals = "", _live = "";

    public void Dispose() => _user.Dispose();

    internal Task CreateAsync() => work.PodAsync(Name, Workloads.Shell("""
        echo start
        until [ -e /signals/go ]; do sleep 0.1; done
        i=0
        while [ ! -e /signals/stop ]; do
          n=0; while [ $n -lt 50 ]; do n=$((n+1)); i=$((i+1)); echo "$i of a log that is followed while it is rotated"; done
          sleep 0.05
        done
        echo end $i
        """, more: "\"volumeMounts\":[{\"name\":\"signals\",\"mountPath\":\"/signals\"}]"), "\"restartPolicy\":\"Never\",\"terminationGracePeriodSeconds\":1,\"volumes\":[{\"name\":\"signals\",\"emptyDir\":{}}]");

    /// <summary>Follows it over some rotations, to its end.</summary>
    /// <param name="rotations">How many there are at least.</param>
    /// <param name="files">The kubelet's containerLogMaxFiles.</param>
    internal async Task FollowAsync(int rotations, int files)
    {
        Pod pod = await work.PhaseAsync(Name, "Running", Limit);
        _signals = Path.Combine(cluster.Node.RootFolder, "pods", pod.Metadata.Uid!, "volumes", "kubernetes.io~empty-dir", "signals");
        _live = Path.Combine(cluster.Node.LogFolder, $"{work.Namespace}_{Name}_{pod.Metadata.Uid}", "main", "0.log");
        Task<byte[]> follower = _user.RawAsync(HttpMethod.Get, $"/api/v1/namespaces/{work.Namespace}/pods/{Name}/log?follow=true");
        await Until.HoldsAsync("the agent has the log open", Limit, () => Task.FromResult(IsOpen()));
        await File.WriteAllTextAsync(Path.Combine(_signals, "go"), "");
        HashSet<string> rotated = [];
        await Until.NothingMissesAsync($"the log is rotated {rotations} times", Limit, () =>
        {
            rotated.UnionWith(Rotated().Select(path => Path.GetFileName(path).Replace(".gz", "", StringComparison.Ordinal)));
            return Task.FromResult(rotated.Count >= rotations ? null : string.Join(", ", rotated));
        });
        await File.WriteAllTextAsync(Path.Combine(_signals, "stop"), "");
        await work.PhaseAsync(Name, "Succeeded", Limit);

        string[] followed = Encoding.UTF8.GetString(await follower).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("start", followed[0]);
        AssertCounts(followed[1..], 1);
        // A rotation that was under way when the container ended comes to its end first.
        string[] left = [];
        await Until.NothingMissesAsync("what was rotated is compressed but for the newest, and no more than may be", Limit, () =>
        {
            left = [.. Rotated(), _live];
            bool holds = File.Exists(_live) && left.Length >= 2 && left.Length <= files && left[..^2].All(path => path.EndsWith(".gz", StringComparison.Ordinal)) && !left.Contains(left[^2] + ".gz");
            return Task.FromResult(holds ? null : string.Join(", ", left));
        });
        string[] kept = [.. left.SelectMany(Lines).SkipWhile(line => line == "start")];
        AssertCounts(kept, int.Parse(kept[0].Split(' ')[0]));
    }

    private static void AssertCounts(string[] lines, int first)
    {
        for (int i = 0; i < lines.Length - 1; i++)
            Assert.True(lines[i] == $"{first + i} of a log that is followed while it is rotated", $"line {i} from {first} on is \"{lines[i]}\", before it \"{(i > 0 ? lines[i - 1] : "")}\"");
        Assert.Equal($"end {first + lines.Length - 2}", lines[^1]);
    }

    // Oldest first; what is being compressed is there under its plain name too.
    private string[] Rotated() => [.. Directory.EnumerateFiles(Path.GetDirectoryName(_live)!, "0.log*").Where(path => Path.GetFileName(path).StartsWith("0.log.", StringComparison.Ordinal) && !path.EndsWith(".tmp", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    private bool IsOpen() => Directory.EnumerateFileSystemEntries($"/proc/{cluster.Node.KubeletProcess.Id}/fd").Any(path => new FileInfo(path).LinkTarget == _live);

    // A record is: time, stream, tag, text.
    private static IEnumerable<string> Lines(string path)
    {
        using Stream file = File.OpenRead(path);
        using Stream content = path.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using StreamReader reader = new(content);
        return [.. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ', 4)[3])];
    }
}
