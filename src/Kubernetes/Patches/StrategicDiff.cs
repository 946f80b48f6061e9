using System.Text.Json.Nodes;
using static NodeAgent.Kubernetes.Patches.PatchDirectives;

namespace NodeAgent.Kubernetes.Patches;

/// <summary>From two objects to the strategic merge patch between them. Nothing of the arguments is in the result: nodes are copied.</summary>
internal static class StrategicDiff
{
    /// <summary>The difference of two objects; with <paramref name="retainKeys"/> it also lists the fields that stay.</summary>
    internal static JsonObject Objects(JsonObject original, JsonObject modified, PatchType? type, bool retainKeys)
    {
        JsonObject patch = [];
        foreach ((string name, JsonNode? value) in modified)
        {
            if (!original.TryGetPropertyValue(name, out JsonNode? old))
                patch[name] = value?.DeepClone();
            else
                Field(patch, name, old, value, type?.Find(name));
        }
        foreach ((string name, _) in original)
            if (!modified.ContainsKey(name))
                patch[name] = null;
        if (retainKeys && patch.Count > 0)
            AddRetainKeys(patch, modified);
        return patch;
    }

    private static void AddRetainKeys(JsonObject patch, JsonObject modified)
    {
        string[] names = [.. modified.Where(f => f.Value is not null).Select(f => f.Key).Order(StringComparer.Ordinal)];
        if (names.Length > 0)
            patch[RetainKeys] = new JsonArray([.. names.Select(n => (JsonNode)JsonValue.Create(n))]);
    }

    private static void Field(JsonObject patch, string name, JsonNode? old, JsonNode? value, PatchField? field)
    {
        if (old is JsonObject oldMap && value is JsonObject newMap)
        {
            JsonObject inner = field is { IsMap: true }
                ? Entries(oldMap, newMap, PatchFacts.Type(field.Type))
                : Objects(oldMap, newMap, PatchFacts.Type(field?.Type), field?.RetainKeys == true);
            if (inner.Count > 0)
                patch[name] = inner;
        }
        else if (old is JsonArray oldList && value is JsonArray newList && field is { Merge: true })
            Lists(patch, oldList, newList, field);
        else if (!JsonNode.DeepEquals(old, value))
            patch[name] = value?.DeepClone();
    }

    // The entries of a map with free keys: each is of the same type, whatever its key.
    private static JsonObject Entries(JsonObject original, JsonObject modified, PatchType? element)
    {
        JsonObject patch = [];
        foreach ((string key, JsonNode? value) in modified)
        {
            JsonNode? change = value?.DeepClone();
            if (original.TryGetPropertyValue(key, out JsonNode? old))
            {
                if (JsonNode.DeepEquals(old, value))
                    continue;
                if (old is JsonObject oldMap && value is JsonObject newMap)
                    change = Objects(oldMap, newMap, element, retainKeys: false);
            }
            patch[key] = change;
        }
        foreach ((string key, _) in original)
            if (!modified.ContainsKey(key))
                patch[key] = null;
        return patch;
    }

    private static void Lists(JsonObject patch, JsonArray original, JsonArray modified, PatchField field)
    {
        if (original.Count == 0)
        {
            if (modified.Count > 0)
                patch[field.Name] = modified.DeepClone();
            return;
        }
        if (field.MergeKey is null)
            ScalarLists(patch, original, modified, field.Name);
        else
            ObjectLists(patch, original, modified, field, field.MergeKey);
    }

    private static void ScalarLists(JsonObject patch, JsonArray original, JsonArray modified, string name)
    {
        Dictionary<string, int> surplus = Counts(modified);
        List<JsonNode?> deleted = [];
        HashSet<string> known = [];
        foreach (JsonNode? item in original)
        {
            string identity = Identity(item, null);
            if (surplus.TryGetValue(identity, out int count) && count > 0)
                surplus[identity] = count - 1;
            else if (known.Add(identity))
                deleted.Add(item);
        }
        List<JsonNode?> added = [];
        // What is left of a value's count is new; the first ones were there before.
        for (int i = modified.Count - 1; i >= 0; i--)
        {
            string identity = Identity(modified[i]);
            if (surplus[identity] <= 0)
                continue;
            surplus[identity]--;
            added.Insert(0, modified[i]);
        }
        if (added.Count > 0)
            patch[name] = Copy(added);
        if (deleted.Count > 0)
            patch[DeleteFromPrimitiveList + name] = Copy(deleted.OrderBy(d => Text(d) ?? Identity(d), StringComparer.Ordinal));
        if (modified.Count > 0 && !JsonNode.DeepEquals(original, modified))
            patch[SetElementOrder + name] = modified.DeepClone();
    }

    private static void ObjectLists(JsonObject patch, JsonArray original, JsonArray modified, PatchField field, string key)
    {
        PatchType? type = PatchFacts.Type(field.Type);
        Dictionary<string, Queue<JsonObject>> old = ByIdentity(original, key);
        List<JsonNode?> changes = [];
        foreach (JsonNode? item in modified)
        {
            JsonObject map = item!.AsObjectItem(key);
            if (!old.TryGetValue(Identity(map, key), out Queue<JsonObject>? same) || !same.TryDequeue(out JsonObject? before))
            {
                changes.Add(map.DeepClone());
                continue;
            }
            JsonObject inner = Objects(before, map, type, field.RetainKeys);
            if (inner.Count == 0)
                continue;
            inner[key] = map[key]?.DeepClone();
            changes.Add(inner);
        }
        foreach (JsonObject gone in old.Values.SelectMany(q => q).OrderBy(m => Text(m[key]) ?? Identity(m[key]), StringComparer.Ordinal))
            changes.Add(new JsonObject { [key] = gone[key]?.DeepClone(), [Marker] = Delete });
        if (changes.Count > 0)
            patch[field.Name] = new JsonArray([.. changes]);
        if (modified.Count > 0 && (changes.Count > 0 || !SameOrder(original, modified, key)))
            patch[SetElementOrder + field.Name] = new JsonArray([.. modified.Select(m => new JsonObject { [key] = m![key]?.DeepClone() })]);
    }

    private static Dictionary<string, Queue<JsonObject>> ByIdentity(JsonArray list, string key)
    {
        Dictionary<string, Queue<JsonObject>> result = [];
        foreach (JsonNode? item in list)
        {
            string identity = Identity(item, key);
            if (!result.TryGetValue(identity, out Queue<JsonObject>? same))
                result[identity] = same = [];
            same.Enqueue(item!.AsObject());
        }
        return result;
    }

    private static JsonObject AsObjectItem(this JsonNode? item, string key)
    {
        Identity(item, key);
        return item!.AsObject();
    }

    private static bool SameOrder(JsonArray original, JsonArray modified, string key) =>
        original.Count == modified.Count && original.Select(i => Identity(i, key)).SequenceEqual(modified.Select(i => Identity(i, key)));

    private static Dictionary<string, int> Counts(JsonArray list)
    {
        Dictionary<string, int> counts = [];
        foreach (JsonNode? item in list)
        {
            string identity = Identity(item, null);
            counts[identity] = counts.GetValueOrDefault(identity) + 1;
        }
        return counts;
    }

    private static JsonArray Copy(IEnumerable<JsonNode?> items) => [.. items.Select(i => i?.DeepClone())];
}
