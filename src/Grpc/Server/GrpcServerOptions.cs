namespace NodeAgent.Grpc.Server;

/// <summary>Limits of a server.</summary>
public sealed record GrpcServerOptions
{
    /// <summary>Largest message in either direction, bytes. Default 16 MiB.</summary>
    public int MaxMessageSize { get; init; } = 16 * 1024 * 1024;

    /// <summary>Calls under way on one connection; further ones are refused. Default 250.</summary>
    public int MaxConcurrentStreams { get; init; } = 250;

    /// <summary>Connections at one time; further ones wait in the socket's backlog. Default 256.</summary>
    public int MaxConnections { get; init; } = 256;

    /// <summary>Access rights of the socket file. Default: the owner only.</summary>
    public UnixFileMode SocketMode { get; init; } = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The clock of deadlines.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
