using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.StandIn.Requests;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>Keeps the number of pods of ReplicaSets and ReplicationControllers-like owners, and their status.</summary>
internal sealed class ReplicaSetController(ObjectWriter writer) : IController
{
    public IReadOnlyList<ResourceDefinition> Inputs { get; } = [ResourceTable.ReplicaSets, ResourceTable.Pods];

    public bool Ticks => false;

    public void Reconcile()
    {
        List<StoredObject> sets = writer.Store.List(ResourceTable.ReplicaSets);
        if (sets.Count == 0)
            return;
        List<StoredObject> pods = writer.Store.List(ResourceTable.Pods);
        ILookup<string?, StoredObject> owned = pods.ToLookup(p => p.ControllerUid());
        foreach (StoredObject set in sets)
        {
            List<StoredObject> mine = [.. owned[set.Uid], .. Adopt(set, owned[null])];
            if (!set.IsDeleting)
                Scale(set, [.. mine.Where(p => p.IsActive())]);
            Status(set, mine);
        }
    }

    private IEnumerable<StoredObject> Adopt(StoredObject set, IEnumerable<StoredObject> free)
    {
        LabelMatcher selector = Selectors.Of(set.Value.Map("spec", "selector"));
        foreach (StoredObject pod in free.Where(p => p.Namespace == set.Namespace && p.IsActive() && selector.Matches(p.Labels)).ToList())
            if (!set.IsDeleting && writer.Change(ResourceTable.Pods, pod.Namespace, pod.Name, value =>
                    value.Ensure("metadata")["ownerReferences"] = new JsonArray(set.OwnerReference())) is { } adopted)
                yield return adopted;
    }

    private void Scale(StoredObject set, List<StoredObject> active)
    {
        int wanted = (int)(set.Value.Number("spec", "replicas") ?? 1);
        try
        {
            for (int i = active.Count; i < wanted; i++)
                writer.Create(ResourceTable.Pods, set.Namespace, set.FromTemplate(set.Name + "-"));
        }
        catch (ApiError e)
        {
            // Missing service account, namespace going away: the next change of an input brings the next attempt.
            Console.Error.WriteLine($"replicaset {set.Namespace}/{set.Name}: {e.Message}");
        }
        // Unscheduled first, then not ready, then the youngest.
        foreach (StoredObject pod in active
            .OrderBy(p => string.IsNullOrEmpty(p.Value.Text("spec", "nodeName")) ? 0 : 1).ThenBy(p => p.IsReady() ? 1 : 0)
            .ThenByDescending(p => p.Value.Text("metadata", "creationTimestamp"), StringComparer.Ordinal).Take(Math.Max(0, active.Count - wanted)))
            writer.DeleteQuietly(pod);
    }

    private void Status(StoredObject set, List<StoredObject> mine)
    {
        List<StoredObject> active = [.. mine.Where(p => p.IsActive() && writer.Store.Get(ResourceTable.Pods, p.Namespace, p.Name) is { IsDeleting: false })];
        JsonObject status = new() { ["replicas"] = active.Count, ["fullyLabeledReplicas"] = active.Count };
        int ready = active.Count(p => p.IsReady());
        if (ready > 0)
        {
            status["readyReplicas"] = ready;
            status["availableReplicas"] = ready;
        }
        int terminating = mine.Count(p => p.IsDeleting && !p.IsFinished());
        if (terminating > 0)
            status["terminatingReplicas"] = terminating;
        status["observedGeneration"] = set.Value.Number("metadata", "generation") ?? 1;
        writer.Change(ResourceTable.ReplicaSets, set.Namespace, set.Name, value => value["status"] = status, "status");
    }
}
