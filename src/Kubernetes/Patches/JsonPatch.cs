using System.Globalization;
using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Patches;

/// <summary>JSON patches, RFC 6902 (content type application/json-patch+json).</summary>
public static class JsonPatch
{
    /// <summary>The patched document; the arguments stay as they are.</summary>
    /// <exception cref="PatchException">An operation is malformed, its target is missing, or a test fails.</exception>
    public static JsonNode? Apply(JsonNode? document, JsonArray operations)
    {
        ArgumentNullException.ThrowIfNull(operations);
        Target target = new(document?.DeepClone());
        for (int i = 0; i < operations.Count; i++)
        {
            if (operations[i] is not JsonObject operation)
                throw new PatchException($"operation {i}: expected an object");
            try
            {
                target.Run(operation);
            }
            catch (PatchException e)
            {
                throw new PatchException($"operation {i} ({Text(operation, "op")} {Text(operation, "path")}): {e.Message}");
            }
        }
        return target.Root;
    }

    private static string? Text(JsonObject operation, string name) =>
        operation[name] is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    private sealed class Target(JsonNode? root)
    {
        internal JsonNode? Root { get; private set; } = root;

        internal void Run(JsonObject operation)
        {
            string[] path = Pointer(operation, "path");
            switch (Text(operation, "op"))
            {
                case "add":
                    Add(path, Value(operation));
                    break;
                case "remove":
                    Remove(path);
                    break;
                case "replace":
                    Replace(path, Value(operation));
                    break;
                case "move":
                    Move(Pointer(operation, "from"), path);
                    break;
                case "copy":
                    Add(path, Get(Pointer(operation, "from"))?.DeepClone());
                    break;
                case "test":
                    if (!JsonNode.DeepEquals(Get(path), Value(operation)))
                        throw new PatchException("the value is another one");
                    break;
                default:
                    throw new PatchException("op must be add, remove, replace, move, copy or test");
            }
        }

        private static JsonNode? Value(JsonObject operation) =>
            operation.TryGetPropertyValue("value", out JsonNode? value) ? value?.DeepClone() : throw new PatchException("value is missing");

        private static string[] Pointer(JsonObject operation, string name)
        {
            string text = Text(operation, name) ?? throw new PatchException($"{name} is missing");
            if (text.Length == 0)
                return [];
            if (text[0] != '/')
                throw new PatchException($"{name} must start with '/'");
            return [.. text[1..].Split('/').Select(part =>
                part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))];
        }

        private void Move(string[] from, string[] to)
        {
            if (to.Length > from.Length && to.AsSpan(0, from.Length).SequenceEqual(from))
                throw new PatchException("a value cannot move into itself");
            JsonNode? value = Get(from)?.DeepClone();
            Remove(from);
            Add(to, value);
        }

        private JsonNode? Get(ReadOnlySpan<string> path)
        {
            JsonNode? node = Root;
            foreach (string part in path)
                node = node switch
                {
                    JsonObject map when map.TryGetPropertyValue(part, out JsonNode? value) => value,
                    JsonArray list => list[Index(part, list.Count - 1)],
                    _ => throw new PatchException($"there is no \"{part}\""),
                };
            return node;
        }

        private void Add(string[] path, JsonNode? value)
        {
            if (path.Length == 0)
            {
                Root = value;
                return;
            }
            switch (Get(path.AsSpan(0, path.Length - 1)))
            {
                case JsonObject map:
                    map[path[^1]] = value;
                    break;
                case JsonArray list:
                    list.Insert(path[^1] == "-" ? list.Count : Index(path[^1], list.Count), value);
                    break;
                default:
                    throw new PatchException("the parent is neither object nor list");
            }
        }

        private void Replace(string[] path, JsonNode? value)
        {
            Get(path);
            if (path.Length > 0 && Get(path.AsSpan(0, path.Length - 1)) is JsonArray list)
                list[Index(path[^1], list.Count - 1)] = value;
            else
                Add(path, value);
        }

        private void Remove(string[] path)
        {
            Get(path);
            if (path.Length == 0)
                Root = null;
            else if (Get(path.AsSpan(0, path.Length - 1)) is JsonArray list)
                list.RemoveAt(Index(path[^1], list.Count - 1));
            else
                Get(path.AsSpan(0, path.Length - 1))!.AsObject().Remove(path[^1]);
        }

        private static int Index(string part, int last) =>
            int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index <= last
                && (part.Length == 1 || part[0] != '0')
                ? index
                : throw new PatchException($"\"{part}\" is no index of the list");
    }
}
