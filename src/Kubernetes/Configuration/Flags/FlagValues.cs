using System.Globalization;
using System.Net;
using System.Numerics;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Configuration.Flags;

/// <summary>From the texts given to a flag to the JSON its configuration field takes.</summary>
public static class FlagValues
{
    /// <param name="kind">How to read.</param>
    /// <param name="texts">All values given, in order.</param>
    /// <param name="value">The value; null when the texts say nothing (an empty address).</param>
    /// <param name="expected">What would be right, for a message.</param>
    internal static bool TryRead(FlagKind kind, IReadOnlyList<string> texts, out JsonNode? value, out string expected)
    {
        string last = texts[^1];
        (value, expected) = kind switch
        {
            FlagKind.Text or FlagKind.Version => (JsonValue.Create(last), "text"),
            FlagKind.Bool => (Bool(last), "true or false, after an equals sign"),
            FlagKind.Int32 => (Integer(last) is { } n && n >= int.MinValue && n <= int.MaxValue ? JsonValue.Create((int)n) : null, "a whole number"),
            FlagKind.Int64 => (Integer(last) is { } n && n >= long.MinValue && n <= long.MaxValue ? JsonValue.Create((long)n) : null, "a whole number"),
            FlagKind.Float => (double.TryParse(last, NumberStyles.Float, CultureInfo.InvariantCulture, out double d) ? JsonValue.Create(d) : null, "a number"),
            FlagKind.Duration => (GoDuration.TryParse(last, out _) ? JsonValue.Create(last) : null, "a duration such as 10s or 1h30m"),
            FlagKind.TextList => (List(texts), "a comma-separated list"),
            FlagKind.TextMap => (Map(texts, '=', split: true), "key=value,…"),
            FlagKind.TextMapNoSplit => (Map(texts, '=', split: false), "key=value"),
            FlagKind.BoolMap => (BoolMap(texts), "name=true,…"),
            FlagKind.ThresholdMap => (Map(texts, '<', split: true), "signal<value,…"),
            FlagKind.HeaderMap => (Headers(texts), "name:value,…"),
            FlagKind.IPAddress or FlagKind.IPAddressPort => (Address(kind, texts), kind == FlagKind.IPAddress ? "an IP address" : "an IP address or IP:port"),
            FlagKind.Taints => (StructuredFlagValues.Taints(last), "key=value:effect,…"),
            FlagKind.ReservedMemory => (StructuredFlagValues.ReservedMemory(texts), "node:type=quantity,…"),
            FlagKind.VModule => (StructuredFlagValues.VModule(last), "pattern=N,…"),
            FlagKind.Bytes => (Quantity.TryParse(last, out _) ? JsonValue.Create(last) : null, "a number of bytes such as 64Ki"),
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such kind of flag"),
        };
        if (value is not null)
            return true;
        return kind is FlagKind.IPAddress or FlagKind.IPAddressPort && texts.All(t => t.Trim().Length == 0);
    }

    /// <summary>Go's strconv.ParseBool.</summary>
    public static JsonNode? Bool(string text) => text switch
    {
        "1" or "t" or "T" or "true" or "TRUE" or "True" => JsonValue.Create(true),
        "0" or "f" or "F" or "false" or "FALSE" or "False" => JsonValue.Create(false),
        _ => null,
    };

    // Go's strconv.ParseInt with base 0.
    private static BigInteger? Integer(string text)
    {
        string digits = text.TrimStart('+', '-');
        if (digits.Length == 0 || text.Length - digits.Length > 1 || digits.Length > 66)
            return null;
        int radix = digits switch
        {
            ['0', 'x' or 'X', ..] => 16,
            ['0', 'b' or 'B', ..] => 2,
            ['0', 'o' or 'O', ..] => 8,
            ['0', _, ..] => 8,
            _ => 10,
        };
        string body = radix == 10 ? digits : char.IsAsciiLetter(digits[1]) ? digits[2..] : digits[1..];
        if (body.Length == 0)
            return null;
        BigInteger value = BigInteger.Zero;
        foreach (char c in body)
        {
            int digit = char.IsAsciiHexDigit(c) ? Convert.ToInt32(c.ToString(), 16) : int.MaxValue;
            if (digit >= radix)
                return null;
            value = (value * radix) + digit;
        }
        return text[0] == '-' ? -value : value;
    }

    private static JsonArray? List(IReadOnlyList<string> texts)
    {
        JsonArray list = [];
        foreach (string text in texts)
        {
            if (CommaSeparated.Split(text) is not { } items)
                return null;
            foreach (string item in items)
                list.Add((JsonNode?)JsonValue.Create(item));
        }
        return list;
    }

    private static JsonObject? Map(IReadOnlyList<string> texts, char separator, bool split)
    {
        JsonObject map = [];
        foreach (string pair in texts.SelectMany(t => split ? t.Split(',') : [t]))
        {
            if (pair.Length == 0)
                continue;
            int place = pair.IndexOf(separator, StringComparison.Ordinal);
            if (place < 0)
                return null;
            map[pair[..place].Trim()] = pair[(place + 1)..].Trim();
        }
        return map;
    }

    private static JsonObject? BoolMap(IReadOnlyList<string> texts)
    {
        if (Map(texts, '=', split: true) is not { } map)
            return null;
        JsonObject result = [];
        foreach ((string key, JsonNode? text) in map)
        {
            if (Bool(text!.GetValue<string>()) is not { } on)
                return null;
            result[key] = on;
        }
        return result;
    }

    private static JsonObject? Headers(IReadOnlyList<string> texts)
    {
        JsonObject map = [];
        foreach (string pair in texts.SelectMany(t => t.Split(',')).Where(p => p.Length > 0))
        {
            int place = pair.IndexOf(':', StringComparison.Ordinal);
            if (place < 0)
                return null;
            string name = pair[..place].Trim();
            if (map[name] is not JsonArray list)
                map[name] = list = [];
            list.Add((JsonNode?)JsonValue.Create(pair[(place + 1)..].Trim()));
        }
        return map;
    }

    private static JsonValue? Address(FlagKind kind, IReadOnlyList<string> texts)
    {
        string text = texts.LastOrDefault(t => t.Trim().Length > 0)?.Trim() ?? "";
        bool valid = SloppyAddress.TryParse(text, out IPAddress? _)
            || (kind == FlagKind.IPAddressPort && SloppyAddress.TryParseWithPort(text, out _, out _));
        return valid ? JsonValue.Create(text) : null;
    }
}
