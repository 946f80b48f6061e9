using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Patches;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Requests;

/// <summary>The patch kinds, by content type.</summary>
internal static class PatchApplication
{
    /// <summary>The function that patches an object.</summary>
    /// <exception cref="ApiError">The content type is not one of the three, or the body malformed.</exception>
    public static Func<JsonObject, JsonObject> Of(ResourceDefinition definition, string name, string? contentType, byte[] body)
    {
        string media = (contentType ?? "").Split(';')[0].Trim();
        switch (media)
        {
            case "application/json-patch+json":
                JsonArray operations = JsonAnswers.Parse(body, null) as JsonArray ?? throw ApiError.BadRequest("a JSON patch is a list");
                return value => Guarded(definition, name, () => JsonPatch.Apply(value, operations));
            case "application/merge-patch+json":
                JsonObject merge = JsonAnswers.Parse(body, null) as JsonObject ?? throw ApiError.BadRequest("a merge patch is an object");
                return value => Guarded(definition, name, () => JsonMergePatch.Apply(value, merge));
            case "application/strategic-merge-patch+json":
                JsonObject patch = JsonAnswers.Parse(body, null) as JsonObject ?? throw ApiError.BadRequest("a strategic merge patch is an object");
                return value => Guarded(definition, name, () => Strategic(definition, value, patch));
            case "application/apply-patch+yaml" or "application/apply-patch+cbor":
                throw ApiError.UnsupportedMediaType("the stand-in API server has no server-side apply: apply on the client side (kubectl apply --server-side=false)");
            default:
                throw ApiError.UnsupportedMediaType(
                    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json");
        }
    }

    private static JsonObject Guarded(ResourceDefinition definition, string name, Func<JsonNode?> apply)
    {
        try
        {
            return apply() as JsonObject ?? throw ApiError.BadRequest("the patch leaves no object");
        }
        catch (PatchException e)
        {
            throw ApiError.Invalid(definition, name, "patch", $"Invalid value: {e.Message}");
        }
    }

    private static JsonObject Strategic(ResourceDefinition definition, JsonObject value, JsonObject patch)
    {
        bool known = Array.Exists(KnownGroups, group => group == definition.Type.Group) && !Array.Exists(Unknown, kind => kind == definition.Kind);
        if (known)
            return StrategicMergePatch.Apply(value, patch, definition.Type.ApiVersion, definition.Kind);
        return WithTemplate(value, patch);
    }

    private static readonly string[] KnownGroups =
    [
        "", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "node.k8s.io", "resource.k8s.io",
    ];

    private static readonly string[] Unknown = ["Endpoints", "ReplicationController", "LimitRange", "ResourceQuota", "DeviceClass"];

    // Workload kinds are not in the schema; their pod template is, and nothing else in them has lists with keys but conditions.
    private static JsonObject WithTemplate(JsonObject value, JsonObject patch)
    {
        JsonObject rest = patch.Copy();
        JsonNode? template = rest.At("spec", "template");
        if (template is not null)
            rest.Map("spec")!.Remove("template");
        JsonObject result = Plain(value.Copy(), rest);
        if (template is JsonObject change)
        {
            JsonObject before = new() { ["template"] = value.At("spec", "template")?.DeepClone() ?? new JsonObject() };
            JsonObject after = StrategicMergePatch.Apply(before, new JsonObject { ["template"] = change.DeepClone() }, "v1", "PodTemplate");
            result.Ensure("spec")["template"] = after["template"]!.DeepClone();
        }
        return result;
    }

    private static JsonObject Plain(JsonObject value, JsonObject patch)
    {
        if (patch.Text("$patch") == "replace")
            value.Clear();
        if (patch.At("$retainKeys") is JsonArray)
        {
            List<string> kept = patch.Texts("$retainKeys");
            foreach (string key in value.Select(pair => pair.Key).Except(kept).ToList())
                value.Remove(key);
        }
        foreach ((string key, JsonNode? change) in patch)
        {
            if (key.StartsWith('$'))
                continue;
            if (change is null || change.Text("$patch") == "delete")
                value.Remove(key);
            else if (change is JsonObject map)
                value[key] = Plain(value[key] is JsonObject old ? old.Copy() : [], map);
            else
                value[key] = change.DeepClone();
        }
        return value;
    }
}
