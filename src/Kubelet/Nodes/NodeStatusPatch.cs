using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>The strategic merge patch from one Node to another. Pure. Source: component-helpers/node/util/status.go.</summary>
public static class NodeStatusPatch
{
    /// <summary>The patch; empty where nothing differs. Of metadata only labels and annotations travel, the spec never does.</summary>
    public static JsonObject Create(Node before, Node after)
    {
        JsonObject patch = [];
        JsonObject metadata = [];
        Put(metadata, "labels", DiffObject(ToJson(before.Metadata.Labels), ToJson(after.Metadata.Labels)));
        Put(metadata, "annotations", DiffObject(ToJson(before.Metadata.Annotations), ToJson(after.Metadata.Annotations)));
        Put(patch, "metadata", metadata);
        Put(patch, "status", DiffStatus(KubernetesJson.SerializeToNode(before.Status), KubernetesJson.SerializeToNode(after.Status)));
        return patch;
    }

    private static JsonObject DiffStatus(JsonObject before, JsonObject after)
    {
        JsonObject patch = [];
        foreach (string name in before.Select(f => f.Key).Union(after.Select(f => f.Key)).Order(StringComparer.Ordinal))
        {
            JsonNode? old = before[name], now = after[name];
            if (JsonNode.DeepEquals(old, now))
            {
                continue;
            }

            switch (name)
            {
                case "conditions":
                    patch[name] = ByType(old as JsonArray ?? [], now as JsonArray ?? []);
                    break;
                case "addresses":
                    patch[name] = Addresses(old as JsonArray ?? [], now as JsonArray ?? []);
                    break;
                default:
                    patch[name] = old is JsonObject a && now is JsonObject b ? DiffObject(a, b) : now?.DeepClone();
                    break;
            }
        }

        return patch;
    }

    // Merged by type; conditions are never taken away here.
    private static JsonArray ByType(JsonArray before, JsonArray after)
    {
        JsonArray changed = [];
        foreach (JsonNode? condition in after)
        {
            JsonNode? old = before.FirstOrDefault(c => (string?)c!["type"] == (string?)condition!["type"]);
            if (!JsonNode.DeepEquals(old, condition))
            {
                changed.Add(condition!.DeepClone());
            }
        }

        return changed;
    }

    // The merge key (type) is not unique among addresses, so the list is replaced as a whole.
    private static JsonArray Addresses(JsonArray before, JsonArray after)
    {
        JsonArray addresses = [.. after.Select(a => a!.DeepClone())];
        if (before.Count > 0)
        {
            JsonNode replace = new JsonObject { ["$patch"] = "replace" };
            addresses.Add(replace);
        }

        return addresses;
    }

    private static JsonObject DiffObject(JsonObject before, JsonObject after)
    {
        JsonObject patch = [];
        foreach ((string name, JsonNode? now) in after)
        {
            JsonNode? old = before[name];
            if (!JsonNode.DeepEquals(old, now))
            {
                patch[name] = old is JsonObject a && now is JsonObject b ? DiffObject(a, b) : now?.DeepClone();
            }
        }

        foreach ((string name, JsonNode? _) in before)
        {
            if (!after.ContainsKey(name))
            {
                patch[name] = null;
            }
        }

        return patch;
    }

    private static JsonObject ToJson(IReadOnlyDictionary<string, string> map)
    {
        JsonObject json = [];
        foreach ((string key, string value) in map)
        {
            json[key] = value;
        }

        return json;
    }

    private static void Put(JsonObject into, string name, JsonObject value)
    {
        if (value.Count > 0)
        {
            into[name] = value;
        }
    }
}
