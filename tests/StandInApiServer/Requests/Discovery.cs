using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Requests;

/// <summary>What the server says of itself: versions, groups, resources, and as much OpenAPI as kubectl apply needs.</summary>
internal static class Discovery
{
    private static readonly string[] Verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

    /// <summary>The answer for a path, or null when it is none of discovery's.</summary>
    public static JsonNode? Answer(string path)
    {
        string[] parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return parts switch
        {
            ["version"] => Version(),
            ["api"] => new JsonObject
            {
                ["kind"] = "APIVersions",
                ["versions"] = new JsonArray("v1"),
                ["serverAddressByClientCIDRs"] = new JsonArray(),
            },
            ["apis"] => new JsonObject { ["kind"] = "APIGroupList", ["apiVersion"] = "v1", ["groups"] = JsonAccess.ListOf(Groups().Select(Group)) },
            ["apis", { } group] when Groups().Contains(group) => Group(group),
            ["api", "v1"] => ResourceList("", "v1"),
            ["apis", { } group, { } version] when Versions(group).Contains(version) => ResourceList(group, version),
            ["openapi", "v3"] => OpenApiIndex(),
            ["openapi", "v3", "api", "v1"] => OpenApi("", "v1"),
            ["openapi", "v3", "apis", { } group, { } version] when Versions(group).Contains(version) => OpenApi(group, version),
            _ => null,
        };
    }

    private static JsonObject Version() => new()
    {
        ["major"] = "1",
        ["minor"] = "36",
        ["gitVersion"] = "v1.36.2",
        ["gitCommit"] = "",
        ["gitTreeState"] = "clean",
        ["buildDate"] = "1970-01-01T00:00:00Z",
        ["goVersion"] = "go1.26.0",
        ["compiler"] = "gc",
        ["platform"] = "linux/amd64",
    };

    private static List<string> Groups() =>
        [.. ResourceTable.All.Select(d => d.Type.Group).Where(g => g.Length > 0).Append("authentication.k8s.io").Append("authorization.k8s.io").Distinct()];

    private static List<string> Versions(string group)
    {
        if (group is "authentication.k8s.io" or "authorization.k8s.io")
            return ["v1"];
        return [.. ResourceTable.All.Where(d => d.Type.Group == group).Select(d => d.Type.Version).Distinct()];
    }

    private static JsonObject Group(string group)
    {
        JsonObject Entry(string version) => new() { ["groupVersion"] = $"{group}/{version}", ["version"] = version };
        List<string> versions = Versions(group);
        return new JsonObject
        {
            ["kind"] = "APIGroup",
            ["apiVersion"] = "v1",
            ["name"] = group,
            ["versions"] = JsonAccess.ListOf(versions.Select(Entry)),
            ["preferredVersion"] = Entry(versions[0]),
        };
    }

    private static JsonObject ResourceList(string group, string version)
    {
        JsonArray resources = [];
        foreach (ResourceDefinition definition in ResourceTable.All.Where(d => d.Type.Group == group && d.Type.Version == version))
        {
            resources.Add(Resource(definition, definition.Plural, definition.Kind, Verbs));
            foreach (string subresource in definition.Subresources)
                resources.Add(Subresource(definition, subresource));
        }
        foreach (string review in Reviews(group))
            resources.Add(new JsonObject
            {
                ["name"] = review.ToLowerInvariant() + "s",
                ["singularName"] = review.ToLowerInvariant(),
                ["namespaced"] = review == "LocalSubjectAccessReview",
                ["kind"] = review,
                ["verbs"] = new JsonArray("create"),
            });
        return new JsonObject
        {
            ["kind"] = "APIResourceList",
            ["apiVersion"] = "v1",
            ["groupVersion"] = group.Length == 0 ? version : $"{group}/{version}",
            ["resources"] = resources,
        };
    }

