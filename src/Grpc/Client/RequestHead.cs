using NodeAgent.Grpc.Http2;

namespace NodeAgent.Grpc.Client;

/// <summary>The headers of a request (gRPC over HTTP/2, "Requests").</summary>
internal readonly record struct RequestHead(string Path, string Authority, string UserAgent, CallOptions Options)
{
    public void Write(HpackWriter block)
    {
        block.PostOverHttp();
        block.Add(":path", Path);
        block.Add(":authority", Authority);
        block.Add("content-type", "application/grpc");
        block.Add("user-agent", UserAgent);
        block.Add("te", "trailers");
        block.Add("grpc-accept-encoding", "identity");
        if (Options.Timeout is { } timeout) block.Add("grpc-timeout", GrpcTimeout.Format(timeout));
        if (Options.Headers is not { } headers) return;
        foreach (MetadataEntry entry in headers) block.Add(entry.Key, entry.Value);
    }
}
