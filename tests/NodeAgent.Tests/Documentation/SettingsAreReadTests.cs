using System.Text.RegularExpressions;

namespace NodeAgent.NodeAgent.Tests.Documentation;

/// <summary>Whether a setting works is said in the tables of fields; whether the code reads it is seen in the sources.</summary>
public sealed partial class SettingsAreReadTests
{
    // They complete or check settings, and do nothing with them.
    private static readonly HashSet<string> NotReaders = ["KubeletDerivedDefaults.cs", "HostChecks.cs"];

    // An in-place resize is refused where a policy is set that would have to move CPUs or memory.
    private static readonly HashSet<string> ReadToRefuse = ["CpuManagerPolicy", "MemoryManagerPolicy"];

    // All it does is to complete another setting.
    private static readonly HashSet<string> Completes = ["MergeDefaultEvictionSettings"];

    [Theory]
    [InlineData("Kubelet")]
    [InlineData("Proxy")]
    public void A_setting_that_works_is_read_and_one_that_does_not_reaches_no_part(string project)
    {
        string source = Path.Combine(CompatibilityPageTests.Root, "src");
        (bool Composes, HashSet<string> Words)[] readers = [.. Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/Validation/", StringComparison.Ordinal) && !file.EndsWith("Fields.cs", StringComparison.Ordinal)
                && !file.Contains("/Objects/", StringComparison.Ordinal) && !file.EndsWith("Validation.cs", StringComparison.Ordinal) && !NotReaders.Contains(Path.GetFileName(file)))
            .Select(file => (file.Contains("/Composition/", StringComparison.Ordinal), WordsRead(file)))];
        List<string> wrong = [];
        foreach ((string path, string property, string state) in Settings(Path.Combine(source, project, "Configuration")))
        {
            bool anywhere = readers.Any(reader => reader.Words.Contains(property)), composed = readers.Any(reader => reader.Composes && reader.Words.Contains(property));
            if (state == "Supported" && !anywhere && !Completes.Contains(property)) wrong.Add($"{path} is said to work, but nothing reads {property}");
            if (state == "NoEffectYet" && composed && !ReadToRefuse.Contains(property)) wrong.Add($"{path} is said to have no effect, but {property} is read");
        }
        Assert.Empty(wrong);
    }

    // Not where a setting is declared, and not where a relative path in it is completed.
    private static HashSet<string> WordsRead(string file) => [.. File.ReadLines(file)
        .Where(line => !line.Contains("{ get; init; }", StringComparison.Ordinal) && !line.Contains(" = Resolve(", StringComparison.Ordinal))
        .SelectMany(line => Member().Matches(line)).Select(match => match.Groups[1].Value)];

    private static IEnumerable<(string Path, string Property, string State)> Settings(string folder) =>
        from file in Directory.EnumerateFiles(folder, "*Fields.cs")
        from Match match in Entry().Matches(File.ReadAllText(file))
        select (match.Groups["path"].Value, match.Groups["property"].Value, match.Groups["state"] is { Success: true } state ? state.Value : "Supported");

    [GeneratedRegex(@"\b([A-Z]\w+)\b", RegexOptions.CultureInvariant)]
    private static partial Regex Member();

    [GeneratedRegex(@"\.(?:Value|Pointer)\(\s*""(?<path>[^""]+)"",.*?c => c\.(?<property>\w+),.*?with \{ \w+ = v \}(?:, SupportState\.(?<state>\w+))?\)", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Entry();
}
