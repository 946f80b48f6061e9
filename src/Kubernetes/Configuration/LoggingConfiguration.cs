namespace NodeAgent.Kubernetes.Configuration;

/// <summary>The logging part of both components' configuration (component-base logs/api/v1).</summary>
public sealed record LoggingConfiguration
{
    /// <summary>text or json.</summary>
    public string Format { get; init; } = "text";

    /// <summary>How long a line may wait before it is written.</summary>
    public TimeSpan FlushFrequency { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>klog's verbosity: 0 shows information, warnings and errors, 2 and 4 more.</summary>
    public int Verbosity { get; init; }

    /// <summary>Verbosity for single source files.</summary>
    public IReadOnlyList<VModuleItem> VModule { get; init; } = [];

    /// <summary>Text: information to stdout, errors to stderr.</summary>
    public bool TextSplitStream { get; init; }

    /// <summary>Text: the buffer for information in bytes, as a quantity.</summary>
    public string TextInfoBufferSize { get; init; } = "0";

    /// <summary>JSON: information to stdout, errors to stderr.</summary>
    public bool JsonSplitStream { get; init; }

    /// <summary>JSON: the buffer for information in bytes, as a quantity.</summary>
    public string JsonInfoBufferSize { get; init; } = "0";
}

/// <summary>Verbosity of the categories that match a pattern.</summary>
/// <param name="FilePattern">A name with * and ?, matched with the last part of a log category.</param>
/// <param name="Verbosity">klog's verbosity.</param>
public sealed record VModuleItem(string FilePattern, int Verbosity);
