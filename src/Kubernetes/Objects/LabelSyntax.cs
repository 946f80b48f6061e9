using System.Text.RegularExpressions;

namespace NodeAgent.Kubernetes.Objects;

/// <summary>The rules for label keys and values (upstream: apimachinery/pkg/util/validation).</summary>
public static partial class LabelSyntax
{
    private const int LongestName = 63;
    private const int LongestPrefix = 253;

    /// <summary>Says what is wrong with a label or annotation key ([prefix/]name), or null.</summary>
    public static string? CheckKey(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        int slash = key.IndexOf('/', StringComparison.Ordinal);
        string name = key[(slash + 1)..];
        if (slash >= 0 && (slash > LongestPrefix || !Subdomain().IsMatch(key[..slash])))
            return $"label key \"{key}\": the part before the slash must be a DNS name of at most {LongestPrefix} characters";
        return name.Length <= LongestName && Name().IsMatch(name)
            ? null
            : $"label key \"{key}\": the name must be at most {LongestName} letters, digits, '-', '_' or '.', with a letter or digit at both ends";
    }

    /// <summary>Says what is wrong with a label value, or null; the empty value is fine.</summary>
    public static string? CheckValue(string key, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return value.Length == 0 || (value.Length <= LongestName && Name().IsMatch(value))
            ? null
            : $"label \"{key}\": the value \"{value}\" must be at most {LongestName} letters, digits, '-', '_' or '.', with a letter or digit at both ends";
    }

    [GeneratedRegex(@"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\z", RegexOptions.CultureInvariant)]
    private static partial Regex Name();

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex Subdomain();
}
