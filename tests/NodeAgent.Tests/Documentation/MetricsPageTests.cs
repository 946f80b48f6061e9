using System.Text;
using System.Text.RegularExpressions;

namespace NodeAgent.NodeAgent.Tests.Documentation;

/// <summary>Which of upstream's metrics there are is seen in the sources, and said in docs/compatibility.md.</summary>
public sealed partial class MetricsPageTests
{
    private const string Begin = "<!-- begin: metrics (generated; NODE_AGENT_REWRITE=1 rewrites it when the tests run) -->";
    private const string End = "<!-- end: metrics -->";

    [Fact]
    public void The_page_lists_every_metric_of_upstream_with_its_state()
    {
        string file = Path.Combine(CompatibilityPageTests.Root, "docs/compatibility.md");
        string page = File.ReadAllText(file);
        int begin = page.IndexOf(Begin, StringComparison.Ordinal), end = page.IndexOf(End, StringComparison.Ordinal) + End.Length;
        Assert.True(begin >= 0 && end > begin, "docs/compatibility.md has lost the marks of its part about metrics");
        string expected = Render(Named());
        if (Environment.GetEnvironmentVariable("NODE_AGENT_REWRITE") == "1")
            File.WriteAllText(file, page[..begin] + expected + page[end..]);
        else
            Assert.True(expected == page[begin..end], "docs/compatibility.md does not tell which metrics there are; run this test with NODE_AGENT_REWRITE=1");
    }

    [Fact]
    public void No_metric_has_a_name_under_upstreams_prefixes_that_upstream_does_not_know()
    {
        HashSet<string> known = [.. UpstreamMetrics.Kubelet, .. UpstreamMetrics.Proxy];
        Assert.DoesNotContain(Registered(), name => !known.Contains(name));
        Assert.Contains("kubelet_running_pods", Registered());
        Assert.Contains("kubeproxy_sync_proxy_rules_duration_seconds", Registered());
    }

    private static string Render(HashSet<string> named)
    {
        StringBuilder text = new();
        text.Append(Begin).Append("\n\n## Metrics\n\nOf /metrics, /metrics/probes and /metrics/resource; /metrics/cadvisor is not served, and go_* has no meaning here.\n");
        foreach ((string title, string[] names) in new[] { ("kubelet", UpstreamMetrics.Kubelet), ("kube-proxy", UpstreamMetrics.Proxy) })
        {
            text.Append("\n| metric of ").Append(title).Append(" | state |\n|---|---|\n");
            foreach (string name in names)
                text.Append("| `").Append(name).Append("` | ").Append(named.Contains(name) ? "works" : "not yet").Append(" |\n");
        }

        return text.Append('\n').Append(End).ToString();
    }

    private static IEnumerable<string> Sources() => Directory.EnumerateFiles(Path.Combine(CompatibilityPageTests.Root, "src"), "*.cs", SearchOption.AllDirectories)
        .Where(file => !file.Contains("/obj/", StringComparison.Ordinal)).Select(File.ReadAllText);

    private static HashSet<string> Named() => [.. Sources().SelectMany(text => Literal().Matches(text)).Select(match => match.Groups[1].Value)];

    private static HashSet<string> Registered() => [.. Sources().SelectMany(text => Registration().Matches(text)).Select(match => match.Groups[1].Value)
        .Where(name => name.StartsWith("kubelet_", StringComparison.Ordinal) || name.StartsWith("kubeproxy_", StringComparison.Ordinal))];

    [GeneratedRegex("\"([a-z]+_[a-z_]+)\"", RegexOptions.CultureInvariant)]
    private static partial Regex Literal();

    [GeneratedRegex("\\.\\s*(?:Counter|Gauge|Histogram)\\w*\\(\\s*\"([a-z_]+)\"", RegexOptions.CultureInvariant)]
    private static partial Regex Registration();
}
