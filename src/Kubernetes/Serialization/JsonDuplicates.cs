using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>Fields given twice in JSON text, which a JSON tree no longer shows.</summary>
internal static class JsonDuplicates
{
    internal static List<DuplicateField> Find(ReadOnlySpan<byte> utf8Json)
    {
        List<DuplicateField> found = [];
        Utf8JsonReader reader = new(utf8Json, new JsonReaderOptions { MaxDepth = YamlReader.MaxDepth });
        reader.Read();
        Walk(ref reader, "", found);
        reader.Read();
        return found;
    }

    internal static JsonNode ParseKeepingLast(ReadOnlySpan<byte> utf8Json)
    {
        Utf8JsonReader reader = new(utf8Json, new JsonReaderOptions { MaxDepth = YamlReader.MaxDepth });
        reader.Read();
        return Read(ref reader)!;
    }

    private static void Walk(ref Utf8JsonReader reader, string path, List<DuplicateField> found)
    {
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            HashSet<string> names = [];
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                string name = reader.GetString()!;
                string field = path.Length == 0 ? name : $"{path}.{name}";
                if (!names.Add(name))
                    found.Add(new DuplicateField(field, 0));
                reader.Read();
                Walk(ref reader, field, found);
            }
        }
        else if (reader.TokenType == JsonTokenType.StartArray)
        {
            for (int i = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; i++)
                Walk(ref reader, string.Create(CultureInfo.InvariantCulture, $"{path}[{i}]"), found);
        }
    }

    private static JsonNode? Read(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                JsonObject map = [];
                while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
                {
                    string name = reader.GetString()!;
                    reader.Read();
                    map[name] = Read(ref reader);
                }
                return map;
            case JsonTokenType.StartArray:
                JsonArray list = [];
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    list.Add(Read(ref reader));
                return list;
            case JsonTokenType.Null:
                return null;
            default:
                return JsonValue.Create(JsonElement.ParseValue(ref reader));
        }
    }
}
