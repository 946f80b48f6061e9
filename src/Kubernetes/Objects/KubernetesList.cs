using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Objects;

/// <summary>One page of objects of one kind, as the API server answers a list request.</summary>
/// <typeparam name="T">The kind of the items.</typeparam>
[SuppressMessage("Design", "CA1000", Justification = "The members implement a static interface.")]
public sealed record KubernetesList<T> : IJsonObject<KubernetesList<T>>
    where T : class, IKubernetesResource<T>
{
    /// <summary>A list without items.</summary>
    public static KubernetesList<T> Empty { get; } = new();

    /// <summary>Group and version of the list.</summary>
    public string ApiVersion { get; init => field = value ?? ""; } = ResourceOf<T>.Type.ApiVersion;

    /// <summary>The list kind, for example PodList.</summary>
    public string Kind { get; init => field = value ?? ""; } = ResourceOf<T>.Type.Kind + "List";

    /// <summary>Resource version of the list and the token for the next page.</summary>
    public ListMeta Metadata { get; init => field = value ?? ListMeta.Empty; } = ListMeta.Empty;

    /// <summary>The objects.</summary>
    public IReadOnlyList<T> Items { get; init => field = value ?? []; } = [];

    /// <inheritdoc/>
    public static KubernetesList<T> Read(ref Utf8JsonReader reader)
    {
        string? apiVersion = null, kind = null;
        ListMeta? metadata = null;
        IReadOnlyList<T>? items = null;
        JsonFields.StartObject(ref reader);
        while (JsonFields.NextField(ref reader))
        {
            if (JsonFields.Is(ref reader, "apiVersion"u8))
                apiVersion = JsonFields.ReadString(ref reader);
            else if (JsonFields.Is(ref reader, "kind"u8))
                kind = JsonFields.ReadString(ref reader);
            else if (JsonFields.Is(ref reader, "metadata"u8))
                metadata = JsonFields.ReadObject<ListMeta>(ref reader);
            else if (JsonFields.Is(ref reader, "items"u8))
                items = JsonFields.ReadObjects<T>(ref reader);
            else
                JsonFields.SkipField(ref reader);
        }
        return new KubernetesList<T>
        {
            ApiVersion = apiVersion ?? ResourceOf<T>.Type.ApiVersion,
            Kind = kind ?? ResourceOf<T>.Type.Kind + "List",
            Metadata = metadata!,
            Items = items!,
        };
    }

    /// <inheritdoc/>
    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("apiVersion"u8, ApiVersion);
        writer.WriteString("kind"u8, Kind);
        writer.WritePropertyName("metadata"u8);
        Metadata.Write(writer);
        writer.WriteStartArray("items"u8);
        foreach (T item in Items)
            item.Write(writer);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
