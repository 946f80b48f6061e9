namespace NodeAgent.Kubernetes.Configuration.Flags;

/// <summary>The flags of one component.</summary>
/// <param name="component">The component's name, for messages.</param>
/// <param name="flags">All flags; --help is added.</param>
public sealed class FlagSet(string component, IEnumerable<FlagDefinition> flags)
{
    private readonly Dictionary<string, FlagDefinition> byName = flags
        .Append(new FlagDefinition("help", FlagKind.Bool, "", "Print this text") { Shorthand = 'h' })
        .ToDictionary(f => f.Name, StringComparer.Ordinal);

    /// <summary>The component's name.</summary>
    public string Component => component;

    /// <summary>All flags by name.</summary>
    public IEnumerable<FlagDefinition> Flags => byName.Values.OrderBy(f => f.Name, StringComparer.Ordinal);

    /// <summary>A flag by name, underscores taken for hyphens; null when there is none.</summary>
    public FlagDefinition? Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return byName.GetValueOrDefault(name.Replace('_', '-'));
    }

    /// <summary>A flag by its letter; null when there is none.</summary>
    public FlagDefinition? Find(char shorthand) => byName.Values.FirstOrDefault(f => f.Shorthand == shorthand);

    /// <summary>Reads a command line as pflag does, but reports every mistake, not only the first.</summary>
    public ParsedFlags Parse(IReadOnlyList<string> arguments) => new FlagParser(this, arguments).Parse();
}
