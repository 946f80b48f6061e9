namespace NodeAgent.Kubernetes.Configuration.Flags;

/// <summary>One pass over a command line, with pflag's rules.</summary>
internal sealed class FlagParser(FlagSet set, IReadOnlyList<string> arguments)
{
    private readonly Dictionary<string, List<string>> values = new(StringComparer.Ordinal);
    private readonly List<ConfigurationProblem> problems = [];
    private int next;

    internal ParsedFlags Parse()
    {
        while (next < arguments.Count)
        {
            string argument = arguments[next++];
            if (argument == "--")
                Positional(arguments.Skip(next));
            else if (argument.StartsWith("--", StringComparison.Ordinal))
                Long(argument);
            else if (argument.Length > 1 && argument[0] == '-')
                Short(argument);
            else
                Positional([argument]);
        }
        foreach (string name in values.Keys)
        {
            if (set.Find(name) is { Deprecation: { } instead })
                problems.Add(new ConfigurationProblem(ConfigurationProblemKind.Deprecated, ConfigurationProblem.CommandLine, $"--{name}", "is deprecated", instead));
        }
        return ParsedFlags.Create(set, values, problems);
    }

    private void Positional(IEnumerable<string> words)
    {
        foreach (string word in words)
            Invalid(word, $"unknown command \"{word}\"", $"{set.Component} takes flags only; write --flag=value");
        if (arguments.Take(next).Contains("--"))
            next = arguments.Count;
    }

    private void Long(string argument)
    {
        int equals = argument.IndexOf('=', StringComparison.Ordinal);
        string name = equals < 0 ? argument[2..] : argument[2..equals];
        if (name.Length == 0 || name[0] == '-')
            Invalid(argument, "bad flag syntax", "write --flag=value");
        else if (set.Find(name) is not { } flag)
            Unknown(name, equals >= 0);
        else if (equals >= 0)
            Add(flag, argument[(equals + 1)..]);
        else if (flag.ValueIsOptional)
            Add(flag, "true");
        else if (next < arguments.Count)
            Add(flag, arguments[next++]);
        else
            Invalid($"--{flag.Name}", "flag needs an argument", $"write --{flag.Name}=VALUE");
    }

    // -v=2, -v2, -v 2, and letters of flags without value run together.
    private void Short(string argument)
    {
        string letters = argument[1..];
        while (letters.Length > 0)
        {
            if (set.Find(letters[0]) is not { } flag)
            {
                Invalid(argument, $"unknown shorthand flag: '{letters[0]}'", $"run {set.Component} --help");
                return;
            }
            string rest = letters[1..];
            if (rest.StartsWith('='))
                Add(flag, rest[1..]);
            else if (flag.ValueIsOptional)
            {
                Add(flag, "true");
                letters = rest;
                continue;
            }
            else if (rest.Length > 0)
                Add(flag, rest);
            else if (next < arguments.Count)
                Add(flag, arguments[next++]);
            else
                Invalid($"-{flag.Shorthand}", "flag needs an argument", $"write -{flag.Shorthand}=VALUE");
            return;
        }
    }

    private void Add(FlagDefinition flag, string text)
    {
        if (!values.TryGetValue(flag.Name, out List<string>? list))
            values[flag.Name] = list = [];
        list.Add(text);
    }

    private void Unknown(string name, bool hasValue)
    {
        // What follows is most likely its value; taking it for a command would hide the real mistake.
        if (!hasValue && next < arguments.Count && !arguments[next].StartsWith('-'))
            next++;
        string? close = NameSuggestion.Closest(name.Replace('_', '-'), set.Flags.Select(f => f.Name));
        Invalid($"--{name}", "unknown flag", close is null ? $"run {set.Component} --help for the flags there are" : $"did you mean --{close}?");
    }

    private void Invalid(string path, string message, string remedy) =>
        problems.Add(new ConfigurationProblem(ConfigurationProblemKind.Invalid, ConfigurationProblem.CommandLine, path, message, remedy));
}
