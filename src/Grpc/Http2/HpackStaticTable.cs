namespace NodeAgent.Grpc.Http2;

/// <summary>RFC 7541, appendix A.</summary>
internal static class HpackStaticTable
{
    private static readonly (string Name, string Value)[] Entries = Build();

    public static int Count => Entries.Length;

    /// <param name="index">1-based.</param>
    public static (string Name, string Value) Get(int index) => Entries[index - 1];

    private static (string, string)[] Build()
    {
        (string, string)[] withValue =
        [
            (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"), (":scheme", "http"),
            (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"), (":status", "304"), (":status", "400"),
            (":status", "404"), (":status", "500"), ("accept-charset", ""), ("accept-encoding", "gzip, deflate"),
        ];
        string[] nameOnly =
        [
            "accept-language", "accept-ranges", "accept", "access-control-allow-origin", "age", "allow", "authorization", "cache-control",
            "content-disposition", "content-encoding", "content-language", "content-length", "content-location", "content-range",
            "content-type", "cookie", "date", "etag", "expect", "expires", "from", "host", "if-match", "if-modified-since",
            "if-none-match", "if-range", "if-unmodified-since", "last-modified", "link", "location", "max-forwards", "proxy-authenticate",
            "proxy-authorization", "range", "referer", "refresh", "retry-after", "server", "set-cookie", "strict-transport-security",
            "transfer-encoding", "user-agent", "vary", "via", "www-authenticate",
        ];
        return [.. withValue, .. nameOnly.Select(name => (name, ""))];
    }
}
