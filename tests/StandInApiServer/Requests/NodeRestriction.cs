using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Requests;

/// <summary>What a node may not create although it may create the kind (upstream: plugin/pkg/admission/noderestriction).</summary>
internal static class NodeRestriction
{
    public static void CheckCreate(ResourceDefinition definition, JsonObject value, string node)
    {
        string name = value.Text("metadata", "name") ?? "";
        if (definition == ResourceTable.Pods)
        {
            if (value.Text("metadata", "annotations", "kubernetes.io/config.mirror") is null)
                throw ApiError.Forbidden(definition, name, $"pod does not have \"kubernetes.io/config.mirror\" annotation, node \"{node}\" can only create mirror pods");
            if (value.Text("spec", "nodeName") != node)
                throw ApiError.Forbidden(definition, name, $"node \"{node}\" can only create pods with spec.nodeName set to itself");
        }
        if ((definition == ResourceTable.Nodes || definition == ResourceTable.Leases || definition.Kind == "CSINode") && name != node)
            throw ApiError.Forbidden(definition, name, $"node \"{node}\" is not allowed to modify {definition.Plural} \"{name}\"");
        if (definition != ResourceTable.Nodes)
            return;
        foreach (string label in value.Labels("metadata", "labels").Keys)
            if (label.StartsWith("node-restriction.kubernetes.io/") || label.StartsWith("node-role.kubernetes.io/"))
                throw ApiError.Forbidden(definition, name, $"is not allowed to set the following labels: {label}");
    }
}
