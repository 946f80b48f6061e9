using System.Globalization;
using System.Text;
using System.Text.Json;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>Names places inside JSON text, after the fact: reading keeps no path.</summary>
internal static class JsonPaths
{
    /// <summary>The path (spec.containers[0].name) of the token that starts at or before <paramref name="offset"/> bytes.</summary>
    internal static string At(ReadOnlySpan<byte> utf8Json, long offset)
    {
        Stack<(string? Name, int Index)> levels = [];
        Utf8JsonReader reader = new(utf8Json);
        try
        {
            while (reader.Read() && reader.TokenStartIndex <= offset)
                Follow(ref reader, levels);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Broken beyond this point; the path up to here is the answer.
        }
        StringBuilder path = new();
        foreach ((string? name, int index) in levels.Reverse())
        {
            if (name is not null)
                path.Append(path.Length > 0 ? "." : "").Append(name);
            else if (index >= 0)
                path.Append(CultureInfo.InvariantCulture, $"[{index}]");
        }
        return path.Length == 0 ? "(root)" : path.ToString();
    }

    // A level is the current position in one object (its last name) or list (its last index).
    private static void Follow(ref Utf8JsonReader reader, Stack<(string? Name, int Index)> levels)
    {
        JsonTokenType token = reader.TokenType;
        if (token is JsonTokenType.EndObject or JsonTokenType.EndArray)
        {
            levels.Pop();
            return;
        }
        if (token == JsonTokenType.PropertyName)
        {
            levels.Pop();
            levels.Push((reader.GetString(), -1));
            return;
        }
        if (levels.Count > 0 && levels.Peek() is (null, var index) && index >= -1)
        {
            levels.Pop();
            levels.Push((null, index + 1));
        }
        if (token == JsonTokenType.StartObject)
            levels.Push((null, -2));
        else if (token == JsonTokenType.StartArray)
            levels.Push((null, -1));
    }
}
