using System.Reflection;

namespace NodeAgent.Architecture.Tests;

/// <summary>Where the checked-out sources and the assemblies built from them are.</summary>
internal static class Repository
{
    private static readonly string[] Skipped = ["bin", "obj", ".git", "out", "TestResults", "BenchmarkDotNet.Artifacts"];

    internal static string Root { get; } = typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == "RepositoryRoot").Value!.TrimEnd('/');

    internal static IEnumerable<string> Files(string folder, string pattern) =>
        Walk(Path.Combine(Root, folder)).Where(path => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern, Path.GetFileName(path)));

    internal static string Relative(string path) => Path.GetRelativePath(Root, path);

    internal static string Assembly(string project) =>
        Path.Combine(AppContext.BaseDirectory, project == "NodeAgent" ? "node-agent.dll" : $"NodeAgent.{project}.dll");

    private static IEnumerable<string> Walk(string folder)
    {
        if (!Directory.Exists(folder)) yield break;
        foreach (string file in Directory.EnumerateFiles(folder))
            yield return file;
        foreach (string child in Directory.EnumerateDirectories(folder).Where(child => !Skipped.Contains(Path.GetFileName(child))))
        {
            foreach (string file in Walk(child))
                yield return file;
        }
    }

    /// <summary>Fails with every finding on a line of its own.</summary>
    internal static void AssertNone(IEnumerable<string> findings)
    {
        string[] all = [.. findings.Distinct().Order(StringComparer.Ordinal)];
        Assert.True(all.Length == 0, $"{all.Length} findings:{Environment.NewLine}{string.Join('\n', all)}");
    }
}
