using System.Runtime.InteropServices;
using System.Text.Json;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>
/// What generated readers are made of. A Read member is called at a property name, moves to its value and returns null for a
/// JSON null, like Go's decoder, which leaves such a field unset.
/// </summary>
internal static partial class JsonFields
{
    internal static void StartObject(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw JsonScalars.Unexpected(ref reader, "an object");
    }

    internal static bool NextField(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType == JsonTokenType.PropertyName;
    }

    internal static int NameLength(ref Utf8JsonReader reader)
    {
        if (reader.ValueIsEscaped)
            return reader.GetString()!.Length;
        return reader.HasValueSequence ? (int)reader.ValueSequence.Length : reader.ValueSpan.Length;
    }

    internal static bool Is(ref Utf8JsonReader reader, ReadOnlySpan<byte> name) => reader.ValueTextEquals(name);

    internal static void SkipField(ref Utf8JsonReader reader) => reader.Skip();

    internal static void KeepUnknown(ref Utf8JsonReader reader, ref Dictionary<string, JsonElement>? unknown)
    {
        string name = reader.GetString()!;
        reader.Read();
        (unknown ??= [])[name] = JsonElement.ParseValue(ref reader);
    }

    internal static string? ReadString(ref Utf8JsonReader reader) => Value(ref reader) ? JsonScalars.Text(ref reader) : null;

    internal static int? ReadInt(ref Utf8JsonReader reader) => Value(ref reader) ? JsonScalars.Int32(ref reader) : null;

    internal static long? ReadLong(ref Utf8JsonReader reader) => Value(ref reader) ? JsonScalars.Int64(ref reader) : null;

    internal static bool? ReadBool(ref Utf8JsonReader reader) => Value(ref reader) ? JsonScalars.Boolean(ref reader) : null;

    internal static byte[]? ReadBytes(ref Utf8JsonReader reader) => Value(ref reader) ? JsonScalars.Bytes(ref reader) : null;

    internal static Quantity? ReadQuantity(ref Utf8JsonReader reader) => Value(ref reader) ? JsonScalars.Quantity(ref reader) : null;

    internal static IntOrString? ReadIntOrString(ref Utf8JsonReader reader) => Value(ref reader) ? JsonScalars.IntOrString(ref reader) : default(IntOrString?);

    internal static DateTimeOffset? ReadTime(ref Utf8JsonReader reader) => Value(ref reader) ? JsonScalars.Time(ref reader) : null;

    internal static DateTimeOffset? ReadMicroTime(ref Utf8JsonReader reader) => ReadTime(ref reader);

    internal static JsonElement? ReadRaw(ref Utf8JsonReader reader) => Value(ref reader) ? JsonElement.ParseValue(ref reader) : null;

    // A list nobody looks into: its text, or nothing where it is not to be kept.
    internal static ReadOnlyMemory<byte>? ReadUnread(ref Utf8JsonReader reader, bool keep)
    {
        if (!keep)
        {
            reader.Skip();
            return null;
        }
        if (!Value(ref reader))
            return null;
        if (reader.TokenType != JsonTokenType.StartArray)
            throw JsonScalars.Unexpected(ref reader, "a list");
        JsonElement list = JsonElement.ParseValue(ref reader);
        if (list.GetArrayLength() == 0)
            return null;
        return JsonMarshal.GetRawUtf8Value(list).ToArray();
    }

    internal static ObjectMeta? ReadMetadata(ref Utf8JsonReader reader) =>
        Value(ref reader) ? ObjectMeta.Read(ref reader, keepUnread: false) : null;

    internal static T? ReadObject<T>(ref Utf8JsonReader reader)
        where T : class, IJsonObject<T> => Value(ref reader) ? JsonOf<T>.Read(ref reader) : null;

    internal static IReadOnlyList<T>? ReadObjects<T>(ref Utf8JsonReader reader)
        where T : class, IJsonObject<T>
    {
        if (!StartList(ref reader))
            return null;
        List<T> list = [];
        while (NextItem(ref reader))
            list.Add(reader.TokenType == JsonTokenType.Null ? JsonOf<T>.Empty : JsonOf<T>.Read(ref reader));
        return list;
    }

    internal static IReadOnlyList<string>? ReadStringList(ref Utf8JsonReader reader) =>
        StartList(ref reader) ? Strings(ref reader) : null;

