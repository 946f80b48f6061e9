using System.Text.Json;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Patches;

/// <summary>From the texts of two objects to trees of what is not the same text in both: what is the same is in no patch.</summary>
internal static class DifferentFields
{
    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = YamlReader.MaxDepth };

    /// <summary>Trees of the fields that differ.</summary>
    /// <param name="original">A JSON object.</param>
    /// <param name="modified">Another.</param>
    /// <param name="levels">How many levels of objects are compared field by field.</param>
    internal static (JsonObject Original, JsonObject Modified) Of(ReadOnlySpan<byte> original, ReadOnlySpan<byte> modified, int levels)
    {
        JsonObject before = [], after = [];
        if (original.SequenceEqual(modified))
            return (before, after);
        Dictionary<string, Range> olds = Fields(original), news = Fields(modified);
        foreach ((string name, Range at) in news)
        {
            ReadOnlySpan<byte> value = modified[at];
            if (!olds.TryGetValue(name, out Range oldAt))
            {
                after[name] = KubernetesJson.Tree(value);
                continue;
            }
            ReadOnlySpan<byte> old = original[oldAt];
            if (levels > 1 && old[0] == '{' && value[0] == '{')
                (before[name], after[name]) = Of(old, value, levels - 1);
            else if (!old.SequenceEqual(value))
                (before[name], after[name]) = (KubernetesJson.Tree(old), KubernetesJson.Tree(value));
        }
        foreach ((string name, Range at) in olds)
            if (!news.ContainsKey(name))
                before[name] = KubernetesJson.Tree(original[at]);
        return (before, after);
    }

    private static Dictionary<string, Range> Fields(ReadOnlySpan<byte> utf8Json)
    {
        Dictionary<string, Range> fields = [];
        Utf8JsonReader reader = new(utf8Json, ReaderOptions);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            int start = (int)reader.TokenStartIndex;
            reader.Skip();
            fields[name] = start..(int)reader.BytesConsumed;
        }
        return fields;
    }
}
