using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace NodeAgent.Kubernetes.Kubeconfig;

/// <summary>A YAML mapping read field by field, knowing its place for error messages.</summary>
internal sealed class YamlFields(string file, string path, YamlMappingNode? node)
{
    internal string Where(string field) => path.Length == 0 ? field : $"{path}.{field}";

    internal string? Text(string field)
    {
        YamlNode? value = Find(field);
        if (value is null || IsNull(value))
            return null;
        return value is YamlScalarNode scalar ? scalar.Value : throw Wrong(field, value, "a text");
    }

    internal bool Flag(string field) => Text(field) switch
    {
        null or "" or "false" or "False" or "FALSE" => false,
        "true" or "True" or "TRUE" => true,
        string other => throw new KubeconfigException(file, Where(field), $"\"{other}\" is neither true nor false"),
    };

    internal byte[]? Data(string field)
    {
        if (Text(field) is not { Length: > 0 } text)
            return null;
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException e)
        {
            throw new KubeconfigException(file, Where(field), "is not base64; encode the PEM file with base64 -w0, or name the file in the field without -data", e);
        }
    }

    internal YamlFields Map(string field)
    {
        YamlNode? value = Find(field);
        if (value is null || IsNull(value))
            return new YamlFields(file, Where(field), null);
        return value is YamlMappingNode map ? new YamlFields(file, Where(field), map) : throw Wrong(field, value, "a mapping");
    }

    internal bool Present => node is not null;

    internal IEnumerable<YamlFields> Maps(string field)
    {
        int at = 0;
        foreach (YamlNode item in Sequence(field))
        {
            string place = $"{Where(field)}[{at++}]";
            yield return item is YamlMappingNode map
                ? new YamlFields(file, place, map)
                : throw new KubeconfigException(file, place, $"must be a mapping (line {item.Start.Line})");
        }
    }

    internal IReadOnlyList<string> Texts(string field) =>
        [.. Sequence(field).Select(item => item is YamlScalarNode scalar ? scalar.Value ?? "" : throw Wrong(field, item, "a list of texts"))];

    internal IReadOnlyDictionary<string, IReadOnlyList<string>> TextLists(string field)
    {
        YamlFields map = Map(field);
        return map.Names().ToDictionary(name => name, name => map.Texts(name));
    }

    internal IEnumerable<string> Names() => node?.Children.Keys.OfType<YamlScalarNode>().Select(key => key.Value ?? "") ?? [];

    internal JsonNode? Json(string field) => Find(field) is { } value ? ToJson(value) : null;

    internal YamlFields Named(string name) => new(file, path[..(path.LastIndexOf('[') + 1)] + name + "]", node);

    private IEnumerable<YamlNode> Sequence(string field)
    {
        YamlNode? value = Find(field);
        if (value is null || IsNull(value))
            return [];
        return value is YamlSequenceNode list ? list.Children : throw Wrong(field, value, "a list");
    }

    private YamlNode? Find(string field) =>
        node is not null && node.Children.TryGetValue(new YamlScalarNode(field), out YamlNode? value) ? value : null;

    private KubeconfigException Wrong(string field, YamlNode value, string wanted) =>
        new(file, Where(field), $"must be {wanted} (line {value.Start.Line})");

    private static bool IsNull(YamlNode value) =>
        value is YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "null" or "~" or "Null" or "NULL" };

    private static JsonNode? ToJson(YamlNode value) => value switch
    {
        YamlMappingNode map => new JsonObject(map.Children.Select(pair =>
            KeyValuePair.Create(((YamlScalarNode)pair.Key).Value ?? "", ToJson(pair.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Children.Select(ToJson)]),
        YamlScalarNode scalar when IsNull(scalar) => null,
        YamlScalarNode { Style: ScalarStyle.Plain, Value: "true" or "false" } flag => JsonValue.Create(flag.Value == "true"),
        YamlScalarNode { Style: ScalarStyle.Plain } plain when long.TryParse(plain.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) =>
            JsonValue.Create(whole),
        YamlScalarNode { Style: ScalarStyle.Plain } plain when double.TryParse(plain.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) =>
            JsonValue.Create(number),
        YamlScalarNode scalar => JsonValue.Create(scalar.Value),
        _ => null,
    };
}
