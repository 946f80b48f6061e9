namespace NodeAgent.Kubernetes.Objects;

/// <summary>How the API server names a kind.</summary>
/// <param name="Group">The API group; empty for the core group.</param>
/// <param name="Version">The version, for example v1.</param>
/// <param name="Plural">The path element, for example pods.</param>
/// <param name="Kind">The kind, for example Pod.</param>
/// <param name="Namespaced">True when objects of the kind live in a namespace.</param>
/// <param name="Subresource">The path element after the object's name, for kinds that are only posted there (token, eviction).</param>
public record ResourceType(string Group, string Version, string Plural, string Kind, bool Namespaced, string? Subresource = null)
{
    /// <summary>Group and version as objects state them: v1, or group/version.</summary>
    public string ApiVersion { get; } = Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>The path below which the kind is served: /api/v1 or /apis/group/version.</summary>
    public string ApiPath { get; init; } = Group.Length == 0 ? $"/api/{Version}" : $"/apis/{Group}/{Version}";
}

/// <summary>How the API server names the kind that <typeparamref name="T"/> represents.</summary>
/// <inheritdoc/>
public sealed record ResourceType<T>(
    string Group, string Version, string Plural, string Kind, bool Namespaced, string? Subresource = null)
    : ResourceType(Group, Version, Plural, Kind, Namespaced, Subresource)
    where T : class, IKubernetesObject;
