using NodeAgent.Harness;
using NodeAgent.Harness.Cluster;

namespace NodeAgent.EndToEnd;

/// <summary>One cluster for all tests of the assembly, up when the first test needs it; its end checks that nothing is left behind.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    private static int _clusters;
    private NodeCluster? _cluster;

    internal NodeCluster Cluster => _cluster ?? throw new InvalidOperationException("the cluster is not up");

    public async Task InitializeAsync()
    {
        // Fixtures are made for skipped tests as well.
        if (NodeFactAttribute.Reason is not null) return;
        _cluster = await UpAsync(null);
    }

    /// <summary>A cluster of its own for one test; only while no other is up.</summary>
    /// <param name="containerdFolder">Where its containerd is; null for the host's.</param>
    /// <param name="test">What runs on it.</param>
    internal static async Task OnOwnClusterAsync(string? containerdFolder, Func<NodeCluster, Task> test)
    {
        NodeCluster cluster = await UpAsync(containerdFolder);
        try
        {
            await test(cluster);
        }
        catch (Exception e)
        {
            string logs = cluster.LogTails(60);
            await cluster.DownAsync();
            cluster.Dispose();
            throw new InvalidOperationException($"{e.Message}\n{logs}", e);
        }
        await DownAsync(cluster);
    }

    private static async Task<NodeCluster> UpAsync(string? containerdFolder)
    {
        NodeCluster cluster = await NodeCluster.UpAsync(new HarnessOptions
        {
            Folder = $"/var/tmp/nae2e-{Environment.ProcessId}-{Interlocked.Increment(ref _clusters)}",
            ControlPlane = HarnessOptions.ControlPlaneFromEnvironment(),
            ContainerdFolder = containerdFolder,
            Announce = text => Console.WriteLine($"[end-to-end] {text}"),
        });
        string summary = $"[end-to-end] control plane: {cluster.Control.Description}; runtime: {await cluster.Runtime.VersionAsync()}";
        Console.WriteLine(summary);
        // Test runners swallow what tests print: what prints their sums reads it here.
        if (Environment.GetEnvironmentVariable("NODE_AGENT_E2E_SUMMARY") is { Length: > 0 } file) await File.AppendAllTextAsync(file, summary + "\n");
        return cluster;
    }

    private static async Task DownAsync(NodeCluster cluster)
    {
        string logs = cluster.LogTails(60);
        IReadOnlyList<string> problems = await cluster.DownAsync();
        cluster.Dispose();
        if (problems.Count > 0)
            throw new InvalidOperationException($"the host is not as it was ({cluster.Options.Folder} is kept):\n  {string.Join("\n  ", problems)}\n{logs}");
    }

    public async Task DisposeAsync()
    {
        if (_cluster is not null) await DownAsync(_cluster);
    }
}

/// <summary>Every test shares the cluster, one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class NodeCollection : ICollectionFixture<ClusterFixture>
{
    internal const string Name = "node";
}
