using System.Globalization;
using System.Text;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>Paths and queries of the API server.</summary>
internal static class ResourcePaths
{
    internal static string Collection(ResourceType type, string? namespaceName)
    {
        if (type.Namespaced && !string.IsNullOrEmpty(namespaceName))
            return $"{type.ApiPath}/namespaces/{Segment(namespaceName, "namespace")}/{type.Plural}";
        return $"{type.ApiPath}/{type.Plural}";
    }

    internal static string Item(ResourceType type, string? namespaceName, string name, string? subresource = null)
    {
        if (type.Namespaced && string.IsNullOrEmpty(namespaceName))
            throw new ArgumentException($"{type.Kind} {name}: an object of a namespaced kind needs metadata.namespace", nameof(namespaceName));
        string path = $"{Collection(type, namespaceName)}/{Segment(name, "name")}";
        return subresource is null ? path : $"{path}/{subresource}";
    }

    internal static string List(ResourceType type, string? namespaceName, ListOptions options)
    {
        QueryBuilder query = new(Collection(type, namespaceName));
        query.Add("labelSelector", options.LabelSelector);
        query.Add("fieldSelector", options.FieldSelector);
        query.Add("limit", options.Limit?.ToString(CultureInfo.InvariantCulture));
        query.Add("continue", options.Continue);
        if (string.IsNullOrEmpty(options.Continue))
        {
            query.Add("resourceVersion", options.ResourceVersion);
            query.Add("resourceVersionMatch", options.ResourceVersionMatch);
        }
        return query.ToString();
    }

    internal static string Watch(ResourceType type, string? namespaceName, WatchOptions options)
    {
        QueryBuilder query = new(Collection(type, namespaceName));
        query.Add("watch", "true");
        query.Add("labelSelector", options.LabelSelector);
        query.Add("fieldSelector", options.FieldSelector);
        query.Add("resourceVersion", options.ResourceVersion);
        query.Add("allowWatchBookmarks", options.AllowBookmarks ? "true" : null);
        query.Add("sendInitialEvents", options.SendInitialEvents ? "true" : null);
        query.Add("resourceVersionMatch", options.SendInitialEvents ? "NotOlderThan" : null);
        query.Add("timeoutSeconds", ((long)Math.Max(1, options.Timeout.TotalSeconds)).ToString(CultureInfo.InvariantCulture));
        return query.ToString();
    }

    internal static string Patch(string path, Patch patch)
    {
        QueryBuilder query = new(path);
        query.Add("fieldManager", patch.FieldManager);
        query.Add("force", patch.Force ? "true" : null);
        return query.ToString();
    }

    // A name from an API object may not leave its place in the path.
    private static string Segment(string value, string what)
    {
        if (value.Length == 0 || value is "." or ".." || value.AsSpan().ContainsAny('/', '%'))
            throw new ArgumentException($"{what} \"{value}\" cannot be part of a request path", nameof(value));
        return Uri.EscapeDataString(value);
    }
}

/// <summary>A path with its query.</summary>
internal sealed class QueryBuilder(string path)
{
    private readonly StringBuilder _text = new(path);
    private char _separator = '?';

    internal void Add(string name, string? value)
    {
        if (string.IsNullOrEmpty(value))
            return;
        _text.Append(_separator).Append(name).Append('=').Append(Uri.EscapeDataString(value));
        _separator = '&';
    }

    public override string ToString() => _text.ToString();
}
