using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>Empties namespaces that are being deleted, then lets them go. Pods get their grace period; secrets wait for them.</summary>
internal sealed class NamespaceController(ObjectWriter writer) : IController
{
    public IReadOnlyList<ResourceDefinition> Inputs { get; } =
        [ResourceTable.Namespaces, .. ResourceTable.All.Where(d => d.Namespaced && d != ResourceTable.Events && d != ResourceTable.Leases)];

    public bool Ticks => false;

    public void Reconcile()
    {
        foreach (StoredObject home in writer.Store.List(ResourceTable.Namespaces).Where(n => n.IsDeleting))
        {
            bool empty = true;
            foreach (ResourceDefinition definition in ResourceTable.All.Where(d => d.Namespaced))
                foreach (StoredObject item in writer.Store.List(definition, home.Name))
                {
                    if (!item.IsDeleting)
                        writer.DeleteQuietly(item);
                    empty &= writer.Store.Get(definition, home.Name, item.Name) is null;
                }
            if (!empty)
                continue;
            JsonObject? spec = home.Value.Map("spec");
            if (spec.Texts("finalizers").Exists(f => f != "kubernetes") || home.Value.Texts("metadata", "finalizers").Count > 0)
                continue;
            writer.Store.Remove(ResourceTable.Namespaces, "", home.Name);
        }
    }
}
