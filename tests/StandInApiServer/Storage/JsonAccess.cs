using System.Text.Json;
using System.Text.Json.Nodes;

namespace NodeAgent.StandIn.Storage;

/// <summary>Reading and writing of untyped API objects: an absent step of a path counts as an absent value.</summary>
internal static class JsonAccess
{
    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (string step in path)
            node = node is JsonObject map && map.TryGetPropertyValue(step, out JsonNode? next) ? next : null;
        return node;
    }

    public static string? Text(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    public static long? Number(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path) switch
    {
        JsonValue value when value.TryGetValue(out long number) => number,
        JsonValue value when value.TryGetValue(out int number) => number,
        JsonValue value when value.TryGetValue(out double number) => (long)number,
        _ => null,
    };

    public static bool? Flag(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.TryGetValue(out bool flag) ? flag : null;

    public static JsonObject? Map(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path) as JsonObject;

    public static List<JsonObject> Items(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonArray list ? [.. list.OfType<JsonObject>()] : [];

    public static List<string> Texts(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonArray list ? [.. list.Select(item => item.Text()).OfType<string>()] : [];

    public static Dictionary<string, string> Labels(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        Dictionary<string, string> labels = new(StringComparer.Ordinal);
        if (node.At(path) is JsonObject map)
            foreach ((string key, JsonNode? value) in map)
                labels[key] = value.Text() ?? "";
        return labels;
    }

    /// <summary>The object at the path, made where it is absent.</summary>
    public static JsonObject Ensure(this JsonObject node, params ReadOnlySpan<string> path)
    {
        foreach (string step in path)
        {
            if (node[step] is not JsonObject next)
                node[step] = next = [];
            node = next;
        }
        return node;
    }

    /// <summary>Sets the field where it is absent or null.</summary>
    public static void Default(this JsonObject node, string name, JsonNode value)
    {
        if (node[name] is null)
            node[name] = value;
    }

    public static JsonObject Copy(this JsonObject node) => node.DeepClone().AsObject();

    public static JsonArray ListOf(IEnumerable<JsonNode?> items) => new([.. items]);

    public static JsonArray ListOf(IEnumerable<string> items) => new([.. items.Select(item => (JsonNode?)JsonValue.Create(item))]);

    /// <summary>Walks the whole tree, so that later reads from many threads change nothing inside it.</summary>
    public static void Materialize(JsonNode? node)
    {
        if (node is JsonObject map)
            foreach ((_, JsonNode? value) in map)
                Materialize(value);
        else if (node is JsonArray list)
            foreach (JsonNode? value in list)
                Materialize(value);
    }

    public static byte[] Bytes(this JsonNode node)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream, Relaxed))
            node.WriteTo(writer);
        return stream.ToArray();
    }

    private static readonly JsonWriterOptions Relaxed = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = 200,
    };
}
