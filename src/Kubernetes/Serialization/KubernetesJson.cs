using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>
/// Reads and writes API objects as JSON, the way the API server does: names are case-sensitive, numbers are never read from texts,
/// unknown fields are kept, empty lists and unset fields are not written.
/// </summary>
public static class KubernetesJson
{
    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = YamlReader.MaxDepth };
    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The object as UTF-8 JSON.</summary>
    public static byte[] SerializeToUtf8Bytes<T>(T value)
        where T : class, IJsonObject<T>
    {
        using JsonScratch scratch = new();
        return scratch.Write(value).ToArray();
    }

    /// <summary>Writes the object as UTF-8 JSON to <paramref name="target"/>.</summary>
    public static void Serialize<T>(T value, IBufferWriter<byte> target)
        where T : class, IJsonObject<T>
    {
        ArgumentNullException.ThrowIfNull(value);
        using Utf8JsonWriter writer = new(target, WriterOptions);
        value.Write(writer);
    }

    /// <summary>The object as JSON text.</summary>
    public static string Serialize<T>(T value)
        where T : class, IJsonObject<T>
    {
        using JsonScratch scratch = new();
        return Encoding.UTF8.GetString(scratch.Write(value));
    }

    /// <summary>The object as a JSON tree, for patches and strict checks.</summary>
    public static JsonObject SerializeToNode<T>(T value)
        where T : class, IJsonObject<T>
    {
        using JsonScratch scratch = new();
        return Tree(scratch.Write(value))!.AsObject();
    }

    /// <summary>Reads one object; nothing but white space may follow it.</summary>
    /// <exception cref="JsonException">The text is no JSON or not of the type's shape; the message names the path.</exception>
    public static T Deserialize<T>(ReadOnlySpan<byte> utf8Json)
        where T : class, IJsonObject<T>
    {
        Utf8JsonReader reader = new(utf8Json, ReaderOptions);
        try
        {
            reader.Read();
            T value = JsonOf<T>.Read(ref reader);
            reader.Read();
            return value;
        }
        catch (JsonException e) when (e.Path is null)
        {
            string path = JsonPaths.At(utf8Json, reader.TokenStartIndex);
            throw new JsonException($"{typeof(T).Name} {path}: {e.Message}", path, e.LineNumber, e.BytePositionInLine, e);
        }
        catch (InvalidOperationException e)
        {
            // The reader's word for text that is not UTF-8.
            string path = JsonPaths.At(utf8Json, reader.TokenStartIndex);
            throw new JsonException($"{typeof(T).Name} {path}: {e.Message}", path, null, null, e);
        }
    }

    /// <summary>The resourceVersion in an object's metadata; null where it has none. Nothing behind it is read.</summary>
    /// <exception cref="JsonException">What was read is no JSON object.</exception>
    public static string? ResourceVersion(ReadOnlySpan<byte> utf8Json)
    {
        Utf8JsonReader reader = new(utf8Json, ReaderOptions);
        reader.Read();
        JsonFields.StartObject(ref reader);
        while (JsonFields.NextField(ref reader))
        {
            bool metadata = JsonFields.Is(ref reader, "metadata"u8);
            reader.Read();
            if (!metadata || reader.TokenType == JsonTokenType.Null)
            {
                reader.Skip();
                continue;
            }
            JsonFields.StartObject(ref reader);
            while (JsonFields.NextField(ref reader))
            {
                if (JsonFields.Is(ref reader, "resourceVersion"u8))
                    return JsonFields.ReadString(ref reader);
                reader.Skip();
            }
        }
        return null;
    }

    /// <summary>Reads one object from JSON text.</summary>
    /// <inheritdoc cref="Deserialize{T}(ReadOnlySpan{byte})"/>
    public static T Deserialize<T>(string json)
        where T : class, IJsonObject<T> => Deserialize<T>(Encoding.UTF8.GetBytes(json));

    /// <summary>Reads one object from a JSON tree.</summary>
    /// <inheritdoc cref="Deserialize{T}(ReadOnlySpan{byte})"/>
    public static T Deserialize<T>(JsonNode node)
        where T : class, IJsonObject<T>
    {
        ArgumentNullException.ThrowIfNull(node);
        ArrayBufferWriter<byte> buffer = new(1024);
        using (Utf8JsonWriter writer = new(buffer, WriterOptions))
            node.WriteTo(writer);
        return Deserialize<T>(buffer.WrittenSpan);
    }

    /// <summary>True when both objects are the same JSON: a comparison by content, which records with lists do not give.</summary>
    public static bool ContentEquals<T>(T left, T right)
        where T : class, IJsonObject<T>
    {
        if (ReferenceEquals(left, right))
            return true;
        using JsonScratch scratch = new();
        scratch.Write(left, right, out ReadOnlySpan<byte> leftJson, out ReadOnlySpan<byte> rightJson);
        // Only the order of map entries can differ between equal objects, and that leaves the length.
        return leftJson.SequenceEqual(rightJson) || (leftJson.Length == rightJson.Length && JsonNode.DeepEquals(Tree(leftJson), Tree(rightJson)));
    }

    /// <summary>A JSON value as a tree; null for null.</summary>
    internal static JsonNode? Tree(ReadOnlySpan<byte> utf8Json) =>
        JsonNode.Parse(utf8Json, nodeOptions: null, new JsonDocumentOptions { MaxDepth = YamlReader.MaxDepth });
}
