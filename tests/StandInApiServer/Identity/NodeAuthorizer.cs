using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Identity;

/// <summary>
/// What a node may: its own objects and what its pods refer to (roughly upstream's Node authorizer and NodeRestriction admission).
/// </summary>
internal sealed class NodeAuthorizer(ObjectStore store)
{
    private static readonly string[] Reading = ["get", "list", "watch"];

    public bool Allows(string node, AccessRequest request) => request.Resource switch
    {
        "secrets" or "configmaps" => IsReferenced(node, request),
        "persistentvolumeclaims" => request.Subresource.Length == 0 ? IsReferenced(node, request) : request.Verb is "patch" or "update",
        "persistentvolumes" => request.Verb == "get",
        "serviceaccounts" => AllowsAccount(node, request),
        "pods" => AllowsPod(node, request),
        "nodes" => AllowsNode(node, request),
        "leases" => request.Namespace == "kube-node-lease" && (request.Name == node || request.Verb == "create"),
        "csinodes" => request.Name == node || request.Verb == "create",
        "services" or "endpoints" or "csidrivers" or "runtimeclasses" or "volumeattachments" or "clustertrustbundles" => Reading.Contains(request.Verb),
        "events" => request.Verb is "create" or "patch" or "update",
        "certificatesigningrequests" => request.Verb == "create" || Reading.Contains(request.Verb),
        "tokenreviews" or "subjectaccessreviews" or "localsubjectaccessreviews" => request.Verb == "create",
        "resourceclaims" => request.Verb == "get",
        "resourceslices" => true,
        "podcertificaterequests" => Reading.Contains(request.Verb) || request.Verb == "create",
        _ => false,
    };

    // A list or watch must name one object; it is allowed when one of the node's pods refers to it.
    private bool IsReferenced(string node, AccessRequest request)
    {
        if (!Reading.Contains(request.Verb))
            return false;
        string name = request.Name;
        const string byName = "metadata.name=";
        if (name.Length == 0 && request.FieldSelector.StartsWith(byName))
            name = request.FieldSelector[byName.Length..];
        return name.Length > 0 && PodsOf(node).Any(pod => pod.Namespace == request.Namespace && Refers(pod.Value.At("spec"), request.Resource, name));
    }

    private static bool Refers(JsonNode? spec, string resource, string name)
    {
        string[] fields = resource switch
        {
            "secrets" => ["secretName", "secretRef", "secretKeyRef", "secret", "imagePullSecrets", "nodePublishSecretRef"],
            "configmaps" => ["configMap", "configMapRef", "configMapKeyRef"],
            _ => ["persistentVolumeClaim"],
        };
        return spec switch
        {
            JsonObject map => map.Any(pair => (fields.Contains(pair.Key) && Names(pair.Value, name)) || Refers(pair.Value, resource, name)),
            JsonArray list => list.Any(item => Refers(item, resource, name)),
            _ => false,
        };
    }

    private static bool Names(JsonNode? reference, string name) => reference switch
    {
        JsonValue => reference.Text() == name,
        JsonArray list => list.Any(item => item.Text("name") == name),
        _ => reference.Text("name") == name || reference.Text("secretName") == name || reference.Text("claimName") == name,
    };

    private bool AllowsAccount(string node, AccessRequest request) =>
        (request.Verb == "get" && request.Subresource.Length == 0)
        || (request is { Subresource: "token", Verb: "create" } && PodsOf(node).Any(pod =>
            pod.Namespace == request.Namespace && (pod.Value.Text("spec", "serviceAccountName") ?? "default") == request.Name));

    private bool AllowsPod(string node, AccessRequest request) => request.Verb switch
    {
        "get" or "delete" => Owns(node, request) || (request.Verb == "get" && store.Get(ResourceTable.Pods, request.Namespace, request.Name) is null)
            || store.Get(ResourceTable.Pods, request.Namespace, request.Name) is null,
        "list" or "watch" => request.FieldSelector.Split(',').Contains($"spec.nodeName={node}"),
        "create" => request.Subresource is "" || (request.Subresource == "eviction" && Owns(node, request)),
        "patch" or "update" => request.Subresource == "status" && (Owns(node, request) || store.Get(ResourceTable.Pods, request.Namespace, request.Name) is null),
        _ => false,
    };

    private static bool AllowsNode(string node, AccessRequest request) => request.Verb switch
    {
        "create" => true,
        "get" or "patch" or "update" => request.Name == node,
        "list" or "watch" => request.FieldSelector == $"metadata.name={node}",
        // The kubelet asks whether a caller of its own API may; nothing for the node itself.
        _ => false,
    };

    private bool Owns(string node, AccessRequest request) =>
        store.Get(ResourceTable.Pods, request.Namespace, request.Name)?.Value.Text("spec", "nodeName") == node;

    private IEnumerable<StoredObject> PodsOf(string node) => store.List(ResourceTable.Pods).Where(pod => pod.Value.Text("spec", "nodeName") == node);
}
