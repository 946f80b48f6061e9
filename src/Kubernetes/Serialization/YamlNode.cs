namespace NodeAgent.Kubernetes.Serialization;

/// <summary>A node of a parsed YAML document, before its scalars get a meaning.</summary>
internal abstract record YamlNode(int Line);

internal sealed record YamlScalar(int Line, string Value, string Tag, bool Plain) : YamlNode(Line);

internal sealed record YamlSequence(int Line, List<YamlNode> Items) : YamlNode(Line);

internal sealed record YamlMapping(int Line, List<(YamlNode Key, YamlNode Value)> Entries) : YamlNode(Line);

internal sealed record YamlAlias(int Line, YamlNode Target) : YamlNode(Line);
