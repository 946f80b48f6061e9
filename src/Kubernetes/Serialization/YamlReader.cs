using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>Builds the node tree of one document after the other from YamlDotNet's events.</summary>
internal sealed class YamlReader
{
    // Deeper than any API object or configuration, and shallow enough for the recursive parts of ours.
    internal const int MaxDepth = 200;

    private readonly Parser parser;
    private readonly Dictionary<string, YamlNode> anchors = [];

    internal YamlReader(string text) => parser = new Parser(new Scanner(new StringReader(text), skipComments: true));

    /// <summary>The next document, or null at the end.</summary>
    internal YamlNode? Next()
    {
        try
        {
            parser.TryConsume<StreamStart>(out _);
            if (parser.Accept<StreamEnd>(out _))
                return null;
            anchors.Clear();
            parser.Consume<DocumentStart>();
            YamlNode root = Read(0);
            parser.Consume<DocumentEnd>();
            return root;
        }
        catch (YamlException e)
        {
            throw new YamlFormatException(e.InnerException?.Message ?? e.Message, (int)e.Start.Line, e);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // What YamlDotNet's scanner throws for some texts that are no YAML, instead of its own exception.
            throw new YamlFormatException("malformed text", (int)(parser.Current?.End.Line ?? 0), e);
        }
    }

    private YamlNode Read(int depth)
    {
        ParsingEvent current = parser.Consume<ParsingEvent>();
        int line = (int)current.Start.Line;
        if (depth > MaxDepth)
            throw new YamlFormatException($"nested deeper than {MaxDepth} levels", line);
        switch (current)
        {
            case YamlDotNet.Core.Events.AnchorAlias alias:
                return anchors.TryGetValue(alias.Value.Value, out YamlNode? target)
                    ? new YamlAlias(line, target)
                    : throw new YamlFormatException($"unknown anchor \"{alias.Value}\" referenced", line);
            case Scalar scalar:
                return Keep(scalar, new YamlScalar(line, scalar.Value, TagOf(scalar), scalar.Style == ScalarStyle.Plain));
            case SequenceStart sequence:
                YamlSequence list = new(line, []);
                // Kept when complete: an alias inside the node it names would never end.
                while (!parser.TryConsume<SequenceEnd>(out _))
                    list.Items.Add(Read(depth + 1));
                return Keep(sequence, list);
            case MappingStart mapping:
                YamlMapping map = new(line, []);
                while (!parser.TryConsume<MappingEnd>(out _))
                    map.Entries.Add((Read(depth + 1), Read(depth + 1)));
                return Keep(mapping, map);
            default:
                throw new YamlFormatException($"unexpected {current.GetType().Name}", line);
        }
    }

    private YamlNode Keep(NodeEvent source, YamlNode node)
    {
        if (!source.Anchor.IsEmpty)
            anchors[source.Anchor.Value] = node;
        return node;
    }

    private static string TagOf(NodeEvent node)
    {
        const string Standard = "tag:yaml.org,2002:";
        if (node.Tag.IsEmpty)
            return "";
        string tag = node.Tag.Value;
        return tag.StartsWith(Standard, StringComparison.Ordinal) ? "!!" + tag[Standard.Length..] : tag;
    }
}
