using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Sources;

/// <summary>A manifest of a static pod, YAML or JSON. Unknown fields are kept.</summary>
/// <param name="Pod">The pod as it was decoded.</param>
/// <param name="Json">What was written.</param>
internal sealed record StaticPodManifest(Pod Pod, JsonNode Json)
{
    /// <summary>The most that is read of a file or an answer, in bytes. Source: maxConfigLength in pkg/kubelet/config/common.go.</summary>
    public const int LargestContent = 10 << 20;

    /// <summary>One pod.</summary>
    /// <exception cref="FormatException">Says where the content is not a pod.</exception>
    public static StaticPodManifest One(ReadOnlySpan<byte> content) => Of(Document(content));

    /// <summary>One pod, or the items of a PodList, as they stand.</summary>
    public static IReadOnlyList<StaticPodManifest> Many(ReadOnlySpan<byte> content)
    {
        JsonNode document = Document(content);
        return document is JsonObject { } o && (string?)o["kind"] is "PodList" or "List"
            ? [.. (document["items"] as JsonArray ?? []).Select(i => Of(i ?? throw new FormatException("items has an empty entry")))]
            : [Of(document)];
    }

    private static StaticPodManifest Of(JsonNode json) => new(KubernetesJson.Deserialize<Pod>(json), json);

    private static JsonNode Document(ReadOnlySpan<byte> content) =>
        YamlJson.Parse(Encoding.UTF8.GetString(content)) ?? throw new FormatException("holds no YAML document");
}
