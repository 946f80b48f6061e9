using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.StandIn.Requests;

namespace NodeAgent.StandIn.Storage;

/// <summary>Namespace, labels and fields that a list or watch asks for.</summary>
internal sealed record ObjectFilter(string? Namespace, LabelMatcher Labels, FieldSelector Fields)
{
    public static ObjectFilter Everything { get; } = new(null, LabelMatcher.Everything, FieldSelector.Everything);

    public bool IsSelective => !Labels.IsEverything || Fields.Requirements.Count > 0;

    public static ObjectFilter Parse(ResourceDefinition definition, string? namespaceName, string? labels, string? fields)
    {
        try
        {
            FieldSelector selector = FieldSelector.Parse(fields ?? "");
            foreach (FieldRequirement requirement in selector.Requirements)
                if (requirement.Field is not ("metadata.name" or "metadata.namespace") && !definition.SelectableFields.Contains(requirement.Field))
                    throw ApiError.BadRequest($"field label not supported: {requirement.Field}");
            return new ObjectFilter(namespaceName, LabelMatcher.Parse(labels ?? ""), selector);
        }
        catch (FormatException e)
        {
            throw ApiError.BadRequest($"unable to parse requirement: {e.Message}");
        }
    }

    public bool Matches(StoredObject candidate) =>
        (Namespace is null || Namespace == candidate.Namespace)
        && Fields.Matches(field => Field(candidate, field))
        && Labels.Matches(candidate.Labels);

    private static string? Field(StoredObject candidate, string field) => field switch
    {
        "metadata.name" => candidate.Name,
        "metadata.namespace" => candidate.Namespace,
        "spec.hostNetwork" or "spec.unschedulable" => candidate.Value.Flag(field.Split('.')) == true ? "true" : "false",
        "source" => candidate.Value.Text("source", "component") ?? candidate.Value.Text("reportingComponent"),
        _ => candidate.Value.At(field.Split('.')) switch
        {
            JsonValue value when value.TryGetValue(out string? text) => text,
            JsonValue value => value.ToJsonString(),
            _ => null,
        },
    };
}
