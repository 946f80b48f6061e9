namespace NodeAgent.Kubernetes.Rest;

/// <summary>One request, repeatable.</summary>
/// <param name="Method">The method.</param>
/// <param name="PathAndQuery">Path from the root, with query.</param>
/// <param name="Body">The body; empty for none.</param>
/// <param name="ContentType">The body's type.</param>
/// <param name="Timeout">The limit of one attempt until the answer's head; of all but watches also its body.</param>
internal sealed record ApiRequest(
    HttpMethod Method, string PathAndQuery, ReadOnlyMemory<byte> Body, string? ContentType, TimeSpan Timeout)
{
    /// <summary>True when a repetition after an unknown outcome does no harm.</summary>
    internal bool Repeatable => Method == HttpMethod.Get || Method == HttpMethod.Head;

    /// <summary>Method and path, without the query, which may be long.</summary>
    public override string ToString()
    {
        int query = PathAndQuery.IndexOf('?', StringComparison.Ordinal);
        return $"{Method} {(query < 0 ? PathAndQuery : PathAndQuery[..query])}";
    }
}
