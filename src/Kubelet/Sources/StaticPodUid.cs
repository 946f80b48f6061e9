using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Sources;

/// <summary>
/// A static pod's UID as upstream makes it, so that pods go on when the node changes hands: FNV-1a over the pod's text and its origin.
/// Pure. Source: pkg/kubelet/config/common.go.
/// </summary>
internal static class StaticPodUid
{
    private static readonly UInt128 Offset = new(0x6c62272e07bb0142, 0x62b821756295c58d), Prime = new(0x0000000001000000, 0x000000000000013b);

    /// <summary>The UID.</summary>
    /// <param name="origin">Where the manifest is from.</param>
    /// <param name="pod">The pod with its defaults.</param>
    /// <param name="manifest">The manifest as it was written: what is empty there is not absent, and quantities are as they were written.</param>
    /// <param name="node">The node's name.</param>
    public static string Of(StaticPodOrigin origin, Pod pod, JsonNode manifest, string node)
    {
        JsonObject content = KubernetesJson.SerializeToNode(pod);
        // The agent's own copy of the status says nothing of the manifest.
        content.Remove("status");
        Restore(content, manifest as JsonObject ?? []);
        foreach (string list in (string[])["containers", "initContainers"])
        {
            RestoreRequests(content["spec"]?[list] as JsonArray, manifest["spec"]?[list] as JsonArray);
        }

        string text = GoPodText.Of(content) + (origin.Kind == PodSourceKind.Http ? $"url:{origin.Location}" : $"host:{node}file:{origin.Location}");
        return Hash(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>FNV-1a of 128 bits, in hexadecimal.</summary>
    internal static string Hash(ReadOnlySpan<byte> content)
    {
        UInt128 hash = Offset;
        foreach (byte b in content)
        {
            hash = unchecked((hash ^ b) * Prime);
        }

        return hash.ToString("x32", CultureInfo.InvariantCulture);
    }

    private static void Restore(JsonObject content, JsonObject written)
    {
        foreach ((string key, JsonNode? value) in written)
        {
            switch (content[key], value)
            {
                case (null, JsonArray { Count: 0 } or JsonObject { Count: 0 }) when key != "status":
                    content[key] = value.DeepClone();
                    break;
                case (JsonObject inner, JsonObject outer):
                    Restore(inner, outer);
                    break;
                case (JsonArray items, JsonArray others) when items.Count == others.Count:
                    foreach ((JsonNode? item, JsonNode? other) in items.Zip(others))
                    {
                        if (item is JsonObject to && other is JsonObject from)
                        {
                            Restore(to, from);
                        }
                    }

                    break;
                case (JsonValue now, JsonValue before) when now.GetValueKind() == System.Text.Json.JsonValueKind.String:
                    content[key] = before.GetValueKind() == System.Text.Json.JsonValueKind.String ? before.GetValue<string>() : before.ToJsonString();
                    break;
                default:
                    break;
            }
        }
    }

    // Requests that were not written are the limits, as those were written.
    private static void RestoreRequests(JsonArray? containers, JsonArray? written)
    {
        foreach ((JsonNode? container, JsonNode? before) in (containers ?? []).Zip(written ?? []))
        {
            if (container?["resources"]?["requests"] is not JsonObject requests || before?["resources"]?["limits"] is not JsonObject limits)
            {
                continue;
            }

            var given = before["resources"]?["requests"] as JsonObject;
            foreach ((string name, JsonNode? limit) in limits.Where(pair => given?.ContainsKey(pair.Key) != true && requests.ContainsKey(pair.Key)))
            {
                requests[name] = limit is JsonValue value && value.TryGetValue(out string? text) ? text : limit?.ToJsonString();
            }
        }
    }
}
