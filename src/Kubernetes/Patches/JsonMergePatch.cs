using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Patches;

/// <summary>JSON merge patches, RFC 7396 (content type application/merge-patch+json).</summary>
public static class JsonMergePatch
{
    /// <summary>The patch that turns <paramref name="original"/> into <paramref name="modified"/>; an empty object when they are equal.</summary>
    public static JsonObject Create(JsonObject original, JsonObject modified)
    {
        ArgumentNullException.ThrowIfNull(original);
        ArgumentNullException.ThrowIfNull(modified);
        JsonObject patch = [];
        foreach ((string name, JsonNode? value) in modified)
        {
            if (!original.TryGetPropertyValue(name, out JsonNode? old))
                patch[name] = value?.DeepClone();
            else if (old is JsonObject oldMap && value is JsonObject newMap)
            {
                JsonObject inner = Create(oldMap, newMap);
                if (inner.Count > 0)
                    patch[name] = inner;
            }
            else if (!JsonNode.DeepEquals(old, value))
                patch[name] = value?.DeepClone();
        }
        foreach ((string name, _) in original)
            if (!modified.ContainsKey(name))
                patch[name] = null;
        return patch;
    }

    /// <summary>The patched object; the arguments stay as they are.</summary>
    public static JsonNode? Apply(JsonNode? original, JsonNode? patch)
    {
        if (patch is not JsonObject changes)
            return patch?.DeepClone();
        JsonObject result = original is JsonObject map ? map.DeepClone().AsObject() : [];
        foreach ((string name, JsonNode? value) in changes)
        {
            if (value is null)
                result.Remove(name);
            else
                result[name] = Apply(result[name], value);
        }
        return result;
    }
}