    internal static IReadOnlyList<int>? ReadIntList(ref Utf8JsonReader reader)
    {
        if (!StartList(ref reader))
            return null;
        List<int> list = [];
        while (NextItem(ref reader))
            list.Add(JsonScalars.Int32(ref reader));
        return list;
    }

    internal static IReadOnlyList<long>? ReadLongList(ref Utf8JsonReader reader)
    {
        if (!StartList(ref reader))
            return null;
        List<long> list = [];
        while (NextItem(ref reader))
            list.Add(JsonScalars.Int64(ref reader));
        return list;
    }

    internal static IReadOnlyList<bool>? ReadBoolList(ref Utf8JsonReader reader)
    {
        if (!StartList(ref reader))
            return null;
        List<bool> list = [];
        while (NextItem(ref reader))
            list.Add(JsonScalars.Boolean(ref reader));
        return list;
    }

    internal static IReadOnlyList<Quantity>? ReadQuantityList(ref Utf8JsonReader reader)
    {
        if (!StartList(ref reader))
            return null;
        List<Quantity> list = [];
        while (NextItem(ref reader))
            list.Add(JsonScalars.Quantity(ref reader));
        return list;
    }

    internal static IReadOnlyDictionary<string, string>? ReadStringMap(ref Utf8JsonReader reader)
    {
        if (!StartMap(ref reader))
            return null;
        Dictionary<string, string> map = [];
        while (NextField(ref reader))
            map[Key(ref reader)] = reader.TokenType == JsonTokenType.Null ? "" : JsonScalars.Text(ref reader);
        return map;
    }

    internal static IReadOnlyDictionary<string, byte[]>? ReadBytesMap(ref Utf8JsonReader reader)
    {
        if (!StartMap(ref reader))
            return null;
        Dictionary<string, byte[]> map = [];
        while (NextField(ref reader))
            map[Key(ref reader)] = reader.TokenType == JsonTokenType.Null ? [] : JsonScalars.Bytes(ref reader);
        return map;
    }

    internal static IReadOnlyDictionary<string, Quantity>? ReadQuantityMap(ref Utf8JsonReader reader)
    {
        if (!StartMap(ref reader))
            return null;
        Dictionary<string, Quantity> map = [];
        while (NextField(ref reader))
            map[Key(ref reader)] = reader.TokenType == JsonTokenType.Null ? default : JsonScalars.Quantity(ref reader);
        return map;
    }

    internal static IReadOnlyDictionary<string, IReadOnlyList<string>>? ReadStringListMap(ref Utf8JsonReader reader)
    {
        if (!StartMap(ref reader))
            return null;
        Dictionary<string, IReadOnlyList<string>> map = [];
        while (NextField(ref reader))
        {
            string key = Key(ref reader);
            if (reader.TokenType is not (JsonTokenType.StartArray or JsonTokenType.Null))
                throw JsonScalars.Unexpected(ref reader, "a list");
            map[key] = reader.TokenType == JsonTokenType.Null ? [] : Strings(ref reader);
        }
        return map;
    }

    internal static IReadOnlyDictionary<string, T>? ReadObjectMap<T>(ref Utf8JsonReader reader)
        where T : class, IJsonObject<T>
    {
        if (!StartMap(ref reader))
            return null;
        Dictionary<string, T> map = [];
        while (NextField(ref reader))
            map[Key(ref reader)] = reader.TokenType == JsonTokenType.Null ? JsonOf<T>.Empty : JsonOf<T>.Read(ref reader);
        return map;
    }

    // Moves to the value; false when it is null.
    private static bool Value(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType != JsonTokenType.Null;
    }

    private static string Key(ref Utf8JsonReader reader)
    {
        string key = reader.GetString()!;
        reader.Read();
        return key;
    }

    private static bool StartList(ref Utf8JsonReader reader)
    {
        if (!Value(ref reader))
            return false;
        return reader.TokenType == JsonTokenType.StartArray ? true : throw JsonScalars.Unexpected(ref reader, "a list");
    }

    private static bool StartMap(ref Utf8JsonReader reader)
    {
        if (!Value(ref reader))
            return false;
        StartObject(ref reader);
        return true;
    }

    private static bool NextItem(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType != JsonTokenType.EndArray;
    }

    private static List<string> Strings(ref Utf8JsonReader reader)
    {
        List<string> list = [];
        while (NextItem(ref reader))
            list.Add(reader.TokenType == JsonTokenType.Null ? "" : JsonScalars.Text(ref reader));
        return list;
    }
}
