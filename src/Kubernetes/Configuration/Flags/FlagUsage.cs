using System.Text;

namespace NodeAgent.Kubernetes.Configuration.Flags;

/// <summary>The text of --help.</summary>
public static class FlagUsage
{
    /// <summary>A line for every flag that is not deprecated, then the names of the others.</summary>
    public static string Describe(FlagSet set, string purpose)
    {
        ArgumentNullException.ThrowIfNull(set);
        StringBuilder text = new();
        text.Append(purpose).Append("\n\nUsage:\n  ").Append(set.Component).Append(" [flags]\n\nFlags:\n");
        foreach (FlagDefinition flag in set.Flags.Where(f => f.Deprecation is null))
        {
            string name = flag.Shorthand == default ? $"      --{flag.Name}" : $"  -{flag.Shorthand}, --{flag.Name}";
            string head = flag.Kind == FlagKind.Bool ? name : $"{name} {flag.Kind.ToString().ToLowerInvariant()}";
            text.Append(head).Append(head.Length < 52 ? new string(' ', 52 - head.Length) : "  ").Append(flag.Summary);
            if (flag.DefaultText.Length > 0)
                text.Append(" (default ").Append(flag.DefaultText).Append(')');
            text.Append('\n');
        }
        string[] deprecated = [.. set.Flags.Where(f => f.Deprecation is not null).Select(f => $"--{f.Name}")];
        if (deprecated.Length > 0)
            text.Append("\nDeprecated flags, which still work (use the configuration file):\n  ").AppendJoin(' ', deprecated).Append('\n');
        return text.ToString();
    }
}
