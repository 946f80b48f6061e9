namespace NodeAgent.Kubernetes.Configuration.Flags;

/// <summary>How the text of a flag is read (pflag and component-base cli/flag).</summary>
public enum FlagKind
{
    /// <summary>Any text.</summary>
    Text,

    /// <summary>true without a value; else Go's spellings of true and false after an equals sign.</summary>
    Bool,

    /// <summary>32-bit number, decimal, 0x, 0o or 0b.</summary>
    Int32,

    /// <summary>64-bit number, same spellings.</summary>
    Int64,

    /// <summary>Number with a fraction.</summary>
    Float,

    /// <summary>Go duration.</summary>
    Duration,

    /// <summary>Comma-separated list (CSV quoting); repeating the flag appends.</summary>
    TextList,

    /// <summary>key=value,…; repeating the flag adds.</summary>
    TextMap,

    /// <summary>One key=value whose value may have commas; repeating the flag adds.</summary>
    TextMapNoSplit,

    /// <summary>key=true,…</summary>
    BoolMap,

    /// <summary>signal&lt;value,… (eviction thresholds).</summary>
    ThresholdMap,

    /// <summary>name:value,…; a name may come more than once.</summary>
    HeaderMap,

    /// <summary>An IP address; empty leaves what was set before.</summary>
    IPAddress,

    /// <summary>An IP address with or without port; empty leaves what was set before.</summary>
    IPAddressPort,

    /// <summary>key=value:effect,…</summary>
    Taints,

    /// <summary>node:type=quantity,…; repeating the flag adds.</summary>
    ReservedMemory,

    /// <summary>pattern=N,…</summary>
    VModule,

    /// <summary>A number of bytes as a quantity.</summary>
    Bytes,

    /// <summary>true without a value, raw, or a version to report.</summary>
    Version,
}

/// <summary>One flag.</summary>
/// <param name="Name">Its name, with hyphens.</param>
/// <param name="Kind">How its text is read.</param>
/// <param name="Default">The default of a flag that sets no field, as the usage text shows it; empty for none.</param>
/// <param name="Summary">One line for the usage text.</param>
public sealed record FlagDefinition(string Name, FlagKind Kind, string Default, string Summary)
{
    /// <summary>A one-letter name; zero for none.</summary>
    public char Shorthand { get; init; }

    /// <summary>What upstream says instead; null when the flag is not deprecated.</summary>
    public string? Deprecation { get; init; }

    /// <summary>The configuration field it sets; null for flags that exist only as flags.</summary>
    public IConfigurationField? Field { get; init; }

    /// <summary>That field's path; null for flags that exist only as flags.</summary>
    public string? FieldPath => Field?.Path;

    /// <summary>What the usage text shows as default; empty for none. Written out when asked for: a start asks for none of them.</summary>
    public string DefaultText => Field?.DefaultText ?? Default;

    /// <summary>Whether it works.</summary>
    public SupportState State { get; init; } = SupportState.Supported;

    /// <summary>Whether the flag may stand without a value.</summary>
    internal bool ValueIsOptional => Kind is FlagKind.Bool or FlagKind.Version;
}
