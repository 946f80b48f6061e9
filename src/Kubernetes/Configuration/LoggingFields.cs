using System.Text.Json;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Configuration;

/// <summary>The fields and rules of <see cref="LoggingConfiguration"/>, for the tables of both components.</summary>
public static class LoggingFields
{
    private static readonly FieldKind<VModuleItem> Item = new DelegateFieldKind<VModuleItem>(
        "an object with filePattern and verbosity", TryReadItem,
        v => new JsonObject { ["filePattern"] = v.FilePattern, ["verbosity"] = v.Verbosity }, _ => false);

    private static readonly FieldKind<string> Bytes = new DelegateFieldKind<string>(
        "a quantity of bytes such as 64Ki", TryReadBytes, v => v, v => v is "" or "0");

    /// <summary>Adds logging.* to a table.</summary>
    public static ConfigurationTable<T> AddLogging<T>(
        this ConfigurationTable<T> table, Func<T, LoggingConfiguration> get, Func<T, LoggingConfiguration, T> set)
        where T : new()
    {
        ArgumentNullException.ThrowIfNull(table);
        return table
            .Value("logging.format", FieldKinds.Text, c => get(c).Format, (c, v) => set(c, get(c) with { Format = v }))
            .Value("logging.flushFrequency", FlushFrequency, c => get(c).FlushFrequency,
                (c, v) => set(c, get(c) with { FlushFrequency = v }), SupportState.Ignored)
            .Value("logging.verbosity", FieldKinds.Int32, c => get(c).Verbosity, (c, v) => set(c, get(c) with { Verbosity = v }))
            .Value("logging.vmodule", FieldKinds.ListOf(Item, "a list of filePattern and verbosity"), c => get(c).VModule,
                (c, v) => set(c, get(c) with { VModule = v }))
            .Value("logging.options.text.splitStream", FieldKinds.Bool, c => get(c).TextSplitStream,
                (c, v) => set(c, get(c) with { TextSplitStream = v }), SupportState.NoEffectYet)
            .Value("logging.options.text.infoBufferSize", Bytes, c => get(c).TextInfoBufferSize,
                (c, v) => set(c, get(c) with { TextInfoBufferSize = v }), SupportState.NoEffectYet)
            .Value("logging.options.json.splitStream", FieldKinds.Bool, c => get(c).JsonSplitStream,
                (c, v) => set(c, get(c) with { JsonSplitStream = v }), SupportState.NoEffectYet)
            .Value("logging.options.json.infoBufferSize", Bytes, c => get(c).JsonInfoBufferSize,
                (c, v) => set(c, get(c) with { JsonInfoBufferSize = v }), SupportState.NoEffectYet);
    }

    /// <summary>component-base's rules: known format, alpha options behind their gate, patterns only with text.</summary>
    public static IEnumerable<ConfigurationProblem> Validate(LoggingConfiguration logging, FeatureGates gates, string source)
    {
        ArgumentNullException.ThrowIfNull(logging);
        ArgumentNullException.ThrowIfNull(gates);
        if (logging.Format is not ("text" or "json"))
            yield return Invalid("logging.format", $"\"{logging.Format}\" is no log format", "use text or json");
        if (logging.Verbosity < 0)
            yield return Invalid("logging.verbosity", $"{logging.Verbosity} is negative", "use 0 or more");
        if (logging.VModule.Count > 0 && logging.Format != "text")
            yield return Invalid("logging.vmodule", "works only with format text", "remove it or use text");
        foreach (VModuleItem item in logging.VModule)
        {
            if (item.FilePattern.Length == 0 || item.FilePattern.AsSpan().ContainsAny("=,") || item.Verbosity < 0)
                yield return Invalid("logging.vmodule", $"\"{item.FilePattern}={item.Verbosity}\" is no pattern=N", "give a file name without path and a number");
        }
        bool alpha = logging.TextSplitStream || logging.JsonSplitStream || logging.TextInfoBufferSize != "0" || logging.JsonInfoBufferSize != "0";
        if (alpha && !gates.IsEnabled("LoggingAlphaOptions"))
            yield return Invalid("logging.options", "splitStream and infoBufferSize are alpha", "set the feature gate LoggingAlphaOptions or remove them");

        ConfigurationProblem Invalid(string path, string message, string remedy) =>
            new(ConfigurationProblemKind.Invalid, source, path, message, remedy);
    }

    // Older files give whole nanoseconds here, newer ones a duration.
    private static readonly FieldKind<TimeSpan> FlushFrequency = new DelegateFieldKind<TimeSpan>(
        "a duration such as \"5s\"", TryReadFlushFrequency, v => GoDuration.Format(v), v => v == TimeSpan.Zero);

    private static bool TryReadFlushFrequency(JsonNode node, ICollection<string> unknown, out TimeSpan value)
    {
        if (!FieldKinds.Int64.TryRead(node, unknown, out long nanoseconds))
            return FieldKinds.Duration.TryRead(node, unknown, out value);
        value = TimeSpan.FromTicks(nanoseconds / 100);
        return true;
    }

    private static bool TryReadItem(JsonNode node, ICollection<string> unknown, out VModuleItem value)
    {
        value = new VModuleItem("", 0);
        if (node is not JsonObject map)
            return false;
        foreach ((string name, JsonNode? field) in map)
        {
            if (name == "filePattern" && field is not null && FieldKinds.Text.TryRead(field, unknown, out string pattern))
                value = value with { FilePattern = pattern };
            else if (name == "verbosity" && field is not null && FieldKinds.Int32.TryRead(field, unknown, out int verbosity))
                value = value with { Verbosity = verbosity };
            else if (name is "filePattern" or "verbosity")
                return false;
            else
                unknown.Add($"[].{name}");
        }
        return true;
    }

    private static bool TryReadBytes(JsonNode node, ICollection<string> unknown, out string value)
    {
        value = node.GetValueKind() switch
        {
            JsonValueKind.String => node.GetValue<string>(),
            JsonValueKind.Number => node.ToJsonString(),
            _ => "",
        };
        return Quantity.TryParse(value, out _);
    }
}
