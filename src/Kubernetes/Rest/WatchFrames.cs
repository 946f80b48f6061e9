using System.Text.Json;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>Reads one frame of a watch: {"type": …, "object": …}.</summary>
internal static class WatchFrames
{
    /// <exception cref="ApiException">The frame is an ERROR.</exception>
    /// <exception cref="JsonException">The frame is not of this shape.</exception>
    internal static WatchEvent<T> Parse<T>(ReadOnlySpan<byte> frame, string request)
        where T : class, IKubernetesResource<T>
    {
        Utf8JsonReader reader = new(frame);
        string? type = null;
        int from = -1, to = -1;
        T? value = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("a watch frame must be an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("type"u8))
            {
                reader.Read();
                type = reader.GetString();
            }
            else if (reader.ValueTextEquals("object"u8))
            {
                reader.Read();
                from = (int)reader.TokenStartIndex;
                // The server writes the type first; whatever comes in another order is read once the type is known.
                if (type is not null and not "ERROR")
                    value = JsonOf<T>.Read(ref reader);
                else
                    reader.Skip();
                to = (int)reader.BytesConsumed;
            }
            else
            {
                reader.Skip();
            }
        }
        if (type is null || from < 0)
            throw new JsonException("a watch frame needs type and object");
        if (type == "ERROR")
            throw ErrorAnswers.FromFrame(frame[from..to], request);
        return new WatchEvent<T>(TypeOf(type), value ?? KubernetesJson.Deserialize<T>(frame[from..to]));
    }

    private static WatchEventType TypeOf(string type) => type switch
    {
        "ADDED" => WatchEventType.Added,
        "MODIFIED" => WatchEventType.Modified,
        "DELETED" => WatchEventType.Deleted,
        "BOOKMARK" => WatchEventType.Bookmark,
        _ => throw new JsonException($"\"{type}\" is no type of a watch event"),
    };
}
