using System.Globalization;

namespace NodeAgent.Kubernetes.Objects;

/// <summary>How a label is compared.</summary>
public enum LabelOperator
{
    /// <summary>key=value</summary>
    Equals,

    /// <summary>key==value; means the same as <see cref="Equals"/>.</summary>
    DoubleEquals,

    /// <summary>key!=value; true for absent labels too.</summary>
    NotEquals,

    /// <summary>key in (a,b)</summary>
    In,

    /// <summary>key notin (a,b); true for absent labels too.</summary>
    NotIn,

    /// <summary>key</summary>
    Exists,

    /// <summary>!key</summary>
    DoesNotExist,

    /// <summary>key&gt;5: the label is an integer above the value.</summary>
    GreaterThan,

    /// <summary>key&lt;5: the label is an integer below the value.</summary>
    LessThan,
}

/// <summary>One condition on one label (upstream: apimachinery/pkg/labels).</summary>
/// <param name="Key">The label.</param>
/// <param name="Operator">The comparison.</param>
/// <param name="Values">The values; one for comparisons with a single value, none for existence.</param>
public sealed record LabelRequirement(string Key, LabelOperator Operator, IReadOnlyList<string> Values)
{
    /// <summary>True when the labels meet the condition.</summary>
    public bool Matches(IReadOnlyDictionary<string, string> labels)
    {
        ArgumentNullException.ThrowIfNull(labels);
        bool present = labels.TryGetValue(Key, out string? value);
        return Operator switch
        {
            LabelOperator.Exists => present,
            LabelOperator.DoesNotExist => !present,
            LabelOperator.NotIn or LabelOperator.NotEquals => !present || !Values.Contains(value!),
            LabelOperator.GreaterThan => present && CompareNumbers(value!) > 0,
            LabelOperator.LessThan => present && CompareNumbers(value!) < 0,
            _ => present && Values.Contains(value!),
        };
    }

    /// <summary>The text form; values of a set are sorted.</summary>
    public override string ToString()
    {
        string values = Values.Count == 1 ? Values[0] : string.Join(',', Values.Order(StringComparer.Ordinal));
        return Operator switch
        {
            LabelOperator.Exists => Key,
            LabelOperator.DoesNotExist => "!" + Key,
            LabelOperator.In => $"{Key} in ({values})",
            LabelOperator.NotIn => $"{Key} notin ({values})",
            LabelOperator.DoubleEquals => $"{Key}=={values}",
            LabelOperator.NotEquals => $"{Key}!={values}",
            LabelOperator.GreaterThan => $"{Key}>{values}",
            LabelOperator.LessThan => $"{Key}<{values}",
            _ => $"{Key}={values}",
        };
    }

    /// <summary>Says what is wrong with the requirement, or null.</summary>
    internal string? Validate()
    {
        int count = Values.Count;
        bool single = Operator is LabelOperator.Equals or LabelOperator.DoubleEquals or LabelOperator.NotEquals
            or LabelOperator.GreaterThan or LabelOperator.LessThan;
        bool existence = Operator is LabelOperator.Exists or LabelOperator.DoesNotExist;
        if (existence && count != 0)
            return $"label \"{Key}\": existence takes no values";
        if (single && count != 1)
            return $"label \"{Key}\": the comparison takes exactly one value";
        if (!single && !existence && count == 0)
            return $"label \"{Key}\": in and notin need at least one value";
        if (Operator is LabelOperator.GreaterThan or LabelOperator.LessThan && !TryNumber(Values[0], out _))
            return $"label \"{Key}\": \"{Values[0]}\" is not an integer";
        return LabelSyntax.CheckKey(Key) ?? Values.Select(v => LabelSyntax.CheckValue(Key, v)).FirstOrDefault(e => e is not null);
    }

    // 0 when either side is no number, so that neither comparison holds.
    private int CompareNumbers(string value) =>
        TryNumber(value, out long left) && TryNumber(Values[0], out long right) ? left.CompareTo(right) : 0;

    private static bool TryNumber(string text, out long value) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
}
