namespace NodeAgent.Grpc.Client;

/// <summary>What a channel may be told. The defaults are those the kubelet's CRI client has (cri-client/pkg).</summary>
public sealed record GrpcChannelOptions
{
    /// <summary>Largest message in either direction, bytes. Default 16 MiB.</summary>
    public int MaxMessageSize { get; init; } = 16 * 1024 * 1024;

    /// <summary>Wait after the first failed connect; doubles. Calls in between fail at once with the last failure. Default 100 ms.</summary>
    public TimeSpan InitialBackoff { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Longest wait between connects. Default 3 s.</summary>
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Longest time one connect may take. Default 5 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The :authority header. Default "localhost", which is what grpc-go sends for Unix sockets.</summary>
    public string Authority { get; init; } = "localhost";

    /// <summary>The user-agent header.</summary>
    public string UserAgent { get; init; } = "node-agent-grpc";

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
