using NodeAgent.Cri.V1;

namespace NodeAgent.Cri;

/// <summary>How long each call may take, from runtimeRequestTimeout (rules of cri-client/pkg/remote_runtime.go).</summary>
/// <param name="Normal">runtimeRequestTimeout; 2 minutes by default.</param>
public sealed record CriTimeLimits(TimeSpan Normal)
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(40);

    /// <summary>The default limits.</summary>
    public static CriTimeLimits Default { get; } = new(TimeSpan.FromMinutes(2));

    /// <summary>Twice the normal limit.</summary>
    public TimeSpan RunPodSandbox => Normal * 2;

    /// <summary>The normal limit plus the grace period.</summary>
    public TimeSpan StopContainer(StopContainerRequest request) => Plus(request.Timeout);

    /// <summary>The normal limit plus the command's own timeout; null (none) where that is 0.</summary>
    public TimeSpan? ExecSync(ExecSyncRequest request) => request.Timeout > 0 ? Plus(request.Timeout) : null;

    /// <summary>The request's timeout where given, else the normal limit.</summary>
    public TimeSpan CheckpointContainer(CheckpointContainerRequest request) =>
        request.Timeout > 0 ? TimeSpan.FromSeconds(Math.Min(request.Timeout, Longest.TotalSeconds)) : Normal;

    private TimeSpan Plus(long seconds) => Normal + TimeSpan.FromSeconds(Math.Clamp(seconds, 0, Longest.TotalSeconds));
}
