namespace NodeAgent.ObjectGenerator;

/// <summary>One field of an API type, as api.schema states it.</summary>
internal sealed record ApiField(string Name, ApiFieldType Type, bool Required, string[] PatchStrategies, string? MergeKey);

/// <summary>The shape of a field: a scalar or object name, or a list or map of a shape.</summary>
internal sealed record ApiFieldType(char Container, string Name, ApiFieldType? Element)
{
    public bool IsList => Container == '[';

    public bool IsMap => Container == '{';

    public bool IsObject => Container == ' ' && char.IsAsciiLetterUpper(Name[0]);

    /// <summary>The object type at the end of lists and maps, if there is one.</summary>
    public string? ObjectName => Element is not null ? Element.ObjectName : IsObject ? Name : null;

    public static ApiFieldType Parse(string text) => text switch
    {
        ['[', ']', .. var rest] => new('[', "", Parse(rest)),
        ['{', '}', .. var rest] => new('{', "", Parse(rest)),
        _ => new(' ', text, null),
    };
}

/// <summary>What makes a type a kind: how the API server names it.</summary>
internal sealed record ApiKind(string Kind, string Group, string Version, string Plural, string? Subresource, bool Namespaced);

/// <summary>One API type.</summary>
internal sealed record ApiType(string Name, string Group, string Version, ApiKind? Kind, List<ApiField> Fields);

/// <summary>The whole of api.schema; its head explains the lines.</summary>
internal static class ApiSchema
{
    public static List<ApiType> Parse(IEnumerable<string> lines)
    {
        List<ApiType> types = [];
        foreach (string line in lines)
        {
            if (line.Length == 0 || line[0] == '#')
                continue;
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (line[0] == ' ')
                types[^1].Fields.Add(ParseField(words));
            else
                types.Add(ParseType(words));
        }
        return types;
    }

    private static ApiType ParseType(string[] words)
    {
        ApiKind? kind = null;
        if (words.Length > 4)
        {
            string[] groupVersion = words[6].Split('/');
            string[] path = words[7].Split('/');
            kind = new ApiKind(words[5], groupVersion.Length == 2 ? groupVersion[0] : "", groupVersion[^1],
                path[0], path.Length > 1 ? path[1] : null, words[8] == "namespaced");
        }
        return new ApiType(words[1], words[2], words[3], kind, []);
    }

    private static ApiField ParseField(string[] words)
    {
        string[] strategies = [];
        string? key = null;
        foreach (string word in words[2..])
        {
            if (word.StartsWith("patch=", StringComparison.Ordinal))
                strategies = word["patch=".Length..].Split(',');
            else if (word.StartsWith("key=", StringComparison.Ordinal))
                key = word["key=".Length..];
        }
        bool required = words[1].EndsWith('!');
        return new ApiField(words[0], ApiFieldType.Parse(words[1].TrimEnd('!')), required, strategies, key);
    }
}
