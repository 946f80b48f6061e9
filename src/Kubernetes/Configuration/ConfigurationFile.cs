using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Configuration;

/// <summary>A configuration file as text: YAML or JSON, one document, with apiVersion and kind.</summary>
public static class ConfigurationFile
{
    /// <summary>The largest file that is read, in bytes.</summary>
    public const long SizeLimit = 10 << 20;

    /// <summary>Reads a file from disk.</summary>
    public static ConfigurationResult<JsonObject?> Read(string path, string apiVersion, string kind)
    {
        string text;
        try
        {
            FileInfo file = new(path);
            if (file.Length > SizeLimit)
                return Failed(path, $"the file has {file.Length} bytes, more than {SizeLimit}", "give a configuration file");
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return Failed(path, $"cannot be read: {e.Message}", "check the path and its permissions");
        }
        return Parse(text, path, apiVersion, kind);
    }

    /// <summary>Reads the text of a file.</summary>
    /// <returns>The object; null with an <see cref="ConfigurationProblemKind.Invalid"/> problem when there is none of this kind.</returns>
    public static ConfigurationResult<JsonObject?> Parse(string text, string source, string apiVersion, string kind)
    {
        YamlDocument? document;
        try
        {
            document = YamlJson.ParseAll(text).FirstOrDefault();
        }
        catch (YamlFormatException e)
        {
            return Failed(source, e.Message, "correct the syntax");
        }
        if (document?.Root is null)
            return Failed(source, "the file is empty", $"begin it with \"apiVersion: {apiVersion}\" and \"kind: {kind}\"");
        if (document.Root is not JsonObject root)
            return Failed(source, "the file is no object", $"begin it with \"apiVersion: {apiVersion}\" and \"kind: {kind}\"");
        string version = Text(root["apiVersion"]);
        string found = Text(root["kind"]);
        if (version != apiVersion || found != kind)
        {
            return Failed(source, $"has apiVersion \"{version}\" and kind \"{found}\"",
                $"this file must have \"apiVersion: {apiVersion}\" and \"kind: {kind}\"");
        }
        return new ConfigurationResult<JsonObject?>(root,
        [
            .. document.Duplicates.Select(d => new ConfigurationProblem(ConfigurationProblemKind.DuplicateField, source, d.Path,
                $"is given twice{(d.Line > 0 ? $", again in line {d.Line}" : "")}; the later value is used", "remove one of them")),
        ]);
    }

    private static ConfigurationResult<JsonObject?> Failed(string source, string message, string remedy) =>
        new(null, [new ConfigurationProblem(ConfigurationProblemKind.Invalid, source, "", message, remedy)]);

    private static string Text(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue(out string? text) ? text : node?.ToJsonString() ?? "";
}
