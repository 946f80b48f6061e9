namespace NodeAgent.Grpc;

/// <summary>How a call ended: a code and the peer's sentence.</summary>
/// <param name="StatusCode">The code.</param>
/// <param name="Detail">The peer's message, percent-decoded; may be empty.</param>
public readonly record struct Status(StatusCode StatusCode, string Detail);

/// <summary>A call that did not end with OK. A caller's own cancellation is an <see cref="OperationCanceledException"/> instead.</summary>
public sealed class RpcException : Exception
{
    /// <summary>A failure without trailers.</summary>
    public RpcException(Status status, Exception? inner = null) : this(status, Metadata.Empty, inner)
    {
    }

    /// <summary>A failure with the trailers the peer sent.</summary>
    public RpcException(Status status, Metadata trailers, Exception? inner = null)
        : base($"rpc error: code = {status.StatusCode} desc = {status.Detail}", inner)
    {
        Status = status;
        Trailers = trailers;
    }

    /// <summary>Code and message.</summary>
    public Status Status { get; }

    /// <summary>The code.</summary>
    public StatusCode StatusCode => Status.StatusCode;

    /// <summary>Trailers; empty where the peer sent none.</summary>
    public Metadata Trailers { get; }

    /// <summary>The google.rpc.Status bytes of grpc-status-details-bin; null where absent.</summary>
    public byte[]? StatusDetails => Trailers.GetBytes("grpc-status-details-bin");
}
