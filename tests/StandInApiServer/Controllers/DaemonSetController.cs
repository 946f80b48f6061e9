using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>One pod of a DaemonSet on each node that its selectors allow; a changed template replaces pods one after the other.</summary>
internal sealed class DaemonSetController(ObjectWriter writer) : IController
{
    private const string GenerationLabel = "pod-template-generation";

    private static readonly string[] ToleratedKeys =
    [
        "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "node.kubernetes.io/disk-pressure", "node.kubernetes.io/memory-pressure",
        "node.kubernetes.io/pid-pressure", "node.kubernetes.io/unschedulable",
    ];

    public IReadOnlyList<ResourceDefinition> Inputs { get; } = [ResourceTable.DaemonSets, ResourceTable.Pods, ResourceTable.Nodes];

    public bool Ticks => false;

    public void Reconcile()
    {
        List<StoredObject> sets = writer.Store.List(ResourceTable.DaemonSets);
        if (sets.Count == 0)
            return;
        List<StoredObject> nodes = writer.Store.List(ResourceTable.Nodes);
        ILookup<string?, StoredObject> pods = writer.Store.List(ResourceTable.Pods).ToLookup(p => p.ControllerUid());
        foreach (StoredObject set in sets)
            Reconcile(set, nodes, [.. pods[set.Uid]]);
    }

    private void Reconcile(StoredObject set, List<StoredObject> nodes, List<StoredObject> pods)
    {
        string template = (set.Value.Number("metadata", "generation") ?? 1).ToString();
        Dictionary<string, string> selector = set.Value.Labels("spec", "template", "spec", "nodeSelector");
        int desired = 0, current = 0, ready = 0, updated = 0, replaced = 0;
        foreach (StoredObject node in nodes)
        {
            bool wanted = selector.All(pair => node.Labels.GetValueOrDefault(pair.Key) == pair.Value) && !HasForeignTaint(set, node);
            List<StoredObject> here = [.. pods.Where(p => TargetOf(p) == node.Name)];
            foreach (StoredObject finished in here.Where(p => p.IsFinished() && !p.IsDeleting))
                writer.DeleteQuietly(finished);
            here.RemoveAll(p => p.IsFinished());
            desired += wanted ? 1 : 0;
            current += wanted && here.Count > 0 ? 1 : 0;
            ready += here.Exists(p => p.IsReady() && p.IsActive()) ? 1 : 0;
            updated += here.Exists(p => p.Labels.GetValueOrDefault(GenerationLabel) == template) ? 1 : 0;
            if (set.IsDeleting)
                continue;
            if (wanted && here.Count == 0)
                writer.Create(ResourceTable.Pods, set.Namespace, PodFor(set, node.Name, template));
            else if (!wanted)
                here.ForEach(pod => writer.DeleteQuietly(pod));
            else if (replaced == 0 && set.Value.Text("spec", "updateStrategy", "type") != "OnDelete"
                && here.Find(p => p.IsActive() && p.Labels.GetValueOrDefault(GenerationLabel) != template) is { } outdated)
            {
                writer.DeleteQuietly(outdated);
                replaced++;
            }
        }
        JsonObject status = new()
        {
            ["currentNumberScheduled"] = current,
            ["numberMisscheduled"] = 0,
            ["desiredNumberScheduled"] = desired,
            ["numberReady"] = ready,
            ["observedGeneration"] = set.Value.Number("metadata", "generation") ?? 1,
            ["updatedNumberScheduled"] = updated,
            ["numberAvailable"] = ready,
        };
        if (desired > ready)
            status["numberUnavailable"] = desired - ready;
        writer.Change(ResourceTable.DaemonSets, set.Namespace, set.Name, value => value["status"] = status, "status");
    }

    private static bool HasForeignTaint(StoredObject set, StoredObject node)
    {
        List<JsonObject> tolerations = set.Value.Items("spec", "template", "spec", "tolerations");
        return node.Value.Items("spec", "taints").Exists(taint => taint.Text("effect") is "NoSchedule" or "NoExecute"
            && !ToleratedKeys.Contains(taint.Text("key")) && !tolerations.Exists(t => NodeRoom.Tolerates(t, taint)));
    }

    private static string? TargetOf(StoredObject pod) =>
        pod.Value.Text("spec", "nodeName");

    // The controller binds by itself: with one pod for each node there is nothing to choose.
    private static JsonObject PodFor(StoredObject set, string node, string template)
    {
        JsonObject pod = set.FromTemplate(set.Name + "-");
        pod.Ensure("metadata", "labels")[GenerationLabel] = template;
        JsonObject spec = pod.Ensure("spec");
        spec["nodeName"] = node;
        if (spec["tolerations"] is not JsonArray tolerations)
            spec["tolerations"] = tolerations = [];
        foreach (string key in ToleratedKeys)
            tolerations.Add(new JsonObject
            {
                ["key"] = key,
                ["operator"] = "Exists",
                ["effect"] = key is "node.kubernetes.io/not-ready" or "node.kubernetes.io/unreachable" ? "NoExecute" : "NoSchedule",
            });
        return pod;
    }
}
