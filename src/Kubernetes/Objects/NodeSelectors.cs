namespace NodeAgent.Kubernetes.Objects;

/// <summary>Evaluates node selectors (upstream: component-helpers/scheduling/corev1/nodeaffinity).</summary>
public static class NodeSelectors
{
    /// <summary>True when one of the terms holds for the node; a term without conditions holds for none.</summary>
    /// <exception cref="FormatException">A condition is malformed; the message names it.</exception>
    public static bool Matches(NodeSelector selector, Node node)
    {
        ArgumentNullException.ThrowIfNull(selector);
        ArgumentNullException.ThrowIfNull(node);
        return selector.NodeSelectorTerms.Any(term => Matches(term, node));
    }

    /// <summary>True when all conditions of the term hold for the node.</summary>
    /// <exception cref="FormatException">A condition is malformed; the message names it.</exception>
    public static bool Matches(NodeSelectorTerm term, Node node)
    {
        ArgumentNullException.ThrowIfNull(term);
        ArgumentNullException.ThrowIfNull(node);
        if (term.MatchExpressions.Count == 0 && term.MatchFields.Count == 0)
            return false;
        return LabelMatcher.FromRequirements(term.MatchExpressions.Select(Requirement)).Matches(node.Metadata.Labels)
            && term.MatchFields.All(field => MatchesField(field, node));
    }

    private static LabelRequirement Requirement(NodeSelectorRequirement requirement) => new(
        requirement.Key,
        requirement.Operator switch
        {
            "In" => LabelOperator.In,
            "NotIn" => LabelOperator.NotIn,
            "Exists" => LabelOperator.Exists,
            "DoesNotExist" => LabelOperator.DoesNotExist,
            "Gt" => LabelOperator.GreaterThan,
            "Lt" => LabelOperator.LessThan,
            _ => throw new FormatException(
                $"node selector \"{requirement.Key}\": operator \"{requirement.Operator}\" is none of In, NotIn, Exists, DoesNotExist, Gt, Lt"),
        },
        requirement.Values);

    private static bool MatchesField(NodeSelectorRequirement field, Node node)
    {
        if (field.Key != "metadata.name" || field.Values.Count != 1 || field.Operator is not ("In" or "NotIn"))
            throw new FormatException($"node selector: matchFields supports metadata.name with In or NotIn and one value, not \"{field.Key}\" {field.Operator}");
        return field.Values[0] == node.Metadata.Name == (field.Operator == "In");
    }
}
