using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Patches;

/// <summary>The names with a special meaning inside strategic merge patches, and what both directions need of lists.</summary>
internal static class PatchDirectives
{
    internal const string Marker = "$patch";
    internal const string Delete = "delete";
    internal const string Replace = "replace";
    internal const string RetainKeys = "$retainKeys";
    internal const string DeleteFromPrimitiveList = "$deleteFromPrimitiveList/";
    internal const string SetElementOrder = "$setElementOrder/";

    /// <summary>True for names that steer the merge and are no fields.</summary>
    internal static bool IsDirective(string name) => name is Marker or RetainKeys
        || name.StartsWith(DeleteFromPrimitiveList, StringComparison.Ordinal)
        || name.StartsWith(SetElementOrder, StringComparison.Ordinal);

    internal static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    internal static bool IsDeletion(JsonNode? item) => item is JsonObject map && Text(map[Marker]) == Delete;

    /// <summary>The text by which scalars are told apart; strings and numbers of the same look are different scalars.</summary>
    internal static string Identity(JsonNode? scalar) => Text(scalar) is { } text ? '"' + text : scalar?.ToJsonString() ?? "null";

    /// <summary>The identity of a list item: of its key's value, or of itself in a list of scalars.</summary>
    internal static string Identity(JsonNode? item, string? mergeKey)
    {
        if (mergeKey is null)
            return item is JsonObject or JsonArray ? throw new PatchException("a merged list without key holds an object") : Identity(item);
        if (item is not JsonObject map)
            throw new PatchException($"an item of a list merged by \"{mergeKey}\" is no object");
        return map.TryGetPropertyValue(mergeKey, out JsonNode? value)
            ? Identity(value)
            : throw new PatchException($"an item of a merged list lacks its key \"{mergeKey}\"");
    }

    /// <summary>Position of each identity's first occurrence.</summary>
    internal static Dictionary<string, int> Positions(JsonArray list, string? mergeKey)
    {
        Dictionary<string, int> positions = [];
        for (int i = 0; i < list.Count; i++)
            positions.TryAdd(Identity(list[i], mergeKey), i);
        return positions;
    }
}
