using System.Text.Json;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>A type that reads and writes its own JSON, without reflection.</summary>
/// <typeparam name="TSelf">The type itself.</typeparam>
public interface IJsonObject<TSelf>
    where TSelf : class, IJsonObject<TSelf>
{
    /// <summary>An instance without any field set; what a JSON null stands for.</summary>
    static abstract TSelf Empty { get; }

    /// <summary>Reads the object whose opening brace is the reader's current token; stops at its closing brace.</summary>
    /// <exception cref="JsonException">The JSON does not have the shape of the type.</exception>
    static abstract TSelf Read(ref Utf8JsonReader reader);

    /// <summary>Writes the object; empty lists, empty maps and unset fields are left out.</summary>
    void Write(Utf8JsonWriter writer);
}
