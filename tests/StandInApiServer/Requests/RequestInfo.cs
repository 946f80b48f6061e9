using Microsoft.AspNetCore.Http;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Requests;

/// <summary>What a resource request asks for.</summary>
/// <param name="Verb">get, list, watch, create, update, patch, delete or deletecollection.</param>
/// <param name="Group">The API group.</param>
/// <param name="Version">The version.</param>
/// <param name="Plural">The resource's path element.</param>
/// <param name="Namespace">The namespace; null for all or for cluster-scoped kinds.</param>
/// <param name="Name">The object's name, or null.</param>
/// <param name="Subresource">The subresource, or null.</param>
/// <param name="Rest">What follows the subresource (proxy).</param>
internal sealed record RequestInfo(
    string Verb, string Group, string Version, string Plural, string? Namespace, string? Name, string? Subresource, string Rest)
{
    public ResourceDefinition? Definition { get; } = ResourceTable.Find(Group, Version, Plural);

    /// <summary>Null when the path names no resource.</summary>
    public static RequestInfo? Parse(HttpRequest request)
    {
        string[] parts = (request.Path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        int start;
        string group, version;
        if (parts is ["api", _, _, ..])
            (group, version, start) = ("", parts[1], 2);
        else if (parts is ["apis", _, _, _, ..])
            (group, version, start) = (parts[1], parts[2], 3);
        else
            return null;
        string? namespaceName = null;
        if (parts[start] == "namespaces" && parts.Length > start + 2 && parts[start + 2] is not ("status" or "finalize"))
        {
            namespaceName = parts[start + 1];
            start += 2;
        }
        string? name = parts.Length > start + 1 ? parts[start + 1] : null;
        string? subresource = parts.Length > start + 2 ? parts[start + 2] : null;
        string rest = parts.Length > start + 3 ? string.Join('/', parts[(start + 3)..]) : "";
        string verb = VerbOf(request, name is not null);
        return new RequestInfo(verb, group, version, parts[start], namespaceName, name, subresource, rest);
    }

    private static string VerbOf(HttpRequest request, bool named) => request.Method switch
    {
        "GET" or "HEAD" when request.Query["watch"].ToString() is "true" or "1" => "watch",
        "GET" or "HEAD" => named ? "get" : "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => named ? "delete" : "deletecollection",
        _ => request.Method.ToLowerInvariant(),
    };
}
