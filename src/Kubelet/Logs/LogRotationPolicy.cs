namespace NodeAgent.Kubelet.Logs;

/// <summary>When and how container logs are rotated.</summary>
/// <param name="MaximumSize">containerLogMaxSize in bytes; negative: never.</param>
/// <param name="MaximumFiles">containerLogMaxFiles: files of one container, the live one included; at least 2.</param>
/// <param name="Workers">containerLogMaxWorkers: rotations at once.</param>
/// <param name="Period">containerLogMonitorInterval.</param>
public sealed record LogRotationPolicy(long MaximumSize, int MaximumFiles, int Workers, TimeSpan Period)
{
    /// <summary>Upstream's defaults.</summary>
    public static LogRotationPolicy Default { get; } = new(10 << 20, 5, 1, TimeSpan.FromSeconds(10));
}

/// <summary>A log that is being written.</summary>
/// <param name="ContainerId">The runtime's id of the running container.</param>
/// <param name="Path">Its log file.</param>
public sealed record RunningLog(string ContainerId, string Path);
