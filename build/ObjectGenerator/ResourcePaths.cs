using System.Text.Json;

namespace NodeAgent.ObjectGenerator;

/// <summary>Under which path each kind is listed or posted, from the paths of an OpenAPI document.</summary>
internal sealed class ResourcePaths
{
    private readonly Dictionary<(string, string, string), (string Plural, bool Namespaced)> resources = [];

    public ResourcePaths(JsonElement paths)
    {
        foreach (JsonProperty path in paths.EnumerateObject())
            foreach (string method in (string[])["get", "post"])
                if (path.Value.TryGetProperty(method, out JsonElement operation))
                    Add(path.Name, operation);
    }

    /// <summary>The words of api.schema for a kind, or null when it has no path.</summary>
    public string? Find(JsonElement groupVersionKind)
    {
        (string group, string version, string kind) = Key(groupVersionKind);
        return resources.TryGetValue((group, version, kind), out var found)
            ? $"{kind} {(group.Length == 0 ? "" : group + "/")}{version} {found.Plural} {(found.Namespaced ? "namespaced" : "cluster")}"
            : null;
    }

    private void Add(string path, JsonElement operation)
    {
        if (!operation.TryGetProperty("x-kubernetes-group-version-kind", out JsonElement kind)
            || !operation.TryGetProperty("x-kubernetes-action", out JsonElement action) || action.GetString() is not ("list" or "post")
            || path.Contains("/watch/", StringComparison.Ordinal) || path.EndsWith('}'))
            return;
        string[] parts = path.Trim('/').Split('/');
        string[] rest = parts[0] == "api" ? parts[2..] : parts[3..];
        bool namespaced = rest is ["namespaces", "{namespace}", _, ..];
        if (namespaced)
            rest = rest[2..];
        // A kind with a path of its own is named by that; others are posted below an object of another kind.
        string? plural = rest switch
        {
            [var one] => one,
            [var parent, "{name}", var sub] => $"{parent}/{sub}",
            _ => null,
        };
        if (plural is null)
            return;
        bool known = resources.TryGetValue(Key(kind), out var old);
        int depth = plural.Count(c => c == '/');
        int oldDepth = known ? old.Plural.Count(c => c == '/') : int.MaxValue;
        if (!known || depth < oldDepth || (depth == oldDepth && namespaced && !old.Namespaced))
            resources[Key(kind)] = (plural, namespaced);
    }

    private static (string Group, string Version, string Kind) Key(JsonElement kind) =>
        (kind.GetProperty("group").GetString()!, kind.GetProperty("version").GetString()!, kind.GetProperty("kind").GetString()!);
}
