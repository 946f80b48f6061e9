using System.Globalization;
using System.Text;
using System.Text.Json;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>Single JSON values of the API's scalar types. Each reads the reader's current token.</summary>
internal static class JsonScalars
{
    private const string TimeForm = "yyyy-MM-dd'T'HH:mm:ss'Z'";
    private const string MicroTimeForm = "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'";

    internal static string Text(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.String ? reader.GetString()! : throw Unexpected(ref reader, "a string");

    internal static int Int32(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out int value) ? value : throw Unexpected(ref reader, "a 32-bit integer");

    internal static long Int64(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long value) ? value : throw Unexpected(ref reader, "a 64-bit integer");

    internal static bool Boolean(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False => false,
        _ => throw Unexpected(ref reader, "true or false"),
    };

    internal static byte[] Bytes(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
            throw Unexpected(ref reader, "base64 text");
        // Go's decoder skips line ends inside base64, .NET's skips all white space: the same texts are accepted in practice.
        return reader.TryGetBytesFromBase64(out byte[]? value) ? value : throw new JsonException("the text is not base64");
    }

    internal static Quantity Quantity(ref Utf8JsonReader reader)
    {
        string text = reader.TokenType switch
        {
            JsonTokenType.String => reader.GetString()!,
            JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan),
            _ => throw Unexpected(ref reader, "a quantity such as 100m or 1Gi"),
        };
        return QuantityParser.Parse(text.Trim(), out Quantity value) is { } error
            ? throw new JsonException($"\"{text}\" is not a quantity: {error}")
            : value;
    }

    internal static IntOrString IntOrString(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.String => new IntOrString(reader.GetString()!),
        JsonTokenType.Number when reader.TryGetInt32(out int value) => new IntOrString(value),
        _ => throw Unexpected(ref reader, "a 32-bit integer or a string"),
    };

    internal static void Write(Utf8JsonWriter writer, IntOrString value)
    {
        if (value.StringValue is { } text)
            writer.WriteStringValue(text);
        else
            writer.WriteNumberValue(value.IntValue);
    }

    /// <summary>RFC 3339 with any fraction and any offset; the empty text is no time.</summary>
    internal static DateTimeOffset? Time(ref Utf8JsonReader reader)
    {
        string text = Text(ref reader);
        if (text.Length == 0)
            return null;
        return TryParseTime(text, out DateTimeOffset value) ? value : throw new JsonException($"\"{text}\" is not an RFC 3339 time");
    }

    internal static bool TryParseTime(string text, out DateTimeOffset value)
    {
        value = default;
        // ISO forms without time or zone are not RFC 3339, which .NET's reader would take.
        return text.Length >= 20 && text[10] == 'T' && (text[^1] == 'Z' || text[^6] is '+' or '-')
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out value);
    }

    internal static string FormatTime(DateTimeOffset value) => value.UtcDateTime.ToString(TimeForm, CultureInfo.InvariantCulture);

    internal static string FormatMicroTime(DateTimeOffset value) => value.UtcDateTime.ToString(MicroTimeForm, CultureInfo.InvariantCulture);

    internal static JsonException Unexpected(ref Utf8JsonReader reader, string wanted) =>
        new($"expected {wanted}, found {Describe(reader.TokenType)}");

    private static string Describe(JsonTokenType token) => token switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => "a number of another kind",
        JsonTokenType.True or JsonTokenType.False => "a boolean",
        JsonTokenType.Null => "null",
        _ => "the end",
    };
}
