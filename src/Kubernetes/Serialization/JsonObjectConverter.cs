using System.Text.Json;
using System.Text.Json.Serialization;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>Lets API objects be part of other source-generated JSON.</summary>
/// <typeparam name="T">The API type.</typeparam>
public sealed class JsonObjectConverter<T> : JsonConverter<T>
    where T : class, IJsonObject<T>
{
    /// <inheritdoc/>
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => T.Read(ref reader);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(value);
        value.Write(writer);
    }
}
