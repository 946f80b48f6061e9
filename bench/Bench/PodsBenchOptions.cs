using NodeAgent.Harness.Cluster;

namespace NodeAgent.Bench;

/// <summary>How much is measured.</summary>
internal sealed record PodsBenchOptions
{
    /// <summary>Pods of one burst.</summary>
    public int Pods { get; init; } = 100;

    /// <summary>Runs of each kubelet, in turn.</summary>
    public int Runs { get; init; } = 3;

    /// <summary>Pods created and deleted one after another in each run.</summary>
    public int Single { get; init; } = 5;

    /// <summary>How long the node is watched at rest, with the burst's pods running.</summary>
    public TimeSpan Rest { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Further builds or settings of the agent, each a subject of its own.</summary>
    public IReadOnlyList<KubeletProgram> Also { get; init; } = [];

    /// <summary>Where the figures of each run go as JSON; null for nowhere.</summary>
    public string? Json { get; init; }
}
