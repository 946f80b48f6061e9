using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Patches;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Tests.Serialization;

/// <summary>Whatever the input, only the documented exception comes out. The seeds are fixed, so a failure can be seen again.</summary>
public class MalformedInputTests
{
    private const string Alphabet = "{}[],:\"'&*!|>#%@`- \t\nab01.~?<=\\\u00e9\u0000";
    private static readonly string[] Values = ["null", "1", "\"x\"", "[]", "{}", "[null]", "[1]", "[{}]", """{"$patch":"delete"}""", """[{"$patch":"replace"},5]""", "[[1]]"];

    [Fact]
    public void Damaged_yaml_is_read_or_refused_with_a_format_error()
    {
        Random random = new(1);
        List<JsonObject> rows = Golden.Rows("Serialization/yaml");
        for (int i = 0; i < 20_000; i++)
        {
            string text = Damage(random, rows[random.Next(rows.Count)].Text("yaml")! + "\n" + rows[random.Next(rows.Count)].Text("yaml"), Alphabet);
            Only<YamlFormatException>(() => YamlJson.ParseAll(text).Count(), text);
        }
    }

    [Fact]
    public void Damaged_json_is_read_or_refused_with_a_json_error()
    {
        Random random = new(2);
        string[] pods = [.. Golden.Rows("Patches/strategic").Select(r => r["original"]!.ToJsonString())];
        for (int i = 0; i < 5_000; i++)
        {
            string text = Damage(random, pods[random.Next(pods.Length)], "{}[],:\"01.nulltrue\\x\u00e9\u0000");
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            if (random.Next(4) == 0)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            Only<JsonException>(() => KubernetesJson.Deserialize<Pod>(bytes), text);
        }
    }

    [Fact]
    public void Damaged_patches_are_applied_or_refused_with_a_patch_error()
    {
        Random random = new(3);
        List<JsonObject> rows = [.. Golden.Rows("Patches/strategic"), .. Golden.Rows("Patches/directives")];
        for (int i = 0; i < 5_000; i++)
        {
            JsonObject row = rows[random.Next(rows.Count)];
            JsonObject original = row["original"]!.DeepClone().AsObject();
            JsonObject patch = row["patch"]!.DeepClone().AsObject();
            Replace(random, patch);
            if (random.Next(3) == 0)
                Replace(random, original);
            Only<PatchException>(() => StrategicMergePatch.Apply(original, patch, "v1", "Pod"), $"{original.ToJsonString()}\n{patch.ToJsonString()}");
            Only<PatchException>(() => StrategicMergePatch.Create(original, patch, "v1", "Pod"), $"{original.ToJsonString()}\n{patch.ToJsonString()}");
        }
    }

    private static void Only<T>(Func<object?> action, string input)
        where T : Exception
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is not T)
        {
            Assert.Fail($"{e}\ninput: {input}");
        }
        catch (T)
        {
            // Refused, as it should be.
        }
    }

    private static string Damage(Random random, string text, string alphabet)
    {
        StringBuilder result = new(text);
        for (int edits = random.Next(1, 5); edits > 0 && result.Length > 0; edits--)
        {
            int at = random.Next(result.Length);
            switch (random.Next(3))
            {
                case 0:
                    result.Remove(at, Math.Min(random.Next(1, 4), result.Length - at));
                    break;
                case 1:
                    result.Insert(at, alphabet[random.Next(alphabet.Length)]);
                    break;
                default:
                    result[at] = alphabet[random.Next(alphabet.Length)];
                    break;
            }
        }
        return result.ToString();
    }

    // Puts a value of another shape somewhere into the tree.
    private static void Replace(Random random, JsonObject root)
    {
        JsonNode node = root;
        while (true)
        {
            JsonNode? child = node switch
            {
                JsonObject { Count: > 0 } map => map.ElementAt(random.Next(map.Count)).Value,
                JsonArray { Count: > 0 } list => list[random.Next(list.Count)],
                _ => null,
            };
            if (child is JsonObject or JsonArray && random.Next(4) > 0)
            {
                node = child;
                continue;
            }
            JsonNode? value = JsonNode.Parse(Values[random.Next(Values.Length)]);
            if (node is JsonArray { Count: > 0 } items)
                items[random.Next(items.Count)] = value;
            else if (node is JsonObject fields)
                fields[fields.Count > 0 && random.Next(4) > 0 ? fields.ElementAt(random.Next(fields.Count)).Key : "$setElementOrder/containers"] = value;
            return;
        }
    }
}
