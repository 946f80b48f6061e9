using System.Globalization;

namespace NodeAgent.Grpc.Client;

/// <summary>What the headers and trailers of a response say (gRPC over HTTP/2, "Responses").</summary>
internal static class ResponseHeaders
{
    private const string StatusName = "grpc-status";

    public static string? First(List<(string Name, string Value)> headers, string name)
    {
        foreach ((string key, string value) in headers)
            if (key == name) return value;
        return null;
    }

    public static bool HaveStatus(List<(string Name, string Value)> headers) => First(headers, StatusName) is not null;

    /// <summary>1xx: an answer before the answer.</summary>
    public static bool AreInformational(List<(string Name, string Value)> headers) => First(headers, ":status") is ['1', _, _];

    /// <summary>Why a response that begins so is none of gRPC; null where it is one.</summary>
    public static RpcException? Objection(List<(string Name, string Value)> headers)
    {
        if (HaveStatus(headers)) return null;
        string http = First(headers, ":status") ?? "";
        if (http != "200")
        {
            StatusCode code = int.TryParse(http, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? TransportErrors.OfHttpStatus(number) : StatusCode.Internal;
            return Failure(headers, code, $"HTTP status {http} instead of 200");
        }
        string type = First(headers, "content-type") ?? "";
        return type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase)
            ? null
            : Failure(headers, StatusCode.Unknown, $"content type \"{type}\" instead of application/grpc: the peer is no gRPC server");
    }

    /// <summary>How the peer says the call ended; null = OK.</summary>
    /// <param name="trailers">Of a response that has ended: its trailers, or its headers where it has no others.</param>
    public static RpcException? Outcome(List<(string Name, string Value)> trailers)
    {
        if (First(trailers, StatusName) is not { } text) return Failure(trailers, StatusCode.Internal, "the peer closed the stream without sending trailers");
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int code))
            return Failure(trailers, StatusCode.Unknown, $"malformed {StatusName} \"{text}\"");
        if (code == 0) return null;
        return Failure(trailers, code <= 16 ? (StatusCode)code : StatusCode.Unknown, PercentEncoding.Decode(First(trailers, "grpc-message") ?? ""));
    }

    public static RpcException Failure(List<(string Name, string Value)> headers, StatusCode code, string detail)
    {
        Metadata metadata = Metadata.Empty;
        foreach ((string name, string value) in headers)
            if (!name.StartsWith(':')) metadata.Add(name, value);
        return new RpcException(new Status(code, detail), metadata);
    }
}
