using System.Buffers;
using System.Text;
using System.Text.Json;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Allocation;

/// <summary>Texts of the resize events. Pure. Source: pkg/kubelet/events/resize.go.</summary>
public static class ResizeMessages
{
    /// <summary>ResizeStarted.</summary>
    public static string Started(Pod pod) => Text("Pod resize started", pod, pod?.Metadata.Generation, null);

    /// <summary>ResizeCompleted.</summary>
    /// <param name="pod">With its allocated resources.</param>
    /// <param name="generation">Of the resize that was completed.</param>
    public static string Completed(Pod pod, long? generation) => Text("Pod resize completed", pod, generation, null);

    /// <summary>ResizeError.</summary>
    public static string Failed(Pod pod, string error) => Text("Pod resize error", pod, pod?.Metadata.Generation, error);

    /// <summary>ResizeDeferred and ResizeInfeasible.</summary>
    public static string Waiting(Pod pod, string reason, string message) => Text($"Pod resize {reason}", pod, pod?.Metadata.Generation, message);

    private static string Text(string what, Pod? pod, long? generation, string? error)
    {
        ArgumentNullException.ThrowIfNull(pod);
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            Write(writer, "initContainers", pod.Spec.InitContainers);
            Write(writer, "containers", pod.Spec.Containers);
            writer.WriteNumber("generation", generation ?? 0);
            if (!string.IsNullOrEmpty(error))
            {
                writer.WriteString("error", error);
            }

            writer.WriteEndObject();
        }

        return $"{what}: {Encoding.UTF8.GetString(buffer.WrittenSpan)}";
    }

    private static void Write(Utf8JsonWriter writer, string name, IReadOnlyList<Container> containers)
    {
        if (containers.Count == 0)
        {
            return;
        }

        writer.WriteStartArray(name);
        foreach (Container c in containers)
        {
            writer.WriteStartObject();
            writer.WriteString("name", c.Name);
            writer.WritePropertyName("resources");
            writer.WriteRawValue(KubernetesJson.Serialize(c.Resources ?? ResourceRequirements.Empty));
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
