using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>Manifests, kubeconfigs and configuration files, in YAML or JSON, as JSON trees.</summary>
public static class YamlJson
{
    private static readonly JsonDocumentOptions JsonOptions = new() { MaxDepth = YamlReader.MaxDepth };

    /// <summary>The first document; a field given twice has its later value.</summary>
    /// <exception cref="YamlFormatException">The text is malformed; the message has the line.</exception>
    public static JsonNode? Parse(string text) => ParseAll(text).FirstOrDefault()?.Root;

    /// <summary>The first document.</summary>
    /// <exception cref="YamlFormatException">The text is malformed, or a field is given twice.</exception>
    public static JsonNode? ParseStrict(string text)
    {
        YamlDocument? document = ParseAll(text).FirstOrDefault();
        if (document is { Duplicates: [var first, ..] })
            throw new YamlFormatException($"field \"{first.Path}\" is given twice", first.Line);
        return document?.Root;
    }

    /// <summary>
    /// All documents. A text that starts with an opening brace is read as JSON, like upstream. Documents are parsed as they are taken.
    /// </summary>
    /// <exception cref="YamlFormatException">The text is malformed; the message has the line.</exception>
    public static IEnumerable<YamlDocument> ParseAll(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string trimmed = text.TrimStart('\uFEFF');
        return trimmed.AsSpan().TrimStart().StartsWith("{") && ParseJson(trimmed) is { } json ? [json] : ParseYaml(trimmed);
    }

    private static IEnumerable<YamlDocument> ParseYaml(string text)
    {
        YamlReader reader = new(text);
        while (reader.Next() is { } root)
            yield return YamlConverter.Convert(root);
    }

    // Null when it is no JSON: YAML has braces too.
    private static YamlDocument? ParseJson(string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        try
        {
            List<DuplicateField> duplicates = JsonDuplicates.Find(utf8);
            JsonNode root = duplicates.Count == 0
                ? JsonNode.Parse(utf8, nodeOptions: null, JsonOptions)!
                : JsonDuplicates.ParseKeepingLast(utf8);
            return new YamlDocument(root, 1, duplicates);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
