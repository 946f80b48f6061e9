using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>What controllers ask of pods.</summary>
internal static class PodFacts
{
    public static bool IsReady(this StoredObject pod) => Condition(pod, "Ready") == "True";

    public static bool IsFinished(this StoredObject pod) => pod.Value.Text("status", "phase") is "Succeeded" or "Failed";

    public static bool IsActive(this StoredObject pod) => !pod.IsFinished() && !pod.IsDeleting;

    public static string? Condition(StoredObject pod, string type) => pod.Value.Items("status", "conditions").Find(c => c.Text("type") == type)?.Text("status");

    public static string? ControllerUid(this StoredObject item) =>
        item.Value.Items("metadata", "ownerReferences").Find(o => o.Flag("controller") == true)?.Text("uid");

    public static JsonObject OwnerReference(this StoredObject owner) => new()
    {
        ["apiVersion"] = owner.Definition.Type.ApiVersion,
        ["kind"] = owner.Definition.Kind,
        ["name"] = owner.Name,
        ["uid"] = owner.Uid,
        ["controller"] = true,
        ["blockOwnerDeletion"] = true,
    };

    /// <summary>A pod from the owner's template.</summary>
    public static JsonObject FromTemplate(this StoredObject owner, string generateName)
    {
        JsonObject template = owner.Value.Map("spec", "template") ?? [];
        JsonObject pod = new()
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Pod",
            ["metadata"] = template.Map("metadata")?.Copy() ?? [],
            ["spec"] = template.Map("spec")?.Copy() ?? [],
        };
        JsonObject metadata = pod.Ensure("metadata");
        metadata.Remove("creationTimestamp");
        metadata.Remove("name");
        metadata["generateName"] = generateName;
        metadata["ownerReferences"] = new JsonArray(owner.OwnerReference());
        return pod;
    }
}
