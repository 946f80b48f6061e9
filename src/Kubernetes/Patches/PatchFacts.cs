using System.Collections.Frozen;

namespace NodeAgent.Kubernetes.Patches;

/// <summary>How a field takes part in a strategic merge patch.</summary>
/// <param name="Name">JSON name.</param>
/// <param name="Type">Name of the object type it holds, itself or in a list or map; null for scalars.</param>
/// <param name="IsMap">True when it is a map with free keys.</param>
/// <param name="Merge">Lists are merged, not replaced.</param>
/// <param name="RetainKeys">The patch lists the fields that stay.</param>
/// <param name="MergeKey">The field that identifies an item of a merged list of objects.</param>
internal sealed record PatchField(string Name, string? Type, bool IsMap, bool Merge, bool RetainKeys, string? MergeKey);

/// <summary>The patch facts of a type.</summary>
internal sealed class PatchType(string name, string? kind, PatchField[] fields)
{
    private readonly FrozenDictionary<string, PatchField> fields = fields.ToFrozenDictionary(f => f.Name);

    public string Name => name;

    public string? Kind => kind;

    public PatchField? Find(string field) => fields.GetValueOrDefault(field);
}

/// <summary>The patch facts of all types in the schema.</summary>
internal static partial class PatchFacts
{
    private static readonly FrozenDictionary<string, PatchType> Types = AllTypes();
    private static readonly FrozenDictionary<string, PatchType> Kinds =
        Types.Values.Where(t => t.Kind is not null).ToFrozenDictionary(t => t.Kind!);

    /// <summary>The type with this name; null when it has no field that matters here.</summary>
    internal static PatchType? Type(string? name) => name is null ? null : Types.GetValueOrDefault(name);

    /// <summary>The type of a kind, or null for a kind the schema lacks.</summary>
    internal static PatchType? OfKind(string apiVersion, string kind) => Kinds.GetValueOrDefault($"{apiVersion}/{kind}");
}
