using System.Text.Json;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Sync;

/// <summary>
/// Fields of a pod that this agent does not honour. A pod that uses one waits with a message naming it: it must never run as if
/// the field were not there. Fields that this release's API does not have are passed over, as upstream does, but for kinds of volumes.
/// Pure; <see cref="PodFieldTable"/> has the fields.
/// </summary>
public static class UnsupportedPodFields
{
    private const string AnyVolume = "volumes[]";

    /// <summary>The first such field the pod uses and the remedy, or null. Its ephemeral containers, which came later, are each asked about by themselves.</summary>
    public static string? Find(Pod pod)
    {
        ArgumentNullException.ThrowIfNull(pod);
        return Find(KubernetesJson.SerializeToUtf8Bytes(pod.Spec with { EphemeralContainers = [] }), "", "spec");
    }

    /// <summary>The first such field the ephemeral container uses and the remedy, or null.</summary>
    public static string? Find(EphemeralContainer container)
    {
        ArgumentNullException.ThrowIfNull(container);
        return Find(KubernetesJson.SerializeToUtf8Bytes(container), "containers[]", $"spec.ephemeralContainers[] ({container.Name})");
    }

    private static string? Find(byte[] json, string path, string shown)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return Walk(document.RootElement, path, shown) is { } field ? $"{field} is not supported by this node agent; remove the field or use another node" : null;
    }

    private static string? Walk(JsonElement element, string path, string shown)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    if (Field(property, path, shown) is { } found)
                    {
                        return found;
                    }
                }

                return null;
            case JsonValueKind.Array:
                int index = 0;
                foreach (JsonElement item in element.EnumerateArray())
                {
                    string name = item.ValueKind == JsonValueKind.Object && item.TryGetProperty("name", out JsonElement n) ? $" ({n})" : "";
                    if (Walk(item, path + "[]", $"{shown}[{index++}]{name}") is { } found)
                    {
                        return found;
                    }
                }

                return null;
            default:
                return null;
        }
    }

    private static string? Field(JsonProperty property, string path, string shown)
    {
        string name = path.Length == 0 && property.Name is "initContainers" ? "containers" : property.Name;
        string at = path.Length == 0 ? name : $"{path}.{name}";
        string text = $"{shown}.{property.Name}";
        if (PodFieldTable.Honoured.Contains(at) || property.Value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (PodFieldTable.HonouredValues.TryGetValue(at, out string[]? values))
        {
            string value = property.Value.GetRawText();
            return values.Contains(value) ? null : $"{text}: {value}";
        }

        return PodFieldTable.Refused.Contains(at) || (path == AnyVolume && at != "volumes[].projected") ? text : Walk(property.Value, at, text);
    }
}
