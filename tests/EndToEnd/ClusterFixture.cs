using NodeAgent.Harness;
using NodeAgent.Harness.Cluster;

namespace NodeAgent.EndToEnd;

/// <summary>One cluster for all tests of the assembly, up when the first test needs it; its end checks that nothing is left behind.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    private NodeCluster? _cluster;

    internal NodeCluster Cluster => _cluster ?? throw new InvalidOperationException("the cluster is not up");

    public async Task InitializeAsync()
    {
        // Fixtures are made for skipped tests as well.
        if (NodeFactAttribute.Reason is not null) return;
        _cluster = await NodeCluster.UpAsync(new HarnessOptions
        {
            Folder = $"/var/tmp/nae2e-{Environment.ProcessId}",
            ControlPlane = HarnessOptions.ControlPlaneFromEnvironment(),
            Announce = text => Console.WriteLine($"[end-to-end] {text}"),
        });
        Console.WriteLine($"[end-to-end] control plane: {_cluster.Control.Description}");
    }

    public async Task DisposeAsync()
    {
        if (_cluster is null) return;
        string logs = _cluster.LogTails(60);
        IReadOnlyList<string> problems = await _cluster.DownAsync();
        _cluster.Dispose();
        if (problems.Count > 0)
            throw new InvalidOperationException($"the host is not as it was ({_cluster.Options.Folder} is kept):\n  {string.Join("\n  ", problems)}\n{logs}");
    }
}

/// <summary>Every test shares the cluster, one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class NodeCollection : ICollectionFixture<ClusterFixture>
{
    internal const string Name = "node";
}
