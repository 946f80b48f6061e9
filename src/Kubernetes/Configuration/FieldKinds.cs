using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Configuration;

/// <summary>The kinds that component configuration is made of; strict about JSON types as upstream's decoder is.</summary>
public static class FieldKinds
{
    /// <summary>true or false.</summary>
    public static FieldKind<bool> Bool { get; } = new DelegateFieldKind<bool>("true or false", TryBool, v => v, v => !v);

    /// <summary>A 32-bit number.</summary>
    public static FieldKind<int> Int32 { get; } = new DelegateFieldKind<int>("a whole number of 32 bits", TryInt32, v => v, v => v == 0);

    /// <summary>A 64-bit number.</summary>
    public static FieldKind<long> Int64 { get; } = new DelegateFieldKind<long>("a whole number of 64 bits", TryInt64, v => v, v => v == 0);

    /// <summary>A number with a fraction.</summary>
    public static FieldKind<double> Float { get; } = new DelegateFieldKind<double>("a number", TryFloat, v => v, v => v == 0);

    /// <summary>Text.</summary>
    public static FieldKind<string> Text { get; } = new DelegateFieldKind<string>("a string", TryText, v => v, v => v.Length == 0);

    /// <summary>A Go duration as text.</summary>
    public static FieldKind<TimeSpan> Duration { get; } = new DelegateFieldKind<TimeSpan>(
        "a duration such as \"10s\" or \"1h30m\"", TryDuration, v => GoDuration.Format(v), v => v == TimeSpan.Zero);

    /// <summary>A list of texts.</summary>
    public static FieldKind<IReadOnlyList<string>> TextList { get; } = ListOf(Text, "a list of strings");

    /// <summary>A list of 32-bit numbers.</summary>
    public static FieldKind<IReadOnlyList<int>> Int32List { get; } = ListOf(Int32, "a list of whole numbers");

    /// <summary>Text by name.</summary>
    public static FieldKind<IReadOnlyDictionary<string, string>> TextMap { get; } = MapOf(Text, "a map of strings");

    /// <summary>true or false by name.</summary>
    public static FieldKind<IReadOnlyDictionary<string, bool>> BoolMap { get; } = MapOf(Bool, "a map of true or false");

    /// <summary>Lists of texts by name.</summary>
    public static FieldKind<IReadOnlyDictionary<string, IReadOnlyList<string>>> TextListMap { get; } = MapOf(TextList, "a map of lists of strings");

    /// <summary>A kind whose null means "not set" even where a zero is meaningful (a Go pointer without a default).</summary>
    public static FieldKind<T?> Optional<T>(FieldKind<T> kind) where T : struct
    {
        ArgumentNullException.ThrowIfNull(kind);
        return new DelegateFieldKind<T?>(kind.Name, Read, v => v is { } set ? kind.Write(set) : null, v => v is null);

        bool Read(JsonNode node, ICollection<string> unknown, out T? value)
        {
            bool read = kind.TryRead(node, unknown, out T inner);
            value = read ? inner : null;
            return read;
        }
    }

    /// <summary>A map that tells "absent" from "empty".</summary>
    public static FieldKind<IReadOnlyDictionary<string, string>?> OptionalTextMap { get; } = new DelegateFieldKind<IReadOnlyDictionary<string, string>?>(
        TextMap.Name, TextMap.TryRead!, v => v is null ? null : TextMap.Write(v), v => v is null);

    /// <summary>A list of elements of one kind.</summary>
    public static FieldKind<IReadOnlyList<T>> ListOf<T>(FieldKind<T> element, string name)
    {
        ArgumentNullException.ThrowIfNull(element);
        return new DelegateFieldKind<IReadOnlyList<T>>(
            name, Read, v => v.Count == 0 ? null : new JsonArray([.. v.Select(element.Write)]), v => v.Count == 0);

        bool Read(JsonNode node, ICollection<string> unknown, out IReadOnlyList<T> value)
        {
            List<T> items = [];
            value = items;
            if (node is not JsonArray array)
                return false;
            foreach (JsonNode? item in array)
            {
                if (item is null || !element.TryRead(item, unknown, out T read))
                    return false;
                items.Add(read);
            }
            return true;
        }
    }

    private static FieldKind<IReadOnlyDictionary<string, T>> MapOf<T>(FieldKind<T> element, string name)
    {
        return new DelegateFieldKind<IReadOnlyDictionary<string, T>>(name, Read, Write, v => v.Count == 0);

        bool Read(JsonNode node, ICollection<string> unknown, out IReadOnlyDictionary<string, T> value)
        {
            SortedDictionary<string, T> items = new(StringComparer.Ordinal);
            value = items;
            if (node is not JsonObject map)
                return false;
            foreach ((string key, JsonNode? item) in map)
            {
                // A null removes the key in a drop-in file and says nothing elsewhere.
                if (item is null)
                    continue;
                if (!element.TryRead(item, unknown, out T read))
                    return false;
                items[key] = read;
            }
            return true;
        }

        JsonNode? Write(IReadOnlyDictionary<string, T> value)
        {
            JsonObject map = [];
            foreach ((string key, T item) in value)
                map[key] = element.Write(item);
            return map.Count == 0 ? null : map;
        }
    }

    private static bool TryBool(JsonNode node, ICollection<string> unknown, out bool value)
    {
        value = node.GetValueKind() == JsonValueKind.True;
        return node.GetValueKind() is JsonValueKind.True or JsonValueKind.False;
    }

    private static bool TryInt32(JsonNode node, ICollection<string> unknown, out int value)
    {
        value = 0;
        return node.GetValueKind() == JsonValueKind.Number
            && int.TryParse(node.ToJsonString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
    }

    private static bool TryInt64(JsonNode node, ICollection<string> unknown, out long value)
    {
        value = 0;
        return node.GetValueKind() == JsonValueKind.Number
            && long.TryParse(node.ToJsonString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
    }

    private static bool TryFloat(JsonNode node, ICollection<string> unknown, out double value)
    {
        value = 0;
        return node.GetValueKind() == JsonValueKind.Number
            && double.TryParse(node.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }

    private static bool TryText(JsonNode node, ICollection<string> unknown, out string value)
    {
        bool isText = node.GetValueKind() == JsonValueKind.String;
        value = isText ? node.GetValue<string>() : "";
        return isText;
    }

    private static bool TryDuration(JsonNode node, ICollection<string> unknown, out TimeSpan value)
    {
        value = TimeSpan.Zero;
        return TryText(node, unknown, out string text) && GoDuration.TryParse(text, out value);
    }
}
