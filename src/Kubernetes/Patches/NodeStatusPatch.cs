using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Patches;

/// <summary>
/// The patch of a node's status. Addresses are merged by type upstream, but a dual-stack node has two of one type, so a changed
/// list is sent whole (upstream: component-helpers/node/util/status.go).
/// </summary>
public static class NodeStatusPatch
{
    /// <summary>The strategic merge patch for metadata and status; the spec never changes. Empty when nothing does.</summary>
    public static JsonObject Create(Node original, Node modified)
    {
        ArgumentNullException.ThrowIfNull(original);
        ArgumentNullException.ThrowIfNull(modified);
        if (original.Status.Addresses.SequenceEqual(modified.Status.Addresses))
            return StrategicMergePatch.Create(original, modified with { Spec = original.Spec });
        JsonObject patch = StrategicMergePatch.Create(WithoutAddresses(original), WithoutAddresses(modified) with { Spec = original.Spec });
        JsonArray addresses = [.. modified.Status.Addresses.Select(KubernetesJson.SerializeToNode), new JsonObject { [PatchDirectives.Marker] = PatchDirectives.Replace }];
        if (patch["status"] is not JsonObject status)
            patch["status"] = status = [];
        status["addresses"] = addresses;
        return patch;
    }

    private static Node WithoutAddresses(Node node) => node with { Status = node.Status with { Addresses = [] } };
}
