namespace NodeAgent.Kubernetes.Configuration;

/// <summary>What is wrong with a piece of configuration.</summary>
public enum ConfigurationProblemKind
{
    /// <summary>The value has the wrong type, or validation refuses it: the component does not start.</summary>
    Invalid,

    /// <summary>A field this release does not know; fatal only with --strict-config.</summary>
    UnknownField,

    /// <summary>A field given twice, the later value is used; fatal only with --strict-config.</summary>
    DuplicateField,

    /// <summary>A known field or flag, set away from its default, that does nothing here yet.</summary>
    NoEffect,

    /// <summary>A flag upstream has deprecated; it still works.</summary>
    Deprecated,
}

/// <summary>One finding about flags or configuration files.</summary>
/// <param name="Kind">How bad it is.</param>
/// <param name="Source">The file, or "command line".</param>
/// <param name="Path">The field path or flag; empty when the whole source is meant.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Remedy">What to do about it; may be empty.</param>
public sealed record ConfigurationProblem(
    ConfigurationProblemKind Kind, string Source, string Path, string Message, string Remedy = "")
{
    /// <summary>The source named for findings about flags.</summary>
    public const string CommandLine = "command line";

    /// <summary>Whether the component must not start.</summary>
    public bool IsFatal(bool strict) => Kind switch
    {
        ConfigurationProblemKind.Invalid => true,
        ConfigurationProblemKind.UnknownField or ConfigurationProblemKind.DuplicateField => strict,
        _ => false,
    };

    /// <inheritdoc/>
    public override string ToString()
    {
        string place = Path.Length == 0 ? Source : $"{Source}: {Path}";
        return Remedy.Length == 0 ? $"{place}: {Message}" : $"{place}: {Message}; {Remedy}";
    }
}

/// <summary>A value and what was found while making it.</summary>
/// <param name="Value">The value; usable only when no problem is fatal.</param>
/// <param name="Problems">Everything found, not only the first.</param>
public sealed record ConfigurationResult<T>(T Value, IReadOnlyList<ConfigurationProblem> Problems);
