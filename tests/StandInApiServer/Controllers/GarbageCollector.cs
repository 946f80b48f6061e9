using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>Deletes what has lost all its owners; ends foreground deletions when the dependents are gone.</summary>
internal sealed class GarbageCollector(ObjectWriter writer) : IController
{
    private long _seen;

    public IReadOnlyList<ResourceDefinition> Inputs { get; } = [.. ResourceTable.All.Where(d => d != ResourceTable.Events && d != ResourceTable.Leases)];

    public bool Ticks => false;

    public void Reconcile()
    {
        if (_seen == writer.Store.Revision)
            return;
        _seen = writer.Store.Revision;
        List<StoredObject> all = [.. ResourceTable.All.Where(d => d != ResourceTable.Events).SelectMany(d => writer.Store.List(d))];
        Dictionary<string, StoredObject> byUid = all.ToDictionary(o => o.Uid);
        foreach (StoredObject item in all)
        {
            List<JsonObject> owners = item.Value.Items("metadata", "ownerReferences");
            if (owners.Count == 0 || item.IsDeleting)
                continue;
            List<StoredObject?> found = [.. owners.Select(o => byUid.GetValueOrDefault(o.Text("uid") ?? ""))];
            bool orphan = found.TrueForAll(o => o is null);
            bool foreground = found.Exists(o => o is not null && IsForeground(o));
            if (orphan || foreground)
                writer.DeleteQuietly(item);
        }
        foreach (StoredObject owner in all.Where(IsForeground))
            if (!all.Exists(o => o.Value.Items("metadata", "ownerReferences").Exists(r => r.Text("uid") == owner.Uid)
                    && writer.Store.Get(o.Definition, o.Namespace, o.Name) is not null))
                writer.Change(owner.Definition, owner.Namespace, owner.Name, value => value.Ensure("metadata")["finalizers"] =
                    JsonAccess.ListOf(owner.Value.Texts("metadata", "finalizers").Where(f => f != "foregroundDeletion")));
    }

    private static bool IsForeground(StoredObject owner) => owner.IsDeleting && owner.Value.Texts("metadata", "finalizers").Contains("foregroundDeletion");
}
