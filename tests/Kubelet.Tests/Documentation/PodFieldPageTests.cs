using System.Runtime.CompilerServices;
using System.Text;
using NodeAgent.Kubelet.Sync;

namespace NodeAgent.Kubelet.Tests.Documentation;

public sealed class PodFieldPageTests
{
    private const string Begin = "<!-- begin: fields of a pod's spec (generated; NODE_AGENT_REWRITE=1 rewrites it when the tests run) -->";
    private const string End = "<!-- end: fields of a pod's spec -->";

    [Fact]
    public void The_page_lists_every_field_of_a_pods_spec_with_its_state()
    {
        string file = Path.GetFullPath(Path.Combine(Here(), "../../../docs/compatibility.md"));
        string page = File.ReadAllText(file);
        int begin = page.IndexOf(Begin, StringComparison.Ordinal), end = page.IndexOf(End, StringComparison.Ordinal) + End.Length;
        Assert.True(begin >= 0 && end > begin, "docs/compatibility.md has lost the marks of its part about pods");
        string expected = Render();
        if (Environment.GetEnvironmentVariable("NODE_AGENT_REWRITE") == "1")
        {
            File.WriteAllText(file, page[..begin] + expected + page[end..]);
        }
        else
        {
            Assert.True(expected == page[begin..end], "docs/compatibility.md differs from PodFieldTable; run this test with NODE_AGENT_REWRITE=1");
        }
    }

    private static string Render()
    {
        StringBuilder text = new();
        text.Append(Begin).Append("\n\n## Fields of a pod's spec\n\n")
            .Append("Each with all that is below it; `containers[]` stands for init and ephemeral containers too. A pod with a field that does not work waits\n")
            .Append("with a message that names it.\n\n| field | state |\n|---|---|\n");
        IEnumerable<(string Path, string State)> rows =
        [
            .. PodFieldTable.Honoured.Select(p => (p, "works")),
            .. PodFieldTable.Refused.Select(p => (p, "not yet, the pod waits")),
            .. PodFieldTable.HonouredValues.Select(p => (p.Key, $"only {string.Join(", ", p.Value.Select(v => $"`{v.Trim('"')}`"))}; with others the pod waits")),
        ];
        foreach ((string path, string state) in rows.OrderBy(r => r.Path, StringComparer.Ordinal))
        {
            text.Append("| `").Append(path).Append("` | ").Append(state).Append(" |\n");
        }

        return text.Append('\n').Append(End).ToString();
    }

    private static string Here([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