    private static string[] Reviews(string group) => group switch
    {
        "authentication.k8s.io" => ["TokenReview", "SelfSubjectReview"],
        "authorization.k8s.io" => ["SubjectAccessReview", "SelfSubjectAccessReview", "LocalSubjectAccessReview"],
        _ => [],
    };

    private static JsonObject Resource(ResourceDefinition definition, string name, string kind, string[] verbs)
    {
        JsonObject resource = new()
        {
            ["name"] = name,
            ["singularName"] = definition.Kind.ToLowerInvariant(),
            ["namespaced"] = definition.Namespaced,
            ["kind"] = kind,
            ["verbs"] = JsonAccess.ListOf(verbs),
        };
        if (definition.ShortNames.Count > 0)
            resource["shortNames"] = JsonAccess.ListOf(definition.ShortNames);
        if (definition.Categories.Count > 0)
            resource["categories"] = JsonAccess.ListOf(definition.Categories);
        return resource;
    }

    private static JsonObject Subresource(ResourceDefinition definition, string subresource)
    {
        (string kind, string group, string[] verbs) = subresource switch
        {
            "scale" => ("Scale", "autoscaling", new[] { "get", "patch", "update" }),
            "eviction" => ("Eviction", "policy", ["create"]),
            "binding" => ("Binding", "", ["create"]),
            "token" => ("TokenRequest", "authentication.k8s.io", ["create"]),
            "log" => (definition.Kind, "", ["get"]),
            "exec" or "attach" or "portforward" or "proxy" => (definition.Kind + char.ToUpperInvariant(subresource[0]) + subresource[1..] + "Options", "", ["create", "get"]),
            _ => (definition.Kind, definition.Type.Group, ["get", "patch", "update"]),
        };
        JsonObject resource = new()
        {
            ["name"] = $"{definition.Plural}/{subresource}",
            ["singularName"] = "",
            ["namespaced"] = definition.Namespaced,
            ["kind"] = kind,
            ["verbs"] = JsonAccess.ListOf(verbs),
        };
        if (group != definition.Type.Group)
        {
            resource["group"] = group;
            resource["version"] = "v1";
        }
        return resource;
    }

    private static JsonObject OpenApiIndex()
    {
        JsonObject paths = new() { ["api/v1"] = new JsonObject { ["serverRelativeURL"] = "/openapi/v3/api/v1?hash=1" } };
        foreach (string group in Groups())
            foreach (string version in Versions(group))
                paths[$"apis/{group}/{version}"] = new JsonObject { ["serverRelativeURL"] = $"/openapi/v3/apis/{group}/{version}?hash=1" };
        return new JsonObject { ["paths"] = paths };
    }

    // kubectl only asks here whether the server validates fields itself.
    private static JsonObject OpenApi(string group, string version)
    {
        JsonObject paths = [];
        foreach (ResourceDefinition definition in ResourceTable.All.Where(d => d.Type.Group == group && d.Type.Version == version))
        {
            ResourceType type = definition.Type;
            string path = $"{type.ApiPath}/{(type.Namespaced ? "namespaces/{namespace}/" : "")}{type.Plural}/{{name}}";
            paths[path] = new JsonObject
            {
                ["patch"] = new JsonObject
                {
                    ["parameters"] = new JsonArray(
                        new JsonObject { ["name"] = "fieldValidation", ["in"] = "query", ["schema"] = new JsonObject { ["type"] = "string" } },
                        new JsonObject { ["name"] = "dryRun", ["in"] = "query", ["schema"] = new JsonObject { ["type"] = "string" } }),
                    ["responses"] = new JsonObject { ["200"] = new JsonObject { ["description"] = "OK" } },
                    ["x-kubernetes-group-version-kind"] = new JsonObject { ["group"] = type.Group, ["version"] = type.Version, ["kind"] = type.Kind },
                },
            };
        }
        return new JsonObject
        {
            ["openapi"] = "3.0.0",
            ["info"] = new JsonObject { ["title"] = "Kubernetes", ["version"] = "v1.36.2" },
            ["paths"] = paths,
        };
    }
}
