namespace NodeAgent.Kubelet.Server;

/// <summary>Who asks.</summary>
/// <param name="Name">User name.</param>
/// <param name="Uid">UID; "" where there is none.</param>
/// <param name="Groups">Groups.</param>
/// <param name="Extra">Extra fields of a TokenReview.</param>
public sealed record RequestUser(string Name, string Uid, IReadOnlyList<string> Groups, IReadOnlyDictionary<string, IReadOnlyList<string>> Extra)
{
    /// <summary>A request without credentials.</summary>
    public static readonly RequestUser Anonymous = new("system:anonymous", "", ["system:unauthenticated"], new Dictionary<string, IReadOnlyList<string>>());
}

/// <summary>What a request to the node's API is to the authorizer: a verb on nodes/&lt;subresource&gt;.</summary>
/// <param name="Verb">API verb; "" for methods without one.</param>
/// <param name="Subresources">Tried in order; any allowed one is enough.</param>
public sealed record NodeRequestAttributes(string Verb, IReadOnlyList<string> Subresources)
{
    /// <summary>Finds them. Pure. Source: pkg/kubelet/server/auth.go.</summary>
    public static NodeRequestAttributes Of(string method, string path)
    {
        string verb = method switch
        {
            "POST" => "create",
            "GET" => "get",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" => "delete",
            _ => "",
        };
        return new NodeRequestAttributes(verb, SubresourcesOf(path));
    }

    private static string[] SubresourcesOf(string path) => path switch
    {
        _ when IsBelow(path, "/pods") || IsBelow(path, "/runningpods") => ["pods", "proxy"],
        _ when IsBelow(path, "/healthz") => ["healthz", "proxy"],
        _ when IsBelow(path, "/configz") => ["configz", "proxy"],
        _ when IsBelow(path, "/stats") => ["stats"],
        _ when IsBelow(path, "/metrics") => ["metrics"],
        _ when IsBelow(path, "/logs") => ["log"],
        _ when IsBelow(path, "/checkpoint") => ["checkpoint"],
        _ when IsBelow(path, "/statusz") => ["statusz"],
        _ when IsBelow(path, "/flagz") => ["configz"],
        _ => ["proxy"],
    };

    private static bool IsBelow(string path, string prefix) =>
        path.StartsWith(prefix, StringComparison.Ordinal) && (path.Length == prefix.Length || path[prefix.Length] == '/');
}
