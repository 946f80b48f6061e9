using System.Buffers;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Allocation;

/// <summary>
/// Upstream's format of allocated_pods_state and actuated_pods_state: the entries as JSON within a JSON string, and a checksum over it.
/// Pure. Source: pkg/kubelet/allocation/state/checkpoint.go.
/// </summary>
internal static class ResourceStateFile
{
    /// <summary>The file's bytes.</summary>
    /// <param name="records">What goes into it.</param>
    /// <param name="parts">Each record's part of the file, kept by who writes it again and again; null: none is kept.</param>
    public static byte[] Format(IReadOnlyDictionary<PodUid, PodResourceRecord> records, ConditionalWeakTable<PodResourceRecord, byte[]>? parts = null)
    {
        ReadOnlySpan<byte> data = Data(records, parts ?? []).WrittenSpan;
        var buffer = new ArrayBufferWriter<byte>(2 * data.Length + 64);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("data", data);
            writer.WriteNumber("checksum", Checksum(data));
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads what <see cref="Format"/> or upstream wrote.</summary>
    /// <exception cref="FormatException">It is neither, or was changed since.</exception>
    public static ImmutableDictionary<PodUid, PodResourceRecord> Parse(ReadOnlyMemory<byte> file)
    {
        try
        {
            using JsonDocument outer = JsonDocument.Parse(file);
            string data = outer.RootElement.GetProperty("data").GetString() ?? "";
            if (outer.RootElement.GetProperty("checksum").GetUInt64() != Checksum(data))
            {
                throw new FormatException("its checksum is not that of its data");
            }

            using JsonDocument inner = JsonDocument.Parse(data);
            return inner.RootElement.TryGetProperty("entries", out JsonElement entries) && entries.ValueKind == JsonValueKind.Object
                ? entries.EnumerateObject().ToImmutableDictionary(e => new PodUid(e.Name), e => Record(e.Value))
                : ImmutableDictionary<PodUid, PodResourceRecord>.Empty;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException(e.Message, e);
        }
    }

    /// <summary>FNV-1a 32 over Go's dump of the string.</summary>
    public static uint Checksum(string data) => Checksum(Encoding.UTF8.GetBytes(data));

    private static uint Checksum(ReadOnlySpan<byte> data) => Hash(Hash(2166136261, "(string)"u8), data);

    private static uint Hash(uint hash, ReadOnlySpan<byte> data)
    {
        foreach (byte b in data)
        {
            hash = (hash ^ b) * 16777619;
        }

        return hash;
    }

    private static ArrayBufferWriter<byte> Data(IReadOnlyDictionary<PodUid, PodResourceRecord> records, ConditionalWeakTable<PodResourceRecord, byte[]> parts)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            if (records.Count > 0)
            {
                writer.WriteStartObject("entries");
                foreach ((PodUid uid, PodResourceRecord record) in records.OrderBy(r => r.Key.Value, StringComparer.Ordinal))
                {
                    writer.WritePropertyName(uid.Value);
                    writer.WriteRawValue(parts.GetValue(record, Part), skipInputValidation: true);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        return buffer;
    }

    private static byte[] Part(PodResourceRecord record)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("ContainerResources");
            foreach ((string name, ResourceRequirements resources) in record.Containers.OrderBy(c => c.Key, StringComparer.Ordinal))
            {
                writer.WritePropertyName(name);
                writer.WriteRawValue(KubernetesJson.SerializeToUtf8Bytes(resources), skipInputValidation: true);
            }

            writer.WriteEndObject();
            writer.WritePropertyName("PodLevelResources");
            writer.WriteRawValue(record.PodLevel is { } pod ? KubernetesJson.SerializeToUtf8Bytes(pod) : "null"u8, skipInputValidation: true);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static PodResourceRecord Record(JsonElement e) => new(
        e.TryGetProperty("ContainerResources", out JsonElement containers) && containers.ValueKind == JsonValueKind.Object
            ? containers.EnumerateObject().ToImmutableDictionary(c => c.Name, c => KubernetesJson.Deserialize<ResourceRequirements>(c.Value.GetRawText()))
            : ImmutableDictionary<string, ResourceRequirements>.Empty,
        e.TryGetProperty("PodLevelResources", out JsonElement pod) && pod.ValueKind == JsonValueKind.Object
            ? KubernetesJson.Deserialize<ResourceRequirements>(pod.GetRawText()) : null);
}
