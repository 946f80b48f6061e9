namespace NodeAgent.Cri.Connection;

/// <summary>What a connection to a runtime needs beside its endpoint.</summary>
public sealed record CriConnectionOptions
{
    /// <summary>Limits of each call.</summary>
    public CriTimeLimits Limits { get; init; } = CriTimeLimits.Default;

    /// <summary>Flag to name in messages.</summary>
    public string Flag { get; init; } = "--container-runtime-endpoint";

    /// <summary>Told of each finished call; null = nobody.</summary>
    public IRuntimeOperationObserver? Observer { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Longest wait between connects. Default 3 s, as upstream.</summary>
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(3);
}
