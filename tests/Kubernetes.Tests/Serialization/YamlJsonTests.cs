using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Tests.Serialization;

public class YamlJsonTests
{
    [Fact]
    public void Documents_become_the_json_that_the_go_library_makes()
    {
        foreach (JsonObject row in Golden.Rows("Serialization/yaml"))
        {
            string yaml = row.Text("yaml")!;
            if (row.ContainsKey("error"))
                Assert.True(Error(yaml) is not null, $"must be refused: {yaml}");
            else if (Error(yaml) is { } error)
                Assert.Fail($"{yaml}\n{error.Message}\nexpected {row.Text("json")}");
            else
                Golden.Same(JsonNode.Parse(row.Text("json")!), YamlJson.Parse(yaml), yaml);
        }
    }

    [Theory]
    [InlineData("a: 1\nb: [", 2)]
    [InlineData("a: 1\nb: *x", 2)]
    [InlineData("a: 1\n\n? [b]\n: c", 3)]
    [InlineData("a:\n  b: !!int x", 2)]
    public void Errors_carry_the_line(string yaml, int line)
    {
        YamlFormatException error = Error(yaml)!;
        Assert.InRange(error.Line, line, line + 1);
        Assert.Contains("line ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Duplicates_are_named_with_path_and_line_and_the_later_value_counts()
    {
        YamlDocument document = Assert.Single(YamlJson.ParseAll("a:\n- b: 1\n  c: 2\n  b: 3\n"));
        Assert.Equal([new DuplicateField("a[0].b", 4)], document.Duplicates);
        Golden.Same(JsonNode.Parse("""{"a":[{"b":3,"c":2}]}"""), document.Root, "later value");
        Assert.Equal(4, Assert.Throws<YamlFormatException>(() => YamlJson.ParseStrict("a:\n- b: 1\n  c: 2\n  b: 3\n")).Line);
    }

    [Fact]
    public void Duplicates_in_json_are_named_too()
    {
        YamlDocument document = Assert.Single(YamlJson.ParseAll("""{"a":{"b":1,"b":2}}"""));
        Assert.Equal(["a.b"], document.Duplicates.Select(d => d.Path));
        Golden.Same(JsonNode.Parse("""{"a":{"b":2}}"""), document.Root, "later value");
    }

    [Theory]
    [InlineData("x: &x {a: 1}\nz:\n  <<: *x\n  b: 2\n", "")]
    [InlineData("x: &x {a: 1}\nz:\n  <<: *x\n  a: 2\n", "z.a")]
    public void A_field_that_a_merge_key_brings_too_counts_as_given_twice(string yaml, string expected) =>
        Assert.Equal(expected, string.Join(' ', Assert.Single(YamlJson.ParseAll(yaml)).Duplicates.Select(d => d.Path)));

    [Fact]
    public void Several_documents_come_one_after_the_other() =>
        Assert.Equal(["1", "null", "2"], YamlJson.ParseAll("---\n1\n---\n---\n2\n...\n").Select(d => d.Root?.ToJsonString() ?? "null"));

    [Fact]
    public void A_bomb_of_aliases_is_refused()
    {
        StringBuilder yaml = new("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (int i = 1; i < 12; i++)
        {
            string previous = $"*a{i - 1}";
            yaml.Append($"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat(previous, 10))}]\n");
        }
        Assert.Contains("alias", Error(yaml.ToString())!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_alias_inside_the_node_it_names_is_refused() => Assert.NotNull(Error("a: &a [*a]"));

    [Theory]
    [InlineData(100, true)]
    [InlineData(5000, false)]
    public void Depth_is_limited(int depth, bool allowed) =>
        Assert.Equal(allowed, Error(new string('[', depth) + new string(']', depth)) is null);

    [Fact]
    public void A_chain_of_aliases_is_limited_like_nesting()
    {
        StringBuilder yaml = new("a0: &a0 x\n");
        for (int i = 1; i < 300; i++)
            yaml.Append($"a{i}: &a{i} [*a{i - 1}]\n");
        Assert.NotNull(Error(yaml.ToString()));
    }

    [Fact]
    public void A_byte_order_mark_is_skipped() => Golden.Same(JsonNode.Parse("""{"a":1}"""), YamlJson.Parse("\uFEFFa: 1"), "bom");

    private static YamlFormatException? Error(string yaml)
    {
        try
        {
            YamlJson.Parse(yaml);
            return null;
        }
        catch (YamlFormatException e)
        {
            return e;
        }
    }
}
