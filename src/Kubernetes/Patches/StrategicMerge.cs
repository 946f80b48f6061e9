using System.Text.Json.Nodes;
using static NodeAgent.Kubernetes.Patches.PatchDirectives;

namespace NodeAgent.Kubernetes.Patches;

/// <summary>Applies strategic merge patches. Both trees are the caller's copies: the first is changed, the second taken apart.</summary>
internal static class StrategicMerge
{
    internal static JsonObject Objects(JsonObject original, JsonObject patch, PatchType? type)
    {
        if (patch.TryGetPropertyValue(Marker, out JsonNode? directive))
        {
            patch.Remove(Marker);
            return Text(directive) switch
            {
                Replace => patch,
                Delete => [],
                var other => throw new PatchException($"unknown directive {Marker}: {other}"),
            };
        }
        ApplyRetainKeys(original, patch);
        ApplyElementOrders(original, patch, type);
        foreach ((string name, JsonNode? value) in patch.ToList())
        {
            patch.Remove(name);
            if (name.StartsWith(DeleteFromPrimitiveList, StringComparison.Ordinal))
                DeleteScalars(original, name[DeleteFromPrimitiveList.Length..], value);
            else if (value is null)
                original.Remove(name);
            else
                Field(original, name, value, type);
        }
        return original;
    }

    private static void ApplyRetainKeys(JsonObject original, JsonObject patch)
    {
        if (!patch.TryGetPropertyValue(RetainKeys, out JsonNode? directive))
            return;
        patch.Remove(RetainKeys);
        if (directive is not JsonArray list)
            throw new PatchException($"{RetainKeys} must be a list");
        HashSet<string> kept = [.. list.Select(k => Text(k) ?? throw new PatchException($"{RetainKeys} must hold names"))];
        foreach ((string name, JsonNode? value) in patch)
            if (value is not null && !IsDirective(name) && !kept.Contains(name))
                throw new PatchException($"{RetainKeys} does not list \"{name}\", which the patch sets");
        foreach ((string name, _) in original.ToList())
            if (!kept.Contains(name))
                original.Remove(name);
    }

    private static void Field(JsonObject original, string name, JsonNode value, PatchType? type)
    {
        PatchField? field = type?.Find(name);
        JsonNode? old = original[name];
        if (old is JsonObject oldMap && value is JsonObject change)
        {
            original.Remove(name);
            original[name] = field is { IsMap: true }
                ? Entries(oldMap, change, PatchFacts.Type(field.Type))
                : Objects(oldMap, change, PatchFacts.Type(field?.Type));
        }
        else if (old is JsonArray oldList && value is JsonArray changes)
            original[name] = field is { Merge: true } ? Lists(oldList, changes, field, changes) : changes;
        else if (old is not null && old.GetValueKind() == value.GetValueKind())
            original[name] = value;
        else
            SetNew(original, name, value);
    }

    private static JsonObject Entries(JsonObject original, JsonObject patch, PatchType? element)
    {
        if (patch.ContainsKey(Marker))
            return Objects(original, patch, element);
        foreach ((string key, JsonNode? value) in patch.ToList())
        {
            patch.Remove(key);
            if (value is null)
                original.Remove(key);
            else if (original[key] is JsonObject oldMap && value is JsonObject change)
            {
                original.Remove(key);
                original[key] = Objects(oldMap, change, element);
            }
            else
                SetNew(original, key, value);
        }
        return original;
    }

    // A value that was not there before: its nulls delete nothing, and its directives have nothing to act on.
    private static void SetNew(JsonObject target, string name, JsonNode value)
    {
        if (Cleaned(value))
            target[name] = value;
        else
            target.Remove(name);
    }

    private static bool Cleaned(JsonNode? value)
    {
        if (value is JsonObject map)
        {
            if (map.ContainsKey(Marker))
                return false;
            foreach ((string name, JsonNode? inner) in map.ToList())
                if (inner is null || IsDirective(name) || !Cleaned(inner))
                    map.Remove(name);
        }
        else if (value is JsonArray list)
        {
            for (int i = list.Count - 1; i >= 0; i--)
                if (!Cleaned(list[i]))
                    list.RemoveAt(i);
        }
        return true;
    }

    private static void DeleteScalars(JsonObject original, string name, JsonNode? value)
    {
        if (value is not JsonArray deletions)
            throw new PatchException($"{DeleteFromPrimitiveList}{name} must be a list");
        if (original[name] is not JsonArray list)
            return;
        HashSet<string> gone = [.. deletions.Select(Identity)];
        for (int i = list.Count - 1; i >= 0; i--)
            if (gone.Contains(Identity(list[i])))
                list.RemoveAt(i);
    }

    private static void ApplyElementOrders(JsonObject original, JsonObject patch, PatchType? type)
    {
        foreach ((string directive, JsonNode? value) in patch.ToList())
        {
            if (!directive.StartsWith(SetElementOrder, StringComparison.Ordinal))
                continue;
            patch.Remove(directive);
            string name = directive[SetElementOrder.Length..];
            PatchField field = type?.Find(name) is { Merge: true } found
                ? found
                : throw new PatchException($"{directive}: the field is no merged list");
            if (value is not JsonArray order)
                throw new PatchException($"{directive} must be a list");
            // Deletions of scalars come after the merge upstream too; the order of what stays is the same either way.
            JsonArray? changes = patch[name] as JsonArray;
            CheckOrder(changes, order, field.MergeKey, directive);
            if (original[name] is not JsonArray list)
            {
                if (changes is null)
                    continue;
                list = [];
                original[name] = list;
            }
            patch.Remove(name);
            original[name] = Lists(list, changes ?? [], field, order);
        }
    }

