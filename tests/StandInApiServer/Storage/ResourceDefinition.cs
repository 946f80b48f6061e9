using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.StandIn.Storage;

/// <summary>A kind this server stores, and what discovery says of it.</summary>
internal sealed record ResourceDefinition(ResourceType Type)
{
    public string Plural => Type.Plural;

    public string Kind => Type.Kind;

    public bool Namespaced => Type.Namespaced;

    /// <summary>"pods", or "deployments.apps": how messages name it.</summary>
    public string QualifiedName { get; } = Type.Group.Length == 0 ? Type.Plural : $"{Type.Plural}.{Type.Group}";

    public IReadOnlyList<string> ShortNames { get; init; } = [];

    public IReadOnlyList<string> Subresources { get; init; } = [];

    public IReadOnlyList<string> Categories { get; init; } = [];

    /// <summary>Fields that selectors may name, metadata.name and metadata.namespace aside.</summary>
    public IReadOnlyList<string> SelectableFields { get; init; } = [];

    /// <summary>metadata.generation counts changes of what is neither metadata nor status.</summary>
    public bool HasGeneration { get; init; }

    public bool HasStatus => Subresources.Contains("status");

    public bool Equals(ResourceDefinition? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => QualifiedName.GetHashCode(StringComparison.Ordinal);
}
