using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Configuration.Flags;

/// <summary>The flags given on a command line, read and checked.</summary>
public sealed class ParsedFlags
{
    private readonly FlagSet set;
    private readonly Dictionary<string, JsonNode> values;

    private ParsedFlags(FlagSet set, Dictionary<string, JsonNode> values, IReadOnlyList<ConfigurationProblem> problems)
    {
        this.set = set;
        this.values = values;
        Problems = problems;
    }

    /// <summary>Unknown flags, unreadable values, deprecated flags, flags without effect.</summary>
    public IReadOnlyList<ConfigurationProblem> Problems { get; }

    /// <summary>The flags that were given, in no order.</summary>
    public IEnumerable<FlagDefinition> Given => values.Keys.Select(n => set.Find(n)!);

    /// <summary>Whether a flag was given with a value that says something.</summary>
    public bool Has(string name) => values.ContainsKey(name);

    /// <summary>The text of a flag, or <paramref name="otherwise"/> when it was not given.</summary>
    public string Text(string name, string otherwise = "") => Value(name)?.GetValue<string>() ?? otherwise;

    /// <summary>A flag of kind Bool.</summary>
    public bool Bool(string name, bool otherwise = false) => Value(name)?.GetValue<bool>() ?? otherwise;

    /// <summary>A flag of kind Int32.</summary>
    public int Int32(string name, int otherwise) => Value(name)?.GetValue<int>() ?? otherwise;

    /// <summary>A flag of kind Duration.</summary>
    public TimeSpan Duration(string name, TimeSpan otherwise) =>
        Value(name) is { } node && GoDuration.TryParse(node.GetValue<string>(), out TimeSpan value) ? value : otherwise;

    /// <summary>A flag of kind TextMap.</summary>
    public IReadOnlyDictionary<string, string> TextMap(string name)
    {
        SortedDictionary<string, string> map = new(StringComparer.Ordinal);
        if (Value(name) is JsonObject given)
        {
            foreach ((string key, JsonNode? text) in given)
                map[key] = text!.GetValue<string>();
        }
        return map;
    }

    /// <summary>A flag of kind BoolMap.</summary>
    public IReadOnlyDictionary<string, bool> BoolMap(string name)
    {
        SortedDictionary<string, bool> map = new(StringComparer.Ordinal);
        if (Value(name) is JsonObject given)
        {
            foreach ((string key, JsonNode? on) in given)
                map[key] = on!.GetValue<bool>();
        }
        return map;
    }

    /// <summary>The value as a configuration field takes it; null when the flag was not given.</summary>
    public JsonNode? Value(string name)
    {
        if (set.Find(name) is null)
            throw new ArgumentException($"{set.Component} has no flag --{name}", nameof(name));
        return values.GetValueOrDefault(name);
    }

    /// <summary>Sets every given flag that belongs to a configuration field; flags win over what <paramref name="record"/> had.</summary>
    /// <param name="record">What the files gave.</param>
    /// <param name="table">The fields.</param>
    /// <param name="chosen">Which flags count.</param>
    public T Apply<T>(T record, ConfigurationTable<T> table, Func<FlagDefinition, bool> chosen)
        where T : new()
    {
        ArgumentNullException.ThrowIfNull(table);
        foreach (FlagDefinition flag in Given.Where(f => f.FieldPath is not null).Where(chosen))
        {
            if (!table.TrySet(record, flag.FieldPath!, values[flag.Name].DeepClone(), out record))
                throw new InvalidOperationException($"--{flag.Name} and its field {flag.FieldPath} are not of the same kind");
        }
        return record;
    }

    internal static ParsedFlags Create(FlagSet set, Dictionary<string, List<string>> texts, List<ConfigurationProblem> problems)
    {
        Dictionary<string, JsonNode> values = new(StringComparer.Ordinal);
        foreach ((string name, List<string> given) in texts)
        {
            FlagDefinition flag = set.Find(name)!;
            if (!FlagValues.TryRead(flag.Kind, given, out JsonNode? value, out string expected))
            {
                problems.Add(new ConfigurationProblem(ConfigurationProblemKind.Invalid, ConfigurationProblem.CommandLine, $"--{name}",
                    $"invalid argument \"{string.Join("\", \"", given)}\"", $"give {expected}"));
            }
            else if (value is not null)
            {
                values[name] = value;
                if (flag.State == SupportState.NoEffectYet && flag.FieldPath is null)
                {
                    problems.Add(new ConfigurationProblem(ConfigurationProblemKind.NoEffect, ConfigurationProblem.CommandLine, $"--{name}",
                        "has no effect in this release", "see docs/compatibility.md"));
                }
            }
        }
        return new ParsedFlags(set, values, problems);
    }
}
