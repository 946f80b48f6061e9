using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>Strict decoding of configuration: which fields of a JSON tree the type does not have.</summary>
public static class StrictFields
{
    /// <summary>
    /// The paths of fields that <paramref name="type"/> has no property for, in the order of the text. Names count by case. Types with
    /// a converter of their own are not looked into.
    /// </summary>
    public static IReadOnlyList<string> Unknown(JsonNode? root, JsonTypeInfo type)
    {
        ArgumentNullException.ThrowIfNull(type);
        List<string> found = [];
        Walk(root, type, "", found);
        return found;
    }

    private static void Walk(JsonNode? node, JsonTypeInfo type, string path, List<string> found)
    {
        switch (node)
        {
            case JsonObject map when type.Kind == JsonTypeInfoKind.Object:
                foreach ((string name, JsonNode? value) in map)
                    WalkField(name, value, type, path.Length == 0 ? name : $"{path}.{name}", found);
                break;
            case JsonObject map when type.Kind == JsonTypeInfoKind.Dictionary && type.ElementType is { } element:
                foreach ((string name, JsonNode? value) in map)
                    Walk(value, type.Options.GetTypeInfo(element), path.Length == 0 ? name : $"{path}.{name}", found);
                break;
            case JsonArray list when type.Kind == JsonTypeInfoKind.Enumerable && type.ElementType is { } element:
                for (int i = 0; i < list.Count; i++)
                    Walk(list[i], type.Options.GetTypeInfo(element), string.Create(CultureInfo.InvariantCulture, $"{path}[{i}]"), found);
                break;
        }
    }

    private static void WalkField(string name, JsonNode? value, JsonTypeInfo type, string path, List<string> found)
    {
        JsonPropertyInfo? property = null;
        foreach (JsonPropertyInfo candidate in type.Properties)
            if (!candidate.IsExtensionData && candidate.Name == name)
                property = candidate;
        if (property is null)
            found.Add(path);
        else
            Walk(value, type.Options.GetTypeInfo(property.PropertyType), path, found);
    }
}
