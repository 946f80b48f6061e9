using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Identity;

/// <summary>
/// May they? system:masters may everything; nodes what <see cref="NodeAuthorizer"/> says; everybody else what the built-in roles and
/// the stored RBAC objects say.
/// </summary>
internal sealed class Authorizer(ObjectStore store)
{
    private static readonly (string Subject, string Verbs, string Group, string Resources)[] BuiltIn =
    [
        ("system:authenticated", "create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
        ("system:authenticated", "create", "authentication.k8s.io", "selfsubjectreviews"),
        ("system:bootstrappers", "create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
        ("system:bootstrappers", "get", "", "nodes"),
        ("system:kube-proxy", "list watch get", "", "services endpoints nodes"),
        ("system:kube-proxy", "list watch", "discovery.k8s.io", "endpointslices"),
        ("system:kube-proxy", "list watch", "networking.k8s.io", "servicecidrs"),
        ("system:kube-proxy", "create patch update", "", "events"),
        ("system:kube-proxy", "create patch update", "events.k8s.io", "events"),
        ("system:serviceaccount:kube-system:kube-proxy", "list watch get", "", "services endpoints nodes"),
        ("system:serviceaccount:kube-system:kube-proxy", "list watch", "discovery.k8s.io", "endpointslices"),
    ];

    private readonly NodeAuthorizer _nodes = new(store);

    public bool Allows(AccessRequest request)
    {
        if (request.User.IsMaster)
            return true;
        if (request.Path is { } path && IsPublic(path, request))
            return true;
        if (request.Path is null && request.User.NodeName is { } node && _nodes.Allows(node, request))
            return true;
        return AllowsBuiltIn(request) || AllowsByRoles(request);
    }

    public static string Describe(AccessRequest request)
    {
        if (request.Path is { } path)
            return $"User \"{request.User.Name}\" cannot {request.Verb} path \"{path}\"";
        string scope = request.Namespace.Length == 0 ? "at the cluster scope" : $"in the namespace \"{request.Namespace}\"";
        return $"User \"{request.User.Name}\" cannot {request.Verb} resource \"{request.FullResource}\" in API group \"{request.Group}\" {scope}";
    }

    private static bool IsPublic(string path, AccessRequest request) =>
        path is "/healthz" or "/livez" or "/readyz" or "/version" or "/version/"
        || path.StartsWith("/livez/") || path.StartsWith("/readyz/") || path.StartsWith("/healthz/")
        || (request.User != UserInfo.Anonymous && request.Verb == "get"
            && (path is "/api" or "/apis" or "/openapi" or "/api/" or "/apis/" || path.StartsWith("/api/") || path.StartsWith("/apis/")
                || path.StartsWith("/openapi/") || path.StartsWith("/.well-known/")));

    private static bool AllowsBuiltIn(AccessRequest request)
    {
        if (request.Path is not null)
            return false;
        foreach ((string subject, string verbs, string group, string resources) in BuiltIn)
            if ((request.User.Name == subject || request.User.Groups.Contains(subject)) && request.Group == group
                && verbs.Split(' ').Contains(request.Verb) && resources.Split(' ').Contains(request.FullResource))
                return true;
        return request is { Resource: "configmaps", Verb: "get", Namespace: "kube-public", Name: "cluster-info" };
    }

    private bool AllowsByRoles(AccessRequest request) =>
        store.List(ResourceTable.ClusterRoleBindings).Exists(binding => Grants(binding, request))
        || (request.Namespace.Length > 0 && store.List(ResourceTable.RoleBindings, request.Namespace).Exists(binding => Grants(binding, request)));

    private bool Grants(StoredObject binding, AccessRequest request)
    {
        if (!binding.Value.Items("subjects").Exists(subject => IsSubject(subject, request.User)))
            return false;
        string name = binding.Value.Text("roleRef", "name") ?? "";
        if (name == "cluster-admin")
            return true;
        StoredObject? role = binding.Value.Text("roleRef", "kind") == "Role"
            ? store.Get(ResourceTable.Roles, binding.Namespace, name)
            : store.Get(ResourceTable.ClusterRoles, "", name);
        return role is not null && role.Value.Items("rules").Exists(rule => Covers(rule, request));
    }

    private static bool IsSubject(JsonObject subject, UserInfo user) => subject.Text("kind") switch
    {
        "User" => subject.Text("name") == user.Name,
        "Group" => user.Groups.Contains(subject.Text("name") ?? ""),
        "ServiceAccount" => user.Name == $"system:serviceaccount:{subject.Text("namespace")}:{subject.Text("name")}",
        _ => false,
    };

    private static bool Covers(JsonObject rule, AccessRequest request)
    {
        static bool Has(List<string> list, string value) => list.Contains("*") || list.Contains(value);
        if (!Has(rule.Texts("verbs"), request.Verb))
            return false;
        if (request.Path is { } path)
            return rule.Texts("nonResourceURLs").Exists(url => url == path || url == "*" || (url.EndsWith('*') && path.StartsWith(url[..^1])));
        List<string> resources = rule.Texts("resources"), names = rule.Texts("resourceNames");
        return Has(rule.Texts("apiGroups"), request.Group)
            && (Has(resources, request.FullResource) || (request.Subresource.Length > 0 && resources.Contains($"*/{request.Subresource}")))
            && (names.Count == 0 || names.Contains(request.Name));
    }
}
