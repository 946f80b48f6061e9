using System.Runtime.CompilerServices;

namespace NodeAgent.NodeAgent.Tests.Documentation;

public sealed class CompatibilityPageTests
{
    [Fact]
    public void The_page_lists_every_flag_and_field_with_its_state_and_no_other()
    {
        string file = Path.Combine(Root, "docs/compatibility.md");
        string page = File.ReadAllText(file);
        int begin = page.IndexOf(CompatibilityTables.Begin, StringComparison.Ordinal);
        int end = page.IndexOf(CompatibilityTables.End, StringComparison.Ordinal) + CompatibilityTables.End.Length;
        Assert.True(begin >= 0 && end > begin, "docs/compatibility.md has lost the marks of its generated part");
        string expected = CompatibilityTables.Render();
        if (Environment.GetEnvironmentVariable("NODE_AGENT_REWRITE") == "1")
            File.WriteAllText(file, page[..begin] + expected + page[end..]);
        else
            Assert.Equal(expected, page[begin..end]);
    }

    internal static string Root => Path.GetFullPath(Path.Combine(Here(), "../../.."));

    private static string Here([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
