using System.Globalization;
using System.Text.Json.Nodes;
using NodeAgent.StandIn.Requests;

namespace NodeAgent.StandIn.Storage;

/// <summary>Deletion: grace periods of pods, finalizers, propagation.</summary>
internal sealed partial class ObjectWriter
{
    /// <summary>
    /// Deletes, or begins to. <paramref name="gone"/> tells whether the object has been removed; the answer is its last state.
    /// </summary>
    public StoredObject Delete(ResourceDefinition definition, string? namespaceName, string name, JsonObject? options, out bool gone, bool dryRun = false)
    {
        lock (store.Gate)
        {
            StoredObject current = store.Get(definition, namespaceName, name) ?? throw ApiError.NotFound(definition, name);
            CheckPreconditions(current, options);
            gone = true;
            if (dryRun)
                return current;
            current = Propagate(current, options.Text("propagationPolicy"));
            long grace = GraceOf(current, options);
            bool held = grace > 0 || current.Value.Texts("metadata", "finalizers").Count > 0 || definition == ResourceTable.Namespaces;
            if (!held)
                return store.Remove(definition, namespaceName, name)!;
            gone = false;
            return Mark(current, grace);
        }
    }

    public void DeleteQuietly(StoredObject target, long? grace = null)
    {
        lock (store.Gate)
            if (store.Get(target.Definition, target.Namespace, target.Name)?.Uid == target.Uid)
                Delete(target.Definition, target.Namespace, target.Name, grace is null ? null : new JsonObject { ["gracePeriodSeconds"] = grace }, out _);
    }

    private static void CheckPreconditions(StoredObject current, JsonObject? options)
    {
        if (options.Text("preconditions", "uid") is { } uid && uid != current.Uid)
            throw ApiError.Conflict(
                current.Definition, current.Name, $"Precondition failed: UID in precondition: {uid}, UID in object meta: {current.Uid}");
        if (options.Text("preconditions", "resourceVersion") is { } version && version != current.Value.Text("metadata", "resourceVersion"))
            throw ApiError.Conflict(
                current.Definition, current.Name,
                $"Precondition failed: ResourceVersion in precondition: {version}, ResourceVersion in object meta: {current.ResourceVersion}");
    }

    private static long GraceOf(StoredObject current, JsonObject? options)
    {
        if (current.Definition != ResourceTable.Pods)
            return 0;
        if (string.IsNullOrEmpty(current.Value.Text("spec", "nodeName")) || current.Value.Text("status", "phase") is "Succeeded" or "Failed")
            return 0;
        long grace = options.Number("gracePeriodSeconds") ?? current.Value.Number("spec", "terminationGracePeriodSeconds") ?? 30;
        if (grace < 0)
            grace = 1;
        // A deletion under way is only ever shortened.
        return current.IsDeleting ? Math.Min(grace, current.Value.Number("metadata", "deletionGracePeriodSeconds") ?? grace) : grace;
    }

    private StoredObject Mark(StoredObject current, long grace)
    {
        if (current.IsDeleting && (current.Value.Number("metadata", "deletionGracePeriodSeconds") ?? 0) <= grace)
            return current;
        JsonObject next = current.Value.Copy();
        JsonObject metadata = next.Ensure("metadata");
        DateTimeOffset asked = current.IsDeleting
            ? DateTimeOffset.Parse(metadata.Text("deletionTimestamp")!, CultureInfo.InvariantCulture)
                .AddSeconds(-(metadata.Number("deletionGracePeriodSeconds") ?? 0))
            : time.GetUtcNow();
        metadata["deletionTimestamp"] = TimeText(asked.AddSeconds(grace));
        if (current.Definition == ResourceTable.Namespaces)
            next.Ensure("status")["phase"] = "Terminating";
        else
            metadata["deletionGracePeriodSeconds"] = grace;
        if (metadata.Number("generation") is { } generation)
            metadata["generation"] = generation + 1;
        return store.Put(current.Definition, next);
    }

    private StoredObject Propagate(StoredObject current, string? policy)
    {
        string? finalizer = policy switch { "Foreground" => "foregroundDeletion", "Orphan" => "orphan", _ => null };
        if (finalizer == "orphan")
            Orphan(current);
        if (finalizer != "foregroundDeletion" || current.Value.Texts("metadata", "finalizers").Contains(finalizer))
            return current;
        JsonObject next = current.Value.Copy();
        next.Ensure("metadata")["finalizers"] = JsonAccess.ListOf([.. current.Value.Texts("metadata", "finalizers"), finalizer]);
        return store.Put(current.Definition, next);
    }

    private void Orphan(StoredObject owner)
    {
        foreach (ResourceDefinition definition in ResourceTable.All)
            foreach (StoredObject dependent in store.List(definition))
            {
                List<JsonObject> owners = dependent.Value.Items("metadata", "ownerReferences");
                if (owners.TrueForAll(o => o.Text("uid") != owner.Uid))
                    continue;
                JsonObject next = dependent.Value.Copy();
                next.Ensure("metadata")["ownerReferences"] =
                    JsonAccess.ListOf(owners.Where(o => o.Text("uid") != owner.Uid).Select(o => o.DeepClone()));
                store.Put(definition, next);
            }
    }

    // An object that waits for its finalizers goes with the last of them.
    private StoredObject? FinishDeletion(StoredObject current, JsonObject merged)
    {
        bool ready = current.IsDeleting && current.Definition != ResourceTable.Namespaces
            && merged.Texts("metadata", "finalizers").Count == 0
            && current.Value.Texts("metadata", "finalizers").Count > 0
            && (merged.Number("metadata", "deletionGracePeriodSeconds") ?? 0) == 0;
        if (!ready)
            return null;
        store.Put(current.Definition, merged);
        return store.Remove(current.Definition, current.Namespace, current.Name);
    }
}
