using System.Text.Json.Nodes;

namespace NodeAgent.StandIn.Storage;

/// <summary>One version of one object. Nobody changes <see cref="Value"/>: change a <see cref="JsonAccess.Copy"/> of it.</summary>
internal sealed class StoredObject
{
    private byte[]? _bytes;

    public StoredObject(ResourceDefinition definition, JsonObject value)
    {
        JsonAccess.Materialize(value);
        Definition = definition;
        Value = value;
        Namespace = value.Text("metadata", "namespace") ?? "";
        Name = value.Text("metadata", "name") ?? "";
        Uid = value.Text("metadata", "uid") ?? "";
        ResourceVersion = long.Parse(value.Text("metadata", "resourceVersion") ?? "0");
        Labels = value.Labels("metadata", "labels");
    }

    public ResourceDefinition Definition { get; }

    public JsonObject Value { get; }

    public string Namespace { get; }

    public string Name { get; }

    public string Uid { get; }

    public long ResourceVersion { get; }

    public IReadOnlyDictionary<string, string> Labels { get; }

    public string Key => KeyOf(Namespace, Name);

    public bool IsDeleting => Value.At("metadata", "deletionTimestamp") is not null;

    /// <summary>The JSON text, made once for all readers.</summary>
    public byte[] Bytes => _bytes ??= Value.Bytes();

    public static string KeyOf(string? namespaceName, string name) => $"{namespaceName}/{name}";
}
