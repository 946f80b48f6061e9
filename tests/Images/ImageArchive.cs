using System.Formats.Tar;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NodeAgent.Images;

/// <summary>What an image says about how it is run.</summary>
public sealed record ImageSettings
{
    /// <summary>The entry point.</summary>
    public IReadOnlyList<string> Entrypoint { get; init; } = [];

    /// <summary>Its arguments, or the whole command where there is no entry point.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>Environment, NAME=value.</summary>
    public IReadOnlyList<string> Environment { get; init; } = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];

    /// <summary>user[:group]; null is root.</summary>
    public string? User { get; init; }

    /// <summary>The working folder.</summary>
    public string WorkingFolder { get; init; } = "/";
}

/// <summary>Writes images as the archive that docker save writes: manifest.json, a configuration and the layers.</summary>
public static class ImageArchive
{
    /// <summary>Writes one image under the names given.</summary>
    public static void Write(string path, IReadOnlyList<string> names, ImageLayer layer, ImageSettings settings)
    {
        ArgumentNullException.ThrowIfNull(layer);
        byte[] tar = layer.ToTar();
        string layerDigest = Digest(tar);
        byte[] configuration = Json(Configuration(settings, layerDigest));
        string configurationDigest = Digest(configuration);
        JsonArray manifest =
        [
            new JsonObject
            {
                ["Config"] = configurationDigest + ".json",
                ["RepoTags"] = Strings(names),
                ["Layers"] = new JsonArray(layerDigest + "/layer.tar"),
            },
        ];
        using TarWriter writer = new(File.Create(path), TarEntryFormat.Pax, leaveOpen: false);
        Entry(writer, configurationDigest + ".json", configuration);
        Entry(writer, layerDigest + "/layer.tar", tar);
        Entry(writer, "manifest.json", Json(manifest));
    }

    private static JsonObject Configuration(ImageSettings settings, string layerDigest) => new()
    {
        ["architecture"] = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "amd64",
        ["os"] = "linux",
        ["created"] = "1970-01-01T00:00:00Z",
        ["config"] = new JsonObject
        {
            ["Entrypoint"] = settings.Entrypoint.Count == 0 ? null : Strings(settings.Entrypoint),
            ["Cmd"] = settings.Command.Count == 0 ? null : Strings(settings.Command),
            ["Env"] = Strings(settings.Environment),
            ["User"] = settings.User ?? "",
            ["WorkingDir"] = settings.WorkingFolder,
        },
        ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray("sha256:" + layerDigest) },
        ["history"] = new JsonArray(new JsonObject { ["created"] = "1970-01-01T00:00:00Z", ["created_by"] = "NodeAgent tests" }),
    };

    private static void Entry(TarWriter writer, string name, byte[] content) =>
        writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content), ModificationTime = DateTimeOffset.UnixEpoch });

    private static byte[] Json(JsonNode node)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter writer = new(buffer))
            node.WriteTo(writer);
        return buffer.ToArray();
    }

    private static JsonArray Strings(IEnumerable<string> values) => [.. values.Select(value => (JsonNode)value)];

    private static string Digest(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));
}
