using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NodeAgent.StandIn.Storage;

/// <summary>
/// The store's changes in a file, one JSON object a line, so that kill -9 loses nothing that was answered. A torn last line is
/// dropped. Each start writes the file anew with the newest versions only.
/// </summary>
internal sealed class Journal(string path) : IDisposable
{
    private FileStream? _file;

    /// <summary>The newest version of every object, and opens the file for changes.</summary>
    public IReadOnlyCollection<JsonObject> Load(out long revision)
    {
        Dictionary<string, JsonObject> objects = new(StringComparer.Ordinal);
        revision = 0;
        if (File.Exists(path))
            foreach (string line in File.ReadLines(path))
                Read(line, objects, ref revision);
        string next = path + ".new";
        FileStream file = new(next, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            Share = FileShare.Read,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(Encoding.UTF8.GetBytes($"{{\"revision\":{revision}}}\n"));
        foreach (JsonObject value in objects.Values)
            file.Write([.. "{\"put\":"u8, .. value.Bytes(), .. "}\n"u8]);
        File.Move(next, path, overwrite: true);
        _file = file;
        return objects.Values;
    }

    public void Put(StoredObject stored) => _file?.Write([.. "{\"put\":"u8, .. stored.Bytes, .. "}\n"u8]);

    public void Remove(StoredObject removed) => _file?.Write([.. "{\"remove\":"u8, .. removed.Bytes, .. "}\n"u8]);

    public void Dispose() => _file?.Dispose();

    private static void Read(string line, Dictionary<string, JsonObject> objects, ref long revision)
    {
        try
        {
            JsonNode? record = JsonNode.Parse(line);
            revision = Math.Max(revision, record.Number("revision") ?? 0);
            JsonObject? value = record.Map("put") ?? record.Map("remove");
            if (value is null)
                return;
            string key = $"{value.Text("apiVersion")}/{value.Text("kind")}/{value.Text("metadata", "namespace")}/{value.Text("metadata", "name")}";
            revision = Math.Max(revision, long.Parse(value.Text("metadata", "resourceVersion") ?? "0"));
            if (record.Map("put") is not null)
                objects[key] = value.Copy();
            else
                objects.Remove(key);
        }
        catch (JsonException)
        {
            // The last line of a process that was killed while writing it: its change was never answered.
        }
    }
}
