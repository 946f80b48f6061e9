using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using NodeAgent.Kubernetes.Patches;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Tests.Patches;

public class StrategicMergePatchTests
{
    [Fact]
    public void Created_patches_are_the_ones_the_go_library_creates()
    {
        foreach (JsonObject row in Golden.Rows("Patches/strategic"))
            Golden.Same(row["patch"], StrategicMergePatch.Create(Part(row, "original"), Part(row, "modified"), "v1", "Pod"),
                $"from {row["original"]!.ToJsonString()}\nto   {row["modified"]!.ToJsonString()}");
    }

    [Fact]
    public void Patches_apply_as_with_the_go_library()
    {
        foreach (JsonObject row in Golden.Rows("Patches/strategic"))
        {
            string patch = row["patch"]!.ToJsonString();
            Golden.Same(row["applied"], StrategicMergePatch.Apply(Part(row, "original"), Part(row, "patch"), "v1", "Pod"), patch);
            if (row["appliedToOther"] is { } expected)
                Golden.Same(expected, StrategicMergePatch.Apply(Part(row, "other"), Part(row, "patch"), "v1", "Pod"),
                    $"{patch}\non {row["other"]!.ToJsonString()}");
        }
    }

    [Fact]
    public void Directives_written_by_hand_act_as_with_the_go_library()
    {
        foreach (JsonObject row in Golden.Rows("Patches/directives"))
        {
            string patch = row["patch"]!.ToJsonString();
            if (row.ContainsKey("error"))
                Assert.Throws<PatchException>(() => StrategicMergePatch.Apply(Part(row, "original"), Part(row, "patch"), "v1", "Pod"));
            else
                Golden.Same(row["applied"], StrategicMergePatch.Apply(Part(row, "original"), Part(row, "patch"), "v1", "Pod"), patch);
        }
    }

    [Fact]
    public void Applying_a_created_patch_gives_the_modified_object() =>
        Prop.ForAll(Arb.From(RandomPods.Pods), Arb.From(RandomPods.Pods), (original, modified) =>
        {
            JsonObject before = KubernetesJson.SerializeToNode(original);
            JsonObject after = KubernetesJson.SerializeToNode(modified);
            JsonObject patch = StrategicMergePatch.Create(before, after, "v1", "Pod");
            return JsonNode.DeepEquals(after, StrategicMergePatch.Apply(before, patch, "v1", "Pod"));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Equal_objects_give_an_empty_patch() =>
        Prop.ForAll(Arb.From(RandomPods.Pods), pod => StrategicMergePatch.Create(pod, pod).Count == 0).QuickCheckThrowOnFailure();

    [Fact]
    public void The_arguments_stay_as_they_are()
    {
        JsonObject row = Golden.Rows("Patches/strategic")[0];
        string before = row.ToJsonString();
        StrategicMergePatch.Create(Part(row, "original"), Part(row, "modified"), "v1", "Pod");
        StrategicMergePatch.Apply(Part(row, "original"), Part(row, "patch"), "v1", "Pod");
        Assert.Equal(before, row.ToJsonString());
    }

    [Fact]
    public void A_kind_without_facts_is_refused_by_name() =>
        Assert.Contains("apps/v1 Deployment", Assert.Throws<PatchException>(() => StrategicMergePatch.Create([], [], "apps/v1", "Deployment")).Message, StringComparison.Ordinal);

    [Fact]
    public void A_replaced_list_of_node_addresses_keeps_two_of_one_type()
    {
        JsonObject node = JsonNode.Parse("""{"status":{"addresses":[{"type":"InternalIP","address":"1.1.1.1"}]}}""")!.AsObject();
        JsonObject patch = JsonNode.Parse(
            """{"status":{"addresses":[{"type":"InternalIP","address":"1.1.1.1"},{"type":"InternalIP","address":"fd00::1"},{"$patch":"replace"}]}}""")!.AsObject();
        Golden.Same(
            JsonNode.Parse("""{"status":{"addresses":[{"type":"InternalIP","address":"1.1.1.1"},{"type":"InternalIP","address":"fd00::1"}]}}"""),
            StrategicMergePatch.Apply(node, patch, "v1", "Node"), "addresses");
    }

    private static JsonObject Part(JsonObject row, string name) => row[name]!.AsObject();
}
