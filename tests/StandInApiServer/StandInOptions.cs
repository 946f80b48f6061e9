using System.Net;

namespace NodeAgent.StandIn;

/// <summary>How a stand-in API server runs.</summary>
public sealed record StandInOptions
{
    /// <summary>The address to listen on; a kubelet on another network needs one it can reach.</summary>
    public IPAddress Bind { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0 for any free one.</summary>
    public int Port { get; init; }

    /// <summary>Where keys and state are kept over restarts; null: in memory only.</summary>
    public string? DataFolder { get; init; }

    /// <summary>Changes kept for watches that come back.</summary>
    public int HistoryLimit { get; init; } = 20_000;

    /// <summary>How often an idle watch gets a bookmark.</summary>
    public TimeSpan BookmarkPeriod { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Run scheduler, workload, endpoint and other controllers in process.</summary>
    public bool Controllers { get; init; } = true;

    /// <summary>Run the scheduler among the controllers.</summary>
    public bool Scheduler { get; init; } = true;

    /// <summary>A node whose lease is older counts as unreachable.</summary>
    public TimeSpan NodeMonitorGracePeriod { get; init; } = TimeSpan.FromSeconds(40);

    /// <summary>Names and addresses in the server's certificate besides the usual ones.</summary>
    public IReadOnlyList<string> CertificateNames { get; init; } = [];

    /// <summary>The largest request taken, bytes; as the real one's by default.</summary>
    public long LargestRequest { get; init; } = 3 << 20;

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
