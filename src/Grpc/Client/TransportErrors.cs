using System.Net.Sockets;
using NodeAgent.Grpc.Http2;

namespace NodeAgent.Grpc.Client;

/// <summary>The peer reset a stream.</summary>
internal sealed class StreamResetException(uint code) : Exception($"the peer reset the stream (HTTP/2 error {code})")
{
    public uint Code { get; } = code;
}

/// <summary>The peer says that it has not begun the call: it may be made again.</summary>
internal sealed class NotProcessedException(string message) : Exception(message);

/// <summary>What HTTP/2 and the socket report, as gRPC status (gRPC "HTTP2 error codes" and "HTTP to gRPC status mapping").</summary>
internal static class TransportErrors
{
    public static RpcException ToRpcException(Exception error) => new(OfException(error), error);

    public static StatusCode OfHttpStatus(int status) => status switch
    {
        400 => StatusCode.Internal,
        401 => StatusCode.Unauthenticated,
        403 => StatusCode.PermissionDenied,
        404 => StatusCode.Unimplemented,
        429 or 502 or 503 or 504 => StatusCode.Unavailable,
        _ => StatusCode.Unknown,
    };

    private static Status OfException(Exception error) => error switch
    {
        ConnectFailedException or NotProcessedException => new Status(StatusCode.Unavailable, error.Message),
        StreamResetException reset => OfReset(reset),
        Http2Exception wrong => new Status(StatusCode.Internal, $"HTTP/2 error {(uint)wrong.Code}: {wrong.Message}"),
        ObjectDisposedException => new Status(StatusCode.Cancelled, "the channel was closed"),
        SocketException => new Status(StatusCode.Unavailable, $"connection error: {error.Message}"),
        _ => new Status(StatusCode.Unavailable, $"transport: {error.Message}"),
    };

    private static Status OfReset(StreamResetException reset) => reset.Code switch
    {
        0 => new Status(StatusCode.Unavailable, "the peer closed the stream (NO_ERROR)"),
        8 => new Status(StatusCode.Cancelled, "the peer cancelled the stream (CANCEL)"),
        11 => new Status(StatusCode.ResourceExhausted, "the peer asked for calm (ENHANCE_YOUR_CALM)"),
        12 => new Status(StatusCode.PermissionDenied, "the peer wants more security (INADEQUATE_SECURITY)"),
        _ => new Status(StatusCode.Internal, reset.Message),
    };
}
