using NodeAgent.Grpc;

namespace NodeAgent.Cri;

/// <summary>What kind of failure a runtime call had, as far as callers decide by it.</summary>
public enum CriErrorKind
{
    /// <summary>Anything not listed here; the runtime's message tells.</summary>
    Other,
    /// <summary>The runtime cannot be reached; the connection recovers by itself.</summary>
    Unavailable,
    /// <summary>The call's time limit passed. Whether the runtime did the work is not known: list and look.</summary>
    DeadlineExceeded,
    /// <summary>The sandbox, container or image does not exist.</summary>
    NotFound,
    /// <summary>The name is taken (a sandbox or container with this metadata exists).</summary>
    AlreadyExists,
    /// <summary>The runtime does not serve this RPC.</summary>
    Unimplemented,
    /// <summary>The runtime finds the request wrong.</summary>
    InvalidArgument,
    /// <summary>The object is not in a state for this call.</summary>
    FailedPrecondition,
    /// <summary>A size or other limit was reached.</summary>
    ResourceExhausted,
    /// <summary>The runtime may not do this (registries answer so).</summary>
    PermissionDenied,
}

/// <summary>A CRI call that failed.</summary>
public sealed class CriException : Exception
{
    /// <param name="rpc">CRI name of the call, e.g. StartContainer.</param>
    /// <param name="kind">Failure kind.</param>
    /// <param name="detail">The runtime's own message, or ours where it gave none.</param>
    /// <param name="inner">Cause.</param>
    public CriException(string rpc, CriErrorKind kind, string detail, Exception? inner = null) : base($"{rpc}: {detail}", inner)
    {
        Rpc = rpc;
        Kind = kind;
        Detail = detail;
    }

    /// <summary>CRI name of the call.</summary>
    public string Rpc { get; }

    /// <summary>Failure kind.</summary>
    public CriErrorKind Kind { get; }

    /// <summary>The runtime's message without the call's name.</summary>
    public string Detail { get; }

    /// <summary>The gRPC code where a call ended with one.</summary>
    public StatusCode? StatusCode => (InnerException as RpcException)?.StatusCode;

    internal static CriException From(string rpc, RpcException error) => new(rpc, KindOf(error.StatusCode), error.Status.Detail, error);

    internal static CriErrorKind KindOf(StatusCode code) => code switch
    {
        Grpc.StatusCode.Unavailable => CriErrorKind.Unavailable,
        Grpc.StatusCode.DeadlineExceeded => CriErrorKind.DeadlineExceeded,
        Grpc.StatusCode.NotFound => CriErrorKind.NotFound,
        Grpc.StatusCode.AlreadyExists => CriErrorKind.AlreadyExists,
        Grpc.StatusCode.Unimplemented => CriErrorKind.Unimplemented,
        Grpc.StatusCode.InvalidArgument => CriErrorKind.InvalidArgument,
        Grpc.StatusCode.FailedPrecondition => CriErrorKind.FailedPrecondition,
        Grpc.StatusCode.ResourceExhausted => CriErrorKind.ResourceExhausted,
        Grpc.StatusCode.PermissionDenied or Grpc.StatusCode.Unauthenticated => CriErrorKind.PermissionDenied,
        _ => CriErrorKind.Other,
    };
}
