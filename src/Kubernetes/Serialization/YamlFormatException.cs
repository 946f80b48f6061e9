namespace NodeAgent.Kubernetes.Serialization;

/// <summary>YAML text that cannot be turned into JSON.</summary>
public sealed class YamlFormatException : FormatException
{
    /// <summary>An error at <paramref name="line"/> (from 1; 0 when there is no place).</summary>
    public YamlFormatException(string message, int line, Exception? inner = null)
        : base(line > 0 ? $"yaml: line {line}: {message}" : $"yaml: {message}", inner) => Line = line;

    /// <summary>The line of the text, from 1; 0 when there is no place.</summary>
    public int Line { get; }
}
