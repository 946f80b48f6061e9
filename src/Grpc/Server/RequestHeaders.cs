namespace NodeAgent.Grpc.Server;

/// <summary>A request's header list, checked (RFC 9113 section 8.3, gRPC over HTTP/2).</summary>
internal sealed record RequestHeaders(string Method, string Path, string Authority, Metadata Fields)
{
    /// <returns>Null where the list is malformed. Any :authority is taken: kubelet's peers send socket paths.</returns>
    public static RequestHeaders? Parse(List<(string Name, string Value)> list)
    {
        string? method = null, path = null, authority = null;
        Metadata fields = Metadata.Empty;
        foreach ((string name, string value) in list)
        {
            if (name.Length == 0 || name.Any(char.IsAsciiLetterUpper)) return null;
            if (name[0] != ':')
            {
                fields.Add(name, value);
                continue;
            }
            if (fields.Count > 0) return null;
            switch (name)
            {
                case ":method" when method is null: method = value; break;
                case ":path" when path is null: path = value; break;
                case ":authority" when authority is null: authority = value; break;
                case ":scheme": break;
                default: return null;
            }
        }
        return method is null || path is null ? null : new RequestHeaders(method, path, authority ?? fields.Get("host") ?? "", fields);
    }

    /// <summary>Why the call cannot be served, or null.</summary>
    public Status? Objection()
    {
        if (Method != "POST") return new Status(StatusCode.Internal, $"HTTP method {Method} instead of POST");
        string type = Fields.Get("content-type") ?? "";
        if (!type.StartsWith("application/grpc", StringComparison.Ordinal)) return new Status(StatusCode.Internal, $"content type \"{type}\" instead of application/grpc");
        if (Fields.Get("grpc-encoding") is { } encoding && encoding != "identity") return new Status(StatusCode.Unimplemented, $"message encoding {encoding} is not supported, only identity");
        if (Fields.Get("grpc-timeout") is { } timeout && !GrpcTimeout.TryParse(timeout, out _)) return new Status(StatusCode.Internal, $"malformed grpc-timeout \"{timeout}\"");
        return null;
    }
}
