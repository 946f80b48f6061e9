using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NodeAgent.StandIn.Admission;
using NodeAgent.StandIn.Requests;

namespace NodeAgent.StandIn.Storage;

/// <summary>
/// The rules that every write keeps, whoever writes: names, versions, preconditions, generation, status and spec apart, admission.
/// Each call holds the store's gate.
/// </summary>
internal sealed partial class ObjectWriter(ObjectStore store, AdmissionChain admission, TimeProvider time)
{
    public ObjectStore Store => store;

    public string Now() => TimeText(time.GetUtcNow());

    public static string TimeText(DateTimeOffset instant) => instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'");

    public StoredObject Create(ResourceDefinition definition, string? namespaceName, JsonObject value, bool dryRun = false)
    {
        lock (store.Gate)
        {
            value["apiVersion"] = definition.Type.ApiVersion;
            value["kind"] = definition.Kind;
            JsonObject metadata = value.Ensure("metadata");
            string name = NameOf(metadata);
            CheckNamespace(definition, namespaceName, metadata, name);
            CheckName(definition, name);
            if (!string.IsNullOrEmpty(metadata.Text("resourceVersion")) && metadata.Text("resourceVersion") != "0")
                throw new ApiError(500, "InternalError", "resourceVersion should not be set on objects to be created");
            if (store.Get(definition, namespaceName, name) is not null)
                throw ApiError.AlreadyExists(definition, name);
            foreach (string field in new[] { "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink" })
                metadata.Remove(field);
            metadata["name"] = name;
            metadata["uid"] = Guid.NewGuid().ToString();
            metadata["creationTimestamp"] = Now();
            if (definition.HasGeneration)
                metadata["generation"] = 1;
            if (definition.HasStatus && definition != ResourceTable.Nodes)
                value.Remove("status");
            admission.OnCreate(definition, value);
            return dryRun ? new StoredObject(definition, value) : store.Put(definition, value);
        }
    }

    /// <summary>Replaces the object, or the part of it that the subresource stands for.</summary>
    public StoredObject Update(ResourceDefinition definition, string? namespaceName, string name, JsonObject value, string? subresource = null, bool dryRun = false)
    {
        lock (store.Gate)
        {
            StoredObject current = store.Get(definition, namespaceName, name) ?? throw ApiError.NotFound(definition, name);
            JsonObject next = value.Copy();
            CheckIdentity(current, next);
            JsonObject merged = Merge(current, next, subresource);
            if (JsonNode.DeepEquals(merged, current.Value))
                return current;
            admission.OnUpdate(definition, current.Value, merged, subresource);
            CountGeneration(current, merged);
            if (dryRun)
                return new StoredObject(definition, merged);
            StoredObject? finished = FinishDeletion(current, merged);
            return finished ?? store.Put(definition, merged);
        }
    }

    /// <summary>Changes the newest version by a function on a copy of it; does nothing when the object is gone.</summary>
    public StoredObject? Change(ResourceDefinition definition, string? namespaceName, string name, Action<JsonObject> change, string? subresource = null)
    {
        lock (store.Gate)
        {
            if (store.Get(definition, namespaceName, name) is not { } current)
                return null;
            JsonObject next = current.Value.Copy();
            change(next);
            return Update(definition, namespaceName, name, next, subresource);
        }
    }

    public StoredObject Patch(ResourceDefinition definition, string? namespaceName, string name, Func<JsonObject, JsonObject> patch, string? subresource, bool dryRun)
    {
        lock (store.Gate)
        {
            StoredObject current = store.Get(definition, namespaceName, name) ?? throw ApiError.NotFound(definition, name);
            return Update(definition, namespaceName, name, patch(current.Value), subresource, dryRun);
        }
    }

    private static void CheckIdentity(StoredObject current, JsonObject next)
    {
        string? uid = next.Text("metadata", "uid");
        if (!string.IsNullOrEmpty(uid) && uid != current.Uid)
            throw ApiError.Conflict(current.Definition, current.Name, $"Precondition failed: UID in precondition: {uid}, UID in object meta: {current.Uid}");
        string? version = next.Text("metadata", "resourceVersion");
        bool absent = string.IsNullOrEmpty(version) || version == "0";
        if (absent && (current.Definition == ResourceTable.Leases || current.Definition == ResourceTable.EndpointSlices))
            throw ApiError.Invalid(current.Definition, current.Name, "metadata.resourceVersion", "Invalid value: 0: must be specified for an update");
        if (!absent && version != current.Value.Text("metadata", "resourceVersion"))
            throw ApiError.Modified(current.Definition, current.Name);
        if (next.Text("metadata", "name") is { } name && name != current.Name)
            throw ApiError.BadRequest($"the name of the object ({name}) does not match the name on the URL ({current.Name})");
    }

