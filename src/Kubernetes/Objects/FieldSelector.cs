using System.Text;

namespace NodeAgent.Kubernetes.Objects;

/// <summary>One condition on one field.</summary>
/// <param name="Field">The path, for example spec.nodeName.</param>
/// <param name="Value">The text it is compared with.</param>
/// <param name="Negated">True for "is not".</param>
public sealed record FieldRequirement(string Field, string Value, bool Negated = false)
{
    /// <summary>The text form, with commas, equal signs and backslashes of the value escaped.</summary>
    public override string ToString()
    {
        StringBuilder text = new(Field);
        text.Append(Negated ? "!=" : "=");
        foreach (char c in Value)
            text.Append(c is '\\' or ',' or '=' ? "\\" : "").Append(c);
        return text.ToString();
    }
}

/// <summary>Conditions on fields that must all hold, as list and watch requests carry them (upstream: apimachinery/pkg/fields).</summary>
/// <param name="Requirements">The conditions.</param>
public sealed record FieldSelector(IReadOnlyList<FieldRequirement> Requirements)
{
    /// <summary>Matches all objects.</summary>
    public static FieldSelector Everything { get; } = new([]);

    /// <summary>The field has the value.</summary>
    public static FieldSelector Equal(string field, string value) => new([new(field, value)]);

    /// <summary>Reads the text form: field=value, field==value or field!=value, separated by commas.</summary>
    /// <exception cref="FormatException">The text is malformed.</exception>
    public static FieldSelector Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new([.. Split(text).Where(part => part.Length > 0).Select(part => ParseOne(text, part))]);
    }

    /// <summary>This selector and one condition more.</summary>
    public FieldSelector And(FieldRequirement requirement) => new([.. Requirements, requirement]);

    /// <summary>True when the object meets all conditions; <paramref name="field"/> gives a field's text, null counts as empty.</summary>
    public bool Matches(Func<string, string?> field)
    {
        ArgumentNullException.ThrowIfNull(field);
        return Requirements.All(r => ((field(r.Field) ?? "") == r.Value) != r.Negated);
    }

    /// <summary>The text form.</summary>
    public override string ToString() => string.Join(',', Requirements);

    private static IEnumerable<string> Split(string text)
    {
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\')
                i++;
            else if (text[i] == ',')
            {
                yield return text[start..i];
                start = i + 1;
            }
        }
        yield return text[start..];
    }

    private static FieldRequirement ParseOne(string whole, string part)
    {
        int equals = part.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0)
            throw new FormatException($"field selector \"{whole}\": \"{part}\" has no '='");
        bool negated = equals > 0 && part[equals - 1] == '!';
        int value = equals + 1;
        if (!negated && value < part.Length && part[value] == '=')
            value++;
        return new(part[..(negated ? equals - 1 : equals)], Unescape(whole, part[value..]), negated);
    }

    private static string Unescape(string whole, string value)
    {
        StringBuilder text = new();
        for (int i = 0; i < value.Length; i++)
        {
            if (value[i] is '=')
                throw new FormatException($"field selector \"{whole}\": write '=' inside a value as '\\='");
            if (value[i] == '\\' && (++i == value.Length || value[i] is not ('\\' or ',' or '=')))
                throw new FormatException($"field selector \"{whole}\": a backslash goes before '\\', ',' or '=' only");
            text.Append(value[i]);
        }
        return text.ToString();
    }
}