    private static void CheckOrder(JsonArray? changes, JsonArray order, string? key, string directive)
    {
        if (changes is null || order.Count == 0)
            return;
        int position = 0;
        foreach (JsonNode? item in changes)
        {
            if (item is JsonObject map && map.ContainsKey(Marker))
                continue;
            string identity = Identity(item, key);
            while (position < order.Count && Identity(order[position], key) != identity)
                position++;
            if (position++ == order.Count)
                throw new PatchException($"the order of the patch list does not match {directive}");
        }
    }

    /// <summary>
    /// Merges the items of <paramref name="changes"/> and orders the result: items named in <paramref name="order"/> as there, the others
    /// where they were relative to those.
    /// </summary>
    private static JsonArray Lists(JsonArray original, JsonArray changes, PatchField field, JsonArray order)
    {
        Dictionary<string, int> before = ReferenceEquals(order, changes) || field.MergeKey is null
            ? Positions(original, field.MergeKey)
            : OverwrittenPositions(original, changes, field.MergeKey);
        Dictionary<string, int> wanted = Positions(WithoutDirectives(order), field.MergeKey);
        List<JsonNode?> merged = field.MergeKey is null ? MergeScalars(original, changes) : MergeItems(original, changes, field, field.MergeKey);
        List<JsonNode?> named = [.. merged.Where(i => wanted.ContainsKey(Identity(i, field.MergeKey)))
            .OrderBy(i => wanted[Identity(i, field.MergeKey)])];
        List<JsonNode?> others = [.. merged.Where(i => !wanted.ContainsKey(Identity(i, field.MergeKey)))];
        JsonArray result = [];
        int next = 0;
        foreach (JsonNode? item in named)
        {
            int place = before.GetValueOrDefault(Identity(item, field.MergeKey), -1);
            while (next < others.Count && place >= 0 && before.GetValueOrDefault(Identity(others[next], field.MergeKey), int.MaxValue) < place)
                result.Add(others[next++]);
            result.Add(item);
        }
        while (next < others.Count)
            result.Add(others[next++]);
        return result;
    }

    // Upstream deletes and appends in the array it later takes the old order from, so new items sit where deleted ones made room.
    private static Dictionary<string, int> OverwrittenPositions(JsonArray original, JsonArray changes, string key)
    {
        string[] slots = [.. original.Select(i => Identity(i, key))];
        HashSet<string> known = [.. slots];
        int count = slots.Length;
        foreach (string gone in changes.Where(IsDeletion).Select(i => Identity(i, key)))
            for (int at = Array.IndexOf(slots, gone, 0, count); at >= 0; at = Array.IndexOf(slots, gone, 0, count))
            {
                Array.Copy(slots, at + 1, slots, at, --count - at);
                known.Remove(gone);
            }
        foreach (string added in changes.Where(i => !IsDeletion(i)).Select(i => Identity(i, key)))
            if (known.Add(added) && count < slots.Length)
                slots[count++] = added;
        Dictionary<string, int> positions = [];
        for (int i = 0; i < slots.Length; i++)
            positions.TryAdd(slots[i], i);
        return positions;
    }

    private static JsonArray WithoutDirectives(JsonArray list) =>
        [.. list.Where(i => i is not JsonObject map || !map.ContainsKey(Marker)).Select(i => i?.DeepClone())];

    private static List<JsonNode?> MergeScalars(JsonArray original, JsonArray changes)
    {
        HashSet<string> known = [];
        List<JsonNode?> merged = [.. original.Concat(changes).Where(i => known.Add(Identity(i, null)))];
        original.Clear();
        changes.Clear();
        return merged;
    }

    private static List<JsonNode?> MergeItems(JsonArray original, JsonArray changes, PatchField field, string key)
    {
        PatchType? type = PatchFacts.Type(field.Type);
        List<JsonNode?> merged = [.. original];
        List<JsonNode?> items = [.. changes];
        original.Clear();
        changes.Clear();
        if (items.Any(i => i is JsonObject map && Text(map[Marker]) == Replace))
            return [.. items.Where(i => !i!.AsObject().ContainsKey(Marker))];
        foreach (JsonNode? item in items.Where(IsDeletion))
            merged.RemoveAll(m => Identity(m, key) == Identity(item, key));
        foreach (JsonNode? item in items.Where(i => !IsDeletion(i)))
        {
            string identity = Identity(item, key);
            JsonObject change = item!.AsObject();
            int at = merged.FindIndex(m => Identity(m, key) == identity);
            if (at >= 0)
                merged[at] = Objects(merged[at]!.AsObject(), change, type);
            else if (change.ContainsKey(Marker))
                throw new PatchException($"unknown directive {Marker}: {Text(change[Marker])}");
            else
                merged.Add(change);
        }
        return merged;
    }
}