    private static JsonObject Merge(StoredObject current, JsonObject next, string? subresource)
    {
        ResourceDefinition definition = current.Definition;
        JsonObject old = current.Value;
        JsonObject merged;
        if (subresource is null)
        {
            merged = next;
            if (definition.HasStatus)
                Restore(merged, old, "status");
        }
        else
        {
            merged = old.Copy();
            Restore(merged, next, subresource is "status" or "approval" ? "status" : "spec");
            if (subresource == "status" && (definition == ResourceTable.Pods || definition == ResourceTable.Nodes))
                foreach (string field in new[] { "labels", "annotations", "finalizers" })
                    Restore(merged.Ensure("metadata"), next.Map("metadata") ?? [], field);
        }
        merged["apiVersion"] = definition.Type.ApiVersion;
        merged["kind"] = definition.Kind;
        JsonObject metadata = merged.Ensure("metadata");
        metadata.Remove("managedFields");
        foreach (string field in new[]
        {
            "name", "namespace", "uid", "generateName", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
            "resourceVersion",
        })
            Restore(metadata, old.Map("metadata")!, field);
        foreach (string field in new[] { "labels", "annotations", "finalizers", "ownerReferences" })
            if (metadata[field] is JsonObject { Count: 0 } or JsonArray { Count: 0 } || (metadata.ContainsKey(field) && metadata[field] is null))
                metadata.Remove(field);
        return merged;
    }

    private static void Restore(JsonObject target, JsonObject source, string field)
    {
        if (source[field] is { } value)
            target[field] = value.DeepClone();
        else
            target.Remove(field);
    }

    private static void CountGeneration(StoredObject current, JsonObject merged)
    {
        if (!current.Definition.HasGeneration)
            return;
        foreach ((string field, JsonNode? value) in merged)
            if (field is not ("metadata" or "status") && !JsonNode.DeepEquals(value, current.Value[field]))
            {
                merged.Ensure("metadata")["generation"] = (current.Value.Number("metadata", "generation") ?? 0) + 1;
                return;
            }
    }

    private static string NameOf(JsonObject metadata)
    {
        string name = metadata.Text("name") ?? "";
        string prefix = metadata.Text("generateName") ?? "";
        if (name.Length > 0 || prefix.Length == 0)
            return name;
        return (prefix.Length > 58 ? prefix[..58] : prefix) + RandomSuffix(5);
    }

    public static string RandomSuffix(int length) => RandomNumberGenerator.GetString("bcdfghjklmnpqrstvwxz2456789", length);

    private static void CheckName(ResourceDefinition definition, string name)
    {
        if (name.Length == 0)
            throw ApiError.Invalid(definition, "", "metadata.name", "Required value: name or generateName is required");
        bool loose = definition.Type.Group == "rbac.authorization.k8s.io";
        if (loose ? name.Contains('/') || name.Contains('%') || name is "." or ".." : name.Length > 253 || !Subdomain().IsMatch(name))
            throw ApiError.Invalid(
                definition, name, "metadata.name",
                $"Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character");
    }

    private void CheckNamespace(ResourceDefinition definition, string? namespaceName, JsonObject metadata, string name)
    {
        if (!definition.Namespaced)
        {
            metadata.Remove("namespace");
            return;
        }
        if (metadata.Text("namespace") is { Length: > 0 } stated && stated != namespaceName)
            throw ApiError.BadRequest($"the namespace of the provided object does not match the namespace sent on the request");
        metadata["namespace"] = namespaceName;
        StoredObject home = store.Get(ResourceTable.Namespaces, "", namespaceName ?? "") ?? throw ApiError.NotFound(ResourceTable.Namespaces, namespaceName ?? "");
        if (!home.IsDeleting)
            return;
        ApiError error = ApiError.Forbidden(definition, name, $"unable to create new content in namespace {namespaceName} because it is being terminated");
        error.Details!["causes"] = new JsonArray(new JsonObject
        {
            ["reason"] = "NamespaceTerminating",
            ["message"] = $"namespace {namespaceName} is being terminated",
            ["field"] = "metadata.namespace",
        });
        throw error;
    }

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")]
    private static partial Regex Subdomain();
}
