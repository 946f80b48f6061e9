using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Tests.Objects;

public class SelectorTests
{
    private static readonly Dictionary<string, string> Labels = new() { ["app"] = "web", ["tier"] = "front", ["n"] = "7", ["empty"] = "" };

    [Fact]
    public void Label_selectors_parse_and_print_as_the_go_library_does()
    {
        foreach (JsonObject row in Golden.Rows("Objects/label-selectors"))
        {
            string text = row.Text("in")!;
            if (row.ContainsKey("error"))
                Assert.True(Fails(text), $"\"{text}\" must be refused");
            else
                Assert.Equal((text, row.Text("text")), (text, LabelMatcher.Parse(text).ToString()));
        }
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("app", true)]
    [InlineData("!app", false)]
    [InlineData("!other", true)]
    [InlineData("app=web,tier=front", true)]
    [InlineData("app=web,tier=back", false)]
    [InlineData("app!=web", false)]
    [InlineData("other!=web", true)]
    [InlineData("app in (db,web)", true)]
    [InlineData("app notin (db,web)", false)]
    [InlineData("other notin (db)", true)]
    [InlineData("n>6", true)]
    [InlineData("n>7", false)]
    [InlineData("n<8", true)]
    [InlineData("app<8", false)]
    [InlineData("other>1", false)]
    [InlineData("empty=", true)]
    [InlineData("app=", false)]
    public void Label_selectors_match(string selector, bool expected) => Assert.Equal(expected, LabelMatcher.Parse(selector).Matches(Labels));

    [Fact]
    public void An_absent_selector_object_matches_nothing_and_an_empty_one_everything()
    {
        Assert.False(LabelMatcher.From(null).Matches(Labels));
        Assert.True(LabelMatcher.From(new LabelSelector()).Matches(Labels));
    }

    [Fact]
    public void Selector_objects_combine_labels_and_expressions()
    {
        LabelSelector selector = new()
        {
            MatchLabels = new Dictionary<string, string> { ["app"] = "web" },
            MatchExpressions = [new() { Key = "tier", Operator = "NotIn", Values = ["back"] }, new() { Key = "gone", Operator = "DoesNotExist" }],
        };
        LabelMatcher matcher = LabelMatcher.From(selector);
        Assert.True(matcher.Matches(Labels));
        Assert.Equal("app=web,!gone,tier notin (back)", matcher.ToString());
        Assert.True(matcher.TryGetExactValue("app", out string? value));
        Assert.Equal("web", value);
        Assert.False(matcher.TryGetExactValue("tier", out _));
    }

    [Theory]
    [InlineData("Bogus", 1)]
    [InlineData("In", 0)]
    [InlineData("Exists", 1)]
    public void Malformed_expressions_are_refused_by_name(string operation, int values)
    {
        LabelSelector selector = new() { MatchExpressions = [new() { Key = "k", Operator = operation, Values = [.. Enumerable.Repeat("v", values)] }] };
        Assert.Contains("\"k\"", Assert.Throws<FormatException>(() => LabelMatcher.From(selector)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("spec.nodeName=n1", "spec.nodeName=n1")]
    [InlineData("a==b,c!=d", "a=b,c!=d")]
    [InlineData(@"a=x\,y\=z\\", @"a=x\,y\=z\\")]
    [InlineData("", "")]
    public void Field_selectors_round_trip(string text, string expected) => Assert.Equal(expected, FieldSelector.Parse(text).ToString());

    [Theory]
    [InlineData("a")]
    [InlineData("a=b=c")]
    [InlineData(@"a=b\c")]
    public void Malformed_field_selectors_are_refused(string text) => Assert.Throws<FormatException>(() => FieldSelector.Parse(text));

    [Fact]
    public void Field_selectors_match_and_treat_absent_as_empty()
    {
        FieldSelector selector = FieldSelector.Parse(@"metadata.name=a\,b,spec.nodeName!=");
        Assert.True(selector.Matches(f => f == "metadata.name" ? "a,b" : "n"));
        Assert.False(selector.Matches(f => f == "metadata.name" ? "a,b" : null));
    }

    [Fact]
    public void Node_selector_terms_are_alternatives_and_an_empty_term_matches_nothing()
    {
        Node node = new() { Metadata = new() { Name = "n1", Labels = Labels } };
        NodeSelectorTerm no = new() { MatchExpressions = [new() { Key = "app", Operator = "In", Values = ["db"] }] };
        NodeSelectorTerm yes = new()
        {
            MatchExpressions = [new() { Key = "n", Operator = "Gt", Values = ["6"] }],
            MatchFields = [new() { Key = "metadata.name", Operator = "In", Values = ["n1"] }],
        };
        Assert.True(NodeSelectors.Matches(new NodeSelector { NodeSelectorTerms = [no, yes] }, node));
        Assert.False(NodeSelectors.Matches(new NodeSelector { NodeSelectorTerms = [no] }, node));
        Assert.False(NodeSelectors.Matches(new NodeSelector { NodeSelectorTerms = [new()] }, node));
        Assert.Throws<FormatException>(() => NodeSelectors.Matches(new NodeSelectorTerm { MatchFields = [new() { Key = "spec.x", Operator = "In", Values = ["y"] }] }, node));
    }

    [Theory]
    [InlineData("ns/name", "ns", "name")]
    [InlineData("name", "", "name")]
    public void Names_read_back(string text, string ns, string name) => Assert.Equal(new NamespacedName(ns, name), NamespacedName.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("a/")]
    [InlineData("a/b/c")]
    public void Malformed_names_are_refused(string text) => Assert.Throws<FormatException>(() => NamespacedName.Parse(text));

    private static bool Fails(string text)
    {
        try
        {
            LabelMatcher.Parse(text);
            return false;
        }
        catch (FormatException)
        {
            return true;
        }
    }
}
