using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Sources;

/// <summary>Reads manifests, YAML or JSON. Unknown fields are kept. Pure.</summary>
internal static class StaticPodManifest
{
    /// <summary>The most that is read of a file or an answer, in bytes. Source: maxConfigLength in pkg/kubelet/config/common.go.</summary>
    public const int LargestContent = 10 << 20;

    /// <summary>One pod.</summary>
    /// <exception cref="FormatException">Says where the content is not a pod.</exception>
    public static Pod One(ReadOnlySpan<byte> content) => KubernetesJson.Deserialize<Pod>(Document(content));

    /// <summary>One pod, or the items of a PodList, as they stand.</summary>
    public static IReadOnlyList<Pod> Many(ReadOnlySpan<byte> content)
    {
        JsonNode document = Document(content);
        return document is JsonObject { } o && (string?)o["kind"] is "PodList" or "List"
            ? [.. (document["items"] as JsonArray ?? []).Select(i => KubernetesJson.Deserialize<Pod>(i ?? throw new FormatException("items has an empty entry")))]
            : [KubernetesJson.Deserialize<Pod>(document)];
    }

    private static JsonNode Document(ReadOnlySpan<byte> content) =>
        YamlJson.Parse(Encoding.UTF8.GetString(content)) ?? throw new FormatException("holds no YAML document");
}
