using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>A change to one object: its content type and body.</summary>
/// <param name="ContentType">One of the four patch types of the API server.</param>
/// <param name="Body">UTF-8 JSON (of an apply patch, YAML or JSON).</param>
/// <param name="FieldManager">The field manager; required for apply.</param>
/// <param name="Force">For apply: take over fields owned by others.</param>
public sealed record Patch(string ContentType, ReadOnlyMemory<byte> Body, string? FieldManager = null, bool Force = false)
{
    /// <summary>RFC 6902: a list of operations.</summary>
    public static Patch Json(JsonArray operations) => new("application/json-patch+json", Bytes(operations));

    /// <summary>RFC 7396: objects are merged, lists are replaced.</summary>
    public static Patch Merge(JsonNode body) => new("application/merge-patch+json", Bytes(body));

    /// <summary>RFC 7396 from UTF-8 JSON.</summary>
    public static Patch Merge(ReadOnlyMemory<byte> utf8Json) => new("application/merge-patch+json", utf8Json);

    /// <summary>Strategic merge: lists are merged by the keys that the API's types declare.</summary>
    public static Patch StrategicMerge(JsonNode body) => new("application/strategic-merge-patch+json", Bytes(body));

    /// <summary>Strategic merge from UTF-8 JSON.</summary>
    public static Patch StrategicMerge(ReadOnlyMemory<byte> utf8Json) => new("application/strategic-merge-patch+json", utf8Json);

    /// <summary>Server-side apply.</summary>
    public static Patch Apply(JsonNode body, string fieldManager, bool force = false) =>
        new("application/apply-patch+yaml", Bytes(body), fieldManager, force);

    private static byte[] Bytes(JsonNode body)
    {
        ArgumentNullException.ThrowIfNull(body);
        ArrayBufferWriter<byte> buffer = new(1024);
        using (Utf8JsonWriter writer = new(buffer))
            body.WriteTo(writer);
        return buffer.WrittenSpan.ToArray();
    }
}
