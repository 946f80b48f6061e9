using NodeAgent.StandIn.Requests;

namespace NodeAgent.StandIn.Identity;

/// <summary>What somebody wants to do.</summary>
internal sealed record AccessRequest(UserInfo User, string Verb)
{
    public string Group { get; init; } = "";

    public string Resource { get; init; } = "";

    public string Subresource { get; init; } = "";

    public string Namespace { get; init; } = "";

    public string Name { get; init; } = "";

    /// <summary>The path, for requests that are about no resource.</summary>
    public string? Path { get; init; }

    /// <summary>The field selector of a list or watch.</summary>
    public string FieldSelector { get; init; } = "";

    public string FullResource => Subresource.Length == 0 ? Resource : $"{Resource}/{Subresource}";

    public static AccessRequest Of(UserInfo user, RequestInfo info, string fieldSelector) => new(user, info.Verb)
    {
        Group = info.Group,
        Resource = info.Plural,
        Subresource = info.Subresource ?? "",
        Namespace = info.Namespace ?? "",
        Name = info.Name ?? "",
        FieldSelector = fieldSelector,
    };
}
