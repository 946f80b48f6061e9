using System.Diagnostics.CodeAnalysis;

namespace NodeAgent.Kubernetes.Objects;

/// <summary>
/// Conditions on labels that must all hold, from a text (a=b,c in (d,e)) or from a <see cref="LabelSelector"/> object
/// (upstream: apimachinery/pkg/labels).
/// </summary>
public sealed class LabelMatcher
{
    private readonly bool nothing;

    private LabelMatcher(IEnumerable<LabelRequirement> requirements, bool nothing = false)
    {
        Requirements = [.. requirements.OrderBy(r => r.Key, StringComparer.Ordinal)];
        this.nothing = nothing;
    }

    /// <summary>Matches all labels.</summary>
    public static LabelMatcher Everything { get; } = new([]);

    /// <summary>Matches no labels.</summary>
    public static LabelMatcher Nothing { get; } = new([], nothing: true);

    /// <summary>The conditions, ordered by label.</summary>
    public IReadOnlyList<LabelRequirement> Requirements { get; }

    /// <summary>True when this matches all labels.</summary>
    public bool IsEverything => !nothing && Requirements.Count == 0;

    /// <summary>Reads the text form; the empty text matches everything.</summary>
    /// <exception cref="FormatException">The text is malformed; the message says where.</exception>
    public static LabelMatcher Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return FromRequirements(new LabelSelectorParser(text).Parse());
    }

    /// <summary>All labels must have these values.</summary>
    public static LabelMatcher FromLabels(IEnumerable<KeyValuePair<string, string>> labels) =>
        new(labels.Select(l => new LabelRequirement(l.Key, LabelOperator.Equals, [l.Value])));

    /// <summary>All conditions must hold.</summary>
    /// <exception cref="FormatException">A condition is malformed.</exception>
    public static LabelMatcher FromRequirements(IEnumerable<LabelRequirement> requirements)
    {
        LabelMatcher result = new(requirements);
        return result.Requirements.Select(r => r.Validate()).FirstOrDefault(e => e is not null) is { } error
            ? throw new FormatException(error)
            : result;
    }

    /// <summary>The meaning of a selector object: an absent one matches nothing, an empty one everything.</summary>
    /// <exception cref="FormatException">An operator is unknown or a condition malformed.</exception>
    public static LabelMatcher From(LabelSelector? selector)
    {
        if (selector is null)
            return Nothing;
        return FromRequirements(selector.MatchLabels
            .Select(l => new LabelRequirement(l.Key, LabelOperator.Equals, [l.Value]))
            .Concat(selector.MatchExpressions.Select(FromExpression)));
    }

    /// <summary>True when the labels meet all conditions.</summary>
    public bool Matches(IReadOnlyDictionary<string, string> labels)
    {
        if (nothing)
            return false;
        foreach (LabelRequirement requirement in Requirements)
            if (!requirement.Matches(labels))
                return false;
        return true;
    }

    /// <summary>The one value the label must have, if the conditions demand one.</summary>
    public bool TryGetExactValue(string key, [NotNullWhen(true)] out string? value)
    {
        LabelRequirement? found = Requirements.FirstOrDefault(r => r.Key == key);
        value = found is { Operator: LabelOperator.Equals or LabelOperator.DoubleEquals or LabelOperator.In, Values: [var only] } ? only : null;
        return value is not null;
    }

    /// <summary>The text form, which list and watch requests carry.</summary>
    public override string ToString() => string.Join(',', Requirements);

    private static LabelRequirement FromExpression(LabelSelectorRequirement expression) => new(
        expression.Key,
        expression.Operator switch
        {
            "In" => LabelOperator.In,
            "NotIn" => LabelOperator.NotIn,
            "Exists" => LabelOperator.Exists,
            "DoesNotExist" => LabelOperator.DoesNotExist,
            _ => throw new FormatException(
                $"label \"{expression.Key}\": operator \"{expression.Operator}\" is none of In, NotIn, Exists, DoesNotExist"),
        },
        expression.Values);
}
