using System.Net.Sockets;

namespace NodeAgent.Grpc.Client;

/// <summary>What HTTP and the socket report, as gRPC status (gRPC "HTTP2 error codes" and "HTTP to gRPC status mapping").</summary>
internal static class TransportErrors
{
    public static RpcException ToRpcException(Exception error)
    {
        for (Exception? e = error; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case ConnectFailedException: return new RpcException(new Status(StatusCode.Unavailable, e.Message), error);
                case HttpProtocolException protocol: return new RpcException(OfHttp2(protocol), error);
                case SocketException: return new RpcException(new Status(StatusCode.Unavailable, $"connection error: {e.Message}"), error);
            }
        }
        StatusCode code = error switch
        {
            HttpRequestException { HttpRequestError: HttpRequestError.ConfigurationLimitExceeded } => StatusCode.ResourceExhausted,
            HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse } => StatusCode.Internal,
            HttpIOException { HttpRequestError: HttpRequestError.InvalidResponse } => StatusCode.Internal,
            _ => StatusCode.Unavailable,
        };
        return new RpcException(new Status(code, $"transport: {Innermost(error).Message}"), error);
    }

    public static StatusCode OfHttpStatus(int status) => status switch
    {
        400 => StatusCode.Internal,
        401 => StatusCode.Unauthenticated,
        403 => StatusCode.PermissionDenied,
        404 => StatusCode.Unimplemented,
        429 or 502 or 503 or 504 => StatusCode.Unavailable,
        _ => StatusCode.Unknown,
    };

    private static Status OfHttp2(HttpProtocolException error) => error.ErrorCode switch
    {
        0 => new Status(StatusCode.Unavailable, "the peer closed the connection (NO_ERROR)"),
        7 => new Status(StatusCode.Unavailable, "the peer refused the stream (REFUSED_STREAM)"),
        8 => new Status(StatusCode.Cancelled, "the peer cancelled the stream (CANCEL)"),
        11 => new Status(StatusCode.ResourceExhausted, "the peer asked for calm (ENHANCE_YOUR_CALM)"),
        12 => new Status(StatusCode.PermissionDenied, "the peer wants more security (INADEQUATE_SECURITY)"),
        _ => new Status(StatusCode.Internal, $"HTTP/2 error {error.ErrorCode}: {error.Message}"),
    };

    private static Exception Innermost(Exception error)
    {
        while (error.InnerException is { } inner) error = inner;
        return error;
    }
}
