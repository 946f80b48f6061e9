using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>
/// The meaning of YAML scalars as the Go agent's reader sees them (YAML 1.1 with its booleans and octal numbers; upstream:
/// sigs.k8s.io/yaml over go.yaml.in/yaml/v2, resolve.go).
/// </summary>
internal static partial class YamlScalars
{
    /// <summary>The JSON value, or null for a YAML null.</summary>
    internal static JsonValue? Resolve(YamlScalar scalar)
    {
        if (scalar.Tag == "!!binary")
            return JsonValue.Create(Binary(scalar));
        bool text = scalar.Tag.Length == 0 ? !scalar.Plain : scalar.Tag is "!!str" or "!" || !scalar.Tag.StartsWith("!!", StringComparison.Ordinal);
        if (text)
            return JsonValue.Create(scalar.Value);
        JsonValue? value = Plain(scalar);
        return scalar.Tag.Length == 0 || Fits(scalar.Tag, value)
            ? value
            : throw new YamlFormatException($"cannot decode `{scalar.Value}` as a {scalar.Tag}", scalar.Line);
    }

    /// <summary>The JSON name for a key.</summary>
    internal static string Key(YamlScalar scalar) => Resolve(scalar) switch
    {
        null => throw new YamlFormatException("a null cannot be a field name", scalar.Line),
        { } value when value.TryGetValue(out string? text) => text,
        { } value => value.ToJsonString(),
    };

    internal static bool IsMerge(YamlScalar scalar) =>
        scalar.Value == "<<" && (scalar.Plain ? scalar.Tag is "" or "!!merge" : scalar.Tag == "!!merge");

    private static JsonValue? Plain(YamlScalar scalar)
    {
        string value = scalar.Value;
        switch (value)
        {
            case "" or "~" or "null" or "Null" or "NULL":
                return null;
            case "y" or "Y" or "yes" or "Yes" or "YES" or "true" or "True" or "TRUE" or "on" or "On" or "ON":
                return JsonValue.Create(true);
            case "n" or "N" or "no" or "No" or "NO" or "false" or "False" or "FALSE" or "off" or "Off" or "OFF":
                return JsonValue.Create(false);
            case ".nan" or ".NaN" or ".NAN" or ".inf" or ".Inf" or ".INF" or "+.inf" or "+.Inf" or "+.INF" or "-.inf" or "-.Inf" or "-.INF":
                throw new YamlFormatException($"JSON has no number {value}", scalar.Line);
        }
        return value[0] is (>= '0' and <= '9') or '+' or '-' or '.' ? Number(scalar) ?? JsonValue.Create(value) : JsonValue.Create(value);
    }

    private static JsonValue? Number(YamlScalar scalar)
    {
        // Upstream drops underscores everywhere but in numbers that start with a point.
        string plain = scalar.Value[0] == '.' ? scalar.Value : scalar.Value.Replace("_", "", StringComparison.Ordinal);
        if (scalar.Value[0] != '.' && Integer(plain) is { } integer)
            return integer;
        if (!FloatForm().IsMatch(plain))
            return null;
        double number = double.Parse(plain, NumberStyles.Float, CultureInfo.InvariantCulture);
        return double.IsFinite(number) ? Float(number) : null;
    }

    private static JsonValue? Integer(string text)
    {
        bool negative = text[0] == '-';
        string digits = text[0] is '+' or '-' ? text[1..] : text;
        if (digits.Length == 0)
            return null;
        (int radix, string rest) = digits switch
        {
            ['0', 'x' or 'X', .. var hex] => (16, hex),
            ['0', 'b' or 'B', .. var binary] => (2, binary),
            ['0', 'o' or 'O', .. var octal] => (8, octal),
            ['0', .. var octal] when octal.Length > 0 => (8, octal),
            _ => (10, digits),
        };
        BigInteger value = 0;
        foreach (char c in rest)
        {
            int digit = char.IsAsciiHexDigit(c) ? Convert.ToInt32(c.ToString(), 16) : radix;
            if (digit >= radix)
                return null;
            value = (value * radix) + digit;
            if (value > ulong.MaxValue)
                return null;
        }
        value = negative ? -value : value;
        if (rest.Length == 0 || value < long.MinValue || (value > long.MaxValue && text[0] == '+'))
            return null;
        return value > long.MaxValue ? JsonValue.Create((ulong)value) : JsonValue.Create((long)value);
    }

    // Whole numbers below 10^21 are written without point or exponent, with the shortest digits that tell the number: as Go does.
    private static JsonValue Float(double number)
    {
        if (Math.Abs(number) >= 1e21 || Math.Truncate(number) != number)
            return JsonValue.Create(number);
        decimal shortest = decimal.Parse(number.ToString("R", CultureInfo.InvariantCulture), NumberStyles.Float, CultureInfo.InvariantCulture);
        return JsonNode.Parse(shortest.ToString("0", CultureInfo.InvariantCulture))!.AsValue();
    }

    private static bool Fits(string tag, JsonValue? value) => tag switch
    {
        "!!null" => value is null,
        "!!bool" => value?.GetValueKind() is System.Text.Json.JsonValueKind.True or System.Text.Json.JsonValueKind.False,
        "!!int" or "!!float" => value?.GetValueKind() == System.Text.Json.JsonValueKind.Number,
        "!!timestamp" => value?.GetValueKind() == System.Text.Json.JsonValueKind.String,
        _ => true,
    };

    private static string Binary(YamlScalar scalar)
    {
        try
        {
            return Encoding.UTF8.GetString(Convert.FromBase64String(scalar.Value));
        }
        catch (FormatException e)
        {
            throw new YamlFormatException("!!binary value contains invalid base64 data", scalar.Line, e);
        }
    }

    [GeneratedRegex(@"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex FloatForm();
}
