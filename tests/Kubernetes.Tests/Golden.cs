using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Tests;

/// <summary>
/// Tables recorded from the Go libraries of Kubernetes v1.36 (one JSON object a line): our inputs, their outputs.
/// </summary>
internal static class Golden
{
    internal static List<JsonObject> Rows(string path)
    {
        string file = Path.Combine(AppContext.BaseDirectory, path + ".golden.jsonl");
        List<JsonObject> rows = [.. File.ReadLines(file).Select(line => JsonNode.Parse(line)!.AsObject())];
        Assert.NotEmpty(rows);
        return rows;
    }

    internal static string? Text(this JsonObject row, string name) => row[name]?.GetValue<string>();

    internal static void Same(JsonNode? expected, JsonNode? actual, string about)
    {
        if (!JsonNode.DeepEquals(expected, actual))
            Assert.Fail($"{about}\nexpected {expected?.ToJsonString()}\nactual   {actual?.ToJsonString()}");
    }
}
