namespace NodeAgent.Grpc.Server;

/// <summary>What a handler knows of its call.</summary>
public sealed class ServerCallContext
{
    internal ServerCallContext(string method, string authority, Metadata requestHeaders, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        Method = method;
        Authority = authority;
        RequestHeaders = requestHeaders;
        Timeout = timeout;
        CancellationToken = cancellationToken;
    }

    /// <summary>The path: "/service/name".</summary>
    public string Method { get; }

    /// <summary>The :authority the client sent; any text, a socket path among them.</summary>
    public string Authority { get; }

    /// <summary>Request headers without pseudo-headers.</summary>
    public Metadata RequestHeaders { get; }

    /// <summary>The grpc-timeout the client sent, or null.</summary>
    public TimeSpan? Timeout { get; }

    /// <summary>Cancelled where the client reset the call or went away, the deadline passed, or the server ends.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>Sent after the last message.</summary>
    public Metadata ResponseTrailers { get; } = Metadata.Empty;
}
