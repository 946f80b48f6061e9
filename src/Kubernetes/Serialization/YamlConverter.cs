using System.Globalization;
using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>
/// Turns a YAML node tree into JSON: aliases are expanded within a budget, merge keys applied, names made texts, duplicates noted.
/// </summary>
internal sealed class YamlConverter
{
    // Upstream: a document may come from aliases by 99 % up to 400,000 nodes. Ours is a plain cap on expanded nodes.
    private const int MaxExpandedNodes = 400_000;

    private readonly List<DuplicateField> duplicates = [];
    private int expanded;
    private int aliasDepth;

    internal static YamlDocument Convert(YamlNode root)
    {
        YamlConverter converter = new();
        JsonNode? json = converter.Value(root, "", 0);
        return new YamlDocument(json, root.Line, converter.duplicates);
    }

    private JsonNode? Value(YamlNode node, string path, int depth)
    {
        if (aliasDepth > 0 && ++expanded > MaxExpandedNodes)
            throw new YamlFormatException("document contains excessive aliasing", node.Line);
        if (depth > YamlReader.MaxDepth)
            throw new YamlFormatException($"nested deeper than {YamlReader.MaxDepth} levels", node.Line);
        switch (node)
        {
            case YamlAlias alias:
                aliasDepth++;
                JsonNode? target = Value(alias.Target, path, depth + 1);
                aliasDepth--;
                return target;
            case YamlScalar scalar:
                return YamlScalars.Resolve(scalar);
            case YamlSequence sequence:
                JsonArray list = [];
                foreach (YamlNode item in sequence.Items)
                    list.Add(Value(item, string.Create(CultureInfo.InvariantCulture, $"{path}[{list.Count}]"), depth + 1));
                return list;
            default:
                JsonObject map = [];
                Fill(map, (YamlMapping)node, path, depth);
                return map;
        }
    }

    private void Fill(JsonObject target, YamlMapping mapping, string path, int depth)
    {
        HashSet<string> given = [];
        foreach ((YamlNode keyNode, YamlNode valueNode) in mapping.Entries)
        {
            if (Resolved(keyNode) is not YamlScalar key)
                throw new YamlFormatException("a field name must be a scalar", keyNode.Line);
            if (YamlScalars.IsMerge(key))
            {
                Merge(target, given, valueNode, path, depth);
                continue;
            }
            string name = YamlScalars.Key(key);
            JsonNode? value = Value(valueNode, FieldPath(path, name), depth + 1);
            Set(target, given, name, value, path, valueNode.Line);
        }
    }

    // Upstream takes entries as they come, so merged fields replace those above the merge key; of a list, earlier mappings win.
    private void Merge(JsonObject target, HashSet<string> given, YamlNode source, string path, int depth)
    {
        IEnumerable<YamlNode> sources = Resolved(source) is YamlSequence list ? Enumerable.Reverse(list.Items) : [source];
        foreach (YamlNode item in sources)
        {
            if (Resolved(item) is not YamlMapping)
                throw new YamlFormatException("map merge requires map or sequence of maps as the value", item.Line);
            JsonObject merged = Value(item, path, depth + 1)!.AsObject();
            foreach ((string name, JsonNode? value) in merged.ToList())
            {
                merged.Remove(name);
                Set(target, given, name, value, path, item.Line);
            }
        }
    }

    private void Set(JsonObject target, HashSet<string> given, string name, JsonNode? value, string path, int line)
    {
        if (!given.Add(name))
            duplicates.Add(new DuplicateField(FieldPath(path, name), line));
        target[name] = value;
    }

    private static string FieldPath(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    private static YamlNode Resolved(YamlNode node)
    {
        while (node is YamlAlias alias)
            node = alias.Target;
        return node;
    }
}
