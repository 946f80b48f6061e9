using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NodeAgent.Kubelet.Sources;

/// <summary>
/// The text that upstream makes of a pod when it hashes it: every field of every struct with its type and value. Pure.
/// Source: k8s.io/utils/dump (ForHash), which prints with github.com/davecgh/go-spew.
/// </summary>
internal static class GoPodText
{
    private const string Nil = "<nil>", ResourceList = "core.ResourceList", Time = "(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}";

    /// <summary>Where the API's name of a field is not the field's, whatever the case.</summary>
    private static readonly Dictionary<string, string> ApiNames = new()
    {
        ["DiscoveryCHAPAuth"] = "chapAuthDiscovery",
        ["SessionCHAPAuth"] = "chapAuthSession",
        ["CephMonitors"] = "monitors",
        ["RBDImage"] = "image",
        ["RBDPool"] = "pool",
        ["RadosUser"] = "user",
        ["EndpointsName"] = "endpoints",
        ["DataDiskURI"] = "diskURI",
        ["ObjectMeta"] = "metadata",
    };

    /// <summary>These are the pod's own in the API and its security context's in the hashed type.</summary>
    private static readonly string[] HostFields = ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"];

    /// <summary>The text of a pod.</summary>
    /// <param name="pod">The pod with its defaults as the API writes it.</param>
    public static string Of(JsonObject pod)
    {
        var content = (JsonObject)pod.DeepClone();
        content.Remove("kind");
        content.Remove("apiVersion");
        if (content["spec"] is JsonObject spec)
        {
            Move(spec);
        }

        var text = new StringBuilder("(*core.Pod)");
        Struct(text, "core.Pod", content);
        return text.ToString();
    }

    private static void Move(JsonObject spec)
    {
        if (spec["serviceAccount"] is { } account && spec["serviceAccountName"] is null)
        {
            spec["serviceAccountName"] = account.DeepClone();
        }

        if (spec["securityContext"] is not JsonObject security)
        {
            spec["securityContext"] = security = [];
        }

        foreach (string field in HostFields)
        {
            if (spec[field] is { } value)
            {
                spec.Remove(field);
                security[field] = value;
            }
        }
    }

    private static void Typed(StringBuilder text, string type, JsonNode? node)
    {
        text.Append('(').Append(type).Append(')');
        Value(text, type, node);
    }

    private static void Value(StringBuilder text, string type, JsonNode? node)
    {
        if (type[0] == '*')
        {
            Pointed(text, type[1..], node);
        }
        else if (type.StartsWith("[]", StringComparison.Ordinal))
        {
            Items(text, type[2..], node);
        }
        else if (type == ResourceList || type.StartsWith("map[", StringComparison.Ordinal))
        {
            Entries(text, type == ResourceList ? "resource.Quantity" : type[(type.IndexOf(']', StringComparison.Ordinal) + 1)..], node);
        }
        else if (type == "resource.Quantity")
        {
            text.Append(GoQuantityText.Of(Scalar(node) ?? ""));
        }
        else if (type == "intstr.IntOrString")
        {
            bool named = node?.GetValueKind() == JsonValueKind.String;
            text.Append(named ? $"{{Type:(intstr.Type)1 IntVal:(int32)0 StrVal:(string){Scalar(node)}}}" : $"{{Type:(intstr.Type)0 IntVal:(int32){Scalar(node) ?? "0"} StrVal:(string)}}");
        }
        else if (type == "v1.Time")
        {
            text.Append("{Time:").Append(Time).Append('}');
        }
        else if (GoPodTypes.Fields(type) is not null)
        {
            Struct(text, type, node as JsonObject);
        }
        else
        {
            text.Append(Scalar(node) ?? GoPodTypes.Zero(type));
        }
    }

    private static void Pointed(StringBuilder text, string type, JsonNode? node)
    {
        if (node is null)
        {
            text.Append(Nil);
        }
        else
        {
            Value(text, type, node);
        }
    }

    private static void Struct(StringBuilder text, string type, JsonObject? node)
    {
        text.Append('{');
        bool first = true;
        foreach (GoField field in GoPodTypes.Fields(type)!)
        {
            text.Append(first ? "" : " ").Append(field.Name).Append(':');
            Typed(text, field.Type, field.IsEmbedded && field.Name != "ObjectMeta" ? node : Member(node, field.Name));
            first = false;
        }

        text.Append('}');
    }

    private static JsonNode? Member(JsonObject? node, string field)
    {
        string name = ApiNames.GetValueOrDefault(field, field);
        return node?.FirstOrDefault(pair => pair.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;
    }

    private static void Items(StringBuilder text, string type, JsonNode? node)
    {
        if (node is not JsonArray items)
        {
            text.Append(Nil);
            return;
        }

        text.Append('[');
        for (int i = 0; i < items.Count; i++)
        {
            text.Append(i == 0 ? "" : " ");
            Value(text, type, items[i]);
        }

        text.Append(']');
    }

    private static void Entries(StringBuilder text, string type, JsonNode? node)
    {
        if (node is not JsonObject entries)
        {
            text.Append(Nil);
            return;
        }

        text.Append("map[");
        bool first = true;
        // Go compares strings byte by byte.
        foreach ((string key, JsonNode? value) in entries.OrderBy(pair => pair.Key, Comparer<string>.Create((a, b) => Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(b)))))
        {
            text.Append(first ? "" : " ").Append(key).Append(':');
            Value(text, type, value);
            first = false;
        }

        text.Append(']');
    }

    private static string? Scalar(JsonNode? node) => node is not JsonValue value ? null
        : value.TryGetValue(out string? text) ? text : value.ToJsonString();
}
