using System.Text.Json;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>
/// What generated writers are made of. Write leaves out what is unset or empty, WriteRequired writes it as an empty value, and
/// WriteFilled leaves out an object without any field set.
/// </summary>
internal static partial class JsonFields
{
    internal static void WriteUnknown(Utf8JsonWriter writer, IReadOnlyDictionary<string, JsonElement>? unknown)
    {
        if (unknown is null)
            return;
        foreach ((string name, JsonElement value) in unknown)
        {
            writer.WritePropertyName(name);
            value.WriteTo(writer);
        }
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, string? value)
    {
        if (value is not null)
            writer.WriteString(name, value);
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, int? value)
    {
        if (value is { } number)
            writer.WriteNumber(name, number);
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, long? value)
    {
        if (value is { } number)
            writer.WriteNumber(name, number);
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, bool? value)
    {
        if (value is { } flag)
            writer.WriteBoolean(name, flag);
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, byte[]? value)
    {
        if (value is not null)
            writer.WriteBase64String(name, value);
    }

    internal static void WriteRequired(Utf8JsonWriter writer, ReadOnlySpan<byte> name, byte[] value) =>
        writer.WriteBase64String(name, value);

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, Quantity? value)
    {
        if (value is { } quantity)
            writer.WriteString(name, quantity.ToString());
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IntOrString? value)
    {
        if (value is not { } port)
            return;
        writer.WritePropertyName(name);
        JsonScalars.Write(writer, port);
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, ReadOnlyMemory<byte>? value)
    {
        if (value is not { } text)
            return;
        writer.WritePropertyName(name);
        writer.WriteRawValue(text.Span, skipInputValidation: true);
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, JsonElement? value)
    {
        if (value is not { ValueKind: not JsonValueKind.Undefined } raw)
            return;
        writer.WritePropertyName(name);
        raw.WriteTo(writer);
    }

    internal static void WriteRequired(Utf8JsonWriter writer, ReadOnlySpan<byte> name, JsonElement? value)
    {
        if (value is null)
            writer.WriteNull(name);
        Write(writer, name, value);
    }

    internal static void WriteTime(Utf8JsonWriter writer, ReadOnlySpan<byte> name, DateTimeOffset? value)
    {
        if (value is { } time)
            writer.WriteString(name, JsonScalars.FormatTime(time));
    }

    internal static void WriteTimeRequired(Utf8JsonWriter writer, ReadOnlySpan<byte> name, DateTimeOffset? value)
    {
        if (value is null)
            writer.WriteNull(name);
        WriteTime(writer, name, value);
    }

    internal static void WriteMicroTime(Utf8JsonWriter writer, ReadOnlySpan<byte> name, DateTimeOffset? value)
    {
        if (value is { } time)
            writer.WriteString(name, JsonScalars.FormatMicroTime(time));
    }

    internal static void WriteMicroTimeRequired(Utf8JsonWriter writer, ReadOnlySpan<byte> name, DateTimeOffset? value)
    {
        if (value is null)
            writer.WriteNull(name);
        WriteMicroTime(writer, name, value);
    }

    internal static void Write<T>(Utf8JsonWriter writer, ReadOnlySpan<byte> name, T? value)
        where T : class, IJsonObject<T>
    {
        if (value is null)
            return;
        writer.WritePropertyName(name);
        value.Write(writer);
    }

    internal static void WriteRequired<T>(Utf8JsonWriter writer, ReadOnlySpan<byte> name, T value)
        where T : class, IJsonObject<T> => Write(writer, name, value);

    internal static void WriteFilled<T>(Utf8JsonWriter writer, ReadOnlySpan<byte> name, T value)
        where T : class, IJsonObject<T>
    {
        if (!value.Equals(T.Empty))
            Write(writer, name, value);
    }

    internal static void Write<T>(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyList<T> values)
        where T : class, IJsonObject<T>
    {
        if (values.Count > 0)
            WriteRequired(writer, name, values);
    }

    internal static void WriteRequired<T>(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyList<T> values)
        where T : class, IJsonObject<T>
    {
        writer.WriteStartArray(name);
        foreach (T value in values)
            value.Write(writer);
        writer.WriteEndArray();
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyList<string> values)
    {
        if (values.Count > 0)
            WriteRequired(writer, name, values);
    }

    internal static void WriteRequired(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyList<string> values)
    {
        writer.WritePropertyName(name);
        WriteStrings(writer, values);
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyList<int> values)
    {
        if (values.Count == 0)
            return;
        writer.WriteStartArray(name);
        foreach (int value in values)
            writer.WriteNumberValue(value);
        writer.WriteEndArray();
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyList<long> values)
    {
        if (values.Count == 0)
            return;
        writer.WriteStartArray(name);
        foreach (long value in values)
            writer.WriteNumberValue(value);
        writer.WriteEndArray();
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyList<bool> values)
    {
        if (values.Count == 0)
            return;
        writer.WriteStartArray(name);
        foreach (bool value in values)
            writer.WriteBooleanValue(value);
        writer.WriteEndArray();
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyList<Quantity> values)
    {
        if (values.Count == 0)
            return;
        writer.WriteStartArray(name);
        foreach (Quantity value in values)
            writer.WriteStringValue(value.ToString());
        writer.WriteEndArray();
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyDictionary<string, string> map)
    {
        if (map.Count == 0)
            return;
        writer.WriteStartObject(name);
        foreach ((string key, string value) in map)
            writer.WriteString(key, value);
        writer.WriteEndObject();
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyDictionary<string, byte[]> map)
    {
        if (map.Count == 0)
            return;
        writer.WriteStartObject(name);
        foreach ((string key, byte[] value) in map)
            writer.WriteBase64String(key, value);
        writer.WriteEndObject();
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyDictionary<string, Quantity> map)
    {
        if (map.Count > 0)
            WriteRequired(writer, name, map);
    }

    internal static void WriteRequired(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyDictionary<string, Quantity> map)
    {
        writer.WriteStartObject(name);
        foreach ((string key, Quantity value) in map)
            writer.WriteString(key, value.ToString());
        writer.WriteEndObject();
    }

    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyDictionary<string, IReadOnlyList<string>> map)
    {
        if (map.Count == 0)
            return;
        writer.WriteStartObject(name);
        foreach ((string key, IReadOnlyList<string> values) in map)
        {
            writer.WritePropertyName(key);
            WriteStrings(writer, values);
        }
        writer.WriteEndObject();
    }

    internal static void Write<T>(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyDictionary<string, T> map)
        where T : class, IJsonObject<T>
    {
        if (map.Count > 0)
            WriteRequired(writer, name, map);
    }

    internal static void WriteRequired<T>(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyDictionary<string, T> map)
        where T : class, IJsonObject<T>
    {
        writer.WriteStartObject(name);
        foreach ((string key, T value) in map)
        {
            writer.WritePropertyName(key);
            value.Write(writer);
        }
        writer.WriteEndObject();
    }

    private static void WriteStrings(Utf8JsonWriter writer, IReadOnlyList<string> values)
    {
        writer.WriteStartArray();
        foreach (string value in values)
            writer.WriteStringValue(value);
        writer.WriteEndArray();
    }
}
