using System.Text.RegularExpressions;
using Xunit.Abstractions;

namespace NodeAgent.Architecture.Tests;

public sealed partial class SourceFileTests(ITestOutputHelper output)
{
    // Folders of one developer's machine and addresses of private test networks that only one machine has.
    [GeneratedRegex(@"/(?:opt/kube|work/(?:wt|main|shared)|home/[a-z]+/|root/\w)", RegexOptions.CultureInvariant)]
    private static partial Regex MachinePath();

    [Fact]
    public void No_file_names_a_path_of_one_machine() => Repository.AssertNone(
        from path in TextFiles()
        where Path.GetFileName(path) != nameof(SourceFileTests) + ".cs"
        from line in File.ReadLines(path).Index()
        where MachinePath().IsMatch(line.Item)
        select $"{Repository.Relative(path)}:{line.Index + 1}: {line.Item.Trim()}");

    [Fact]
    public void No_written_file_is_longer_than_600_lines() => Repository.AssertNone(
        from path in Repository.Files("src", "*.cs")
        where !path.EndsWith(".g.cs", StringComparison.Ordinal)
        let lines = File.ReadLines(path).Count()
        where lines > 600
        select $"{Repository.Relative(path)}: {lines} lines");

    [Fact]
    public void Nine_of_ten_files_have_at_most_250_lines()
    {
        (string Path, int Lines)[] files = [.. Repository.Files("src", "*.cs").Where(path => !path.EndsWith(".g.cs", StringComparison.Ordinal))
            .Select(path => (Repository.Relative(path), File.ReadLines(path).Count())).OrderByDescending(file => file.Item2)];
        foreach ((string path, int lines) in files.Take(20))
            output.WriteLine($"{lines,5} {path}");
        Assert.InRange(files[files.Length / 10].Lines, 1, 250);
    }

    [Fact]
    public void Namespaces_are_file_scoped_and_follow_the_folders() => Repository.AssertNone(
        from path in Repository.Files("src", "*.cs")
        where !path.EndsWith(".g.cs", StringComparison.Ordinal)
        let declared = File.ReadLines(path).FirstOrDefault(line => line.StartsWith("namespace ", StringComparison.Ordinal))
        where declared is not null
        let parts = Repository.Relative(Path.GetDirectoryName(path)!).Split('/').Skip(1).ToArray()
        let expected = "namespace NodeAgent" + (parts[0] == "NodeAgent" ? "" : "." + parts[0]) + string.Concat(parts.Skip(1).Select(part => "." + part)) + ";"
        where declared != expected
        select $"{Repository.Relative(path)}: {declared} should be {expected}");

    private static IEnumerable<string> TextFiles() =>
        Repository.Files(".", "*").Where(path => Path.GetExtension(path) is
            ".cs" or ".csproj" or ".props" or ".targets" or ".md" or ".sh" or ".yaml" or ".yml" or ".json" or ".proto" or ".service" or ".toml" or ""
            && new FileInfo(path).Length < 4 << 20);
}
