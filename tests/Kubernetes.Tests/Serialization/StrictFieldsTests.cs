using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Tests.Serialization;

public partial class StrictFieldsTests
{
    [Theory]
    [InlineData("""{"name":"x","inner":{"count":1},"list":[{"count":1}],"map":{"any":{"count":2}}}""", "")]
    [InlineData("""{"nam":"x"}""", "nam")]
    [InlineData("""{"Name":"x"}""", "Name")]
    [InlineData("""{"inner":{"cnt":1,"count":2},"list":[{},{"x":{"y":1}}],"map":{"any":{"z":2}},"q":null}""", "inner.cnt list[1].x map.any.z q")]
    public void Unknown_fields_are_named_by_path(string json, string expected) =>
        Assert.Equal(expected, string.Join(' ', StrictFields.Unknown(JsonNode.Parse(json), Context.Default.Outer)));

    internal sealed record Inner
    {
        [JsonPropertyName("count")]
        public int? Count { get; init; }
    }

    internal sealed record Outer
    {
        [JsonPropertyName("name")]
        public string? Name { get; init; }

        [JsonPropertyName("inner")]
        public Inner? Inner { get; init; }

        [JsonPropertyName("list")]
        public IReadOnlyList<Inner>? List { get; init; }

        [JsonPropertyName("map")]
        public IReadOnlyDictionary<string, Inner>? Map { get; init; }
    }

    [JsonSerializable(typeof(Outer))]
    private sealed partial class Context : JsonSerializerContext;
}
