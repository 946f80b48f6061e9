using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Patches;

/// <summary>
/// Strategic merge patches (content type application/strategic-merge-patch+json): like JSON merge patches, but lists whose items
/// have a key are merged item by item (upstream: apimachinery/pkg/util/strategicpatch).
/// </summary>
public static class StrategicMergePatch
{
    /// <summary>The patch that turns <paramref name="original"/> into <paramref name="modified"/>; an empty object when they are equal.</summary>
    /// <exception cref="PatchException">An item of a merged list lacks its key.</exception>
    public static JsonObject Create<T>(T original, T modified)
        where T : class, IKubernetesResource<T>
    {
        using JsonScratch scratch = new();
        scratch.Write(original, modified, out ReadOnlySpan<byte> before, out ReadOnlySpan<byte> after);
        // Metadata, spec and status field by field: no kind declares these or their fields' names to be retained.
        (JsonObject old, JsonObject @new) = DifferentFields.Of(before, after, levels: 2);
        return Create(old, @new, T.Resource.ApiVersion, T.Resource.Kind);
    }

    /// <summary>The patch that turns <paramref name="original"/> into <paramref name="modified"/>; an empty object when they are equal.</summary>
    /// <exception cref="PatchException">The kind is unknown, or an item of a merged list lacks its key.</exception>
    public static JsonObject Create(JsonObject original, JsonObject modified, string apiVersion, string kind)
    {
        ArgumentNullException.ThrowIfNull(original);
        ArgumentNullException.ThrowIfNull(modified);
        return StrategicDiff.Objects(original, modified, Type(apiVersion, kind), retainKeys: false);
    }

    /// <summary>The patched object; the arguments stay as they are.</summary>
    /// <exception cref="PatchException">The kind is unknown, or the patch malformed.</exception>
    public static JsonObject Apply(JsonObject original, JsonObject patch, string apiVersion, string kind)
    {
        ArgumentNullException.ThrowIfNull(original);
        ArgumentNullException.ThrowIfNull(patch);
        return StrategicMerge.Objects(original.DeepClone().AsObject(), patch.DeepClone().AsObject(), Type(apiVersion, kind));
    }

    private static PatchType Type(string apiVersion, string kind) =>
        PatchFacts.OfKind(apiVersion, kind) ?? throw new PatchException($"no strategic merge patch for {apiVersion} {kind}: the kind is not in the schema");
}
