using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>How many pods each PodDisruptionBudget can spare now.</summary>
internal sealed class DisruptionController(ObjectWriter writer) : IController
{
    public IReadOnlyList<ResourceDefinition> Inputs { get; } =
        [ResourceTable.PodDisruptionBudgets, ResourceTable.Pods, ResourceTable.ReplicaSets, ResourceTable.StatefulSets];

    public bool Ticks => false;

    public void Reconcile()
    {
        foreach (StoredObject budget in writer.Store.List(ResourceTable.PodDisruptionBudgets))
        {
            LabelMatcher selector = Selectors.Of(budget.Value.Map("spec", "selector"));
            List<StoredObject> pods = [.. writer.Store.List(ResourceTable.Pods, budget.Namespace).Where(p => selector.Matches(p.Labels) && !p.IsFinished())];
            int expected = Expected(pods);
            int healthy = pods.Count(p => p.IsReady() && !p.IsDeleting);
            JsonNode? spec = budget.Value.At("spec");
            int desired = spec.At("maxUnavailable") is { } unavailable
                ? Math.Max(0, expected - Share(unavailable, expected))
                : Share(spec.At("minAvailable") ?? JsonValue.Create(1), expected);
            int allowed = expected == 0 ? 0 : Math.Max(0, healthy - desired);
            Write(budget, expected, healthy, desired, allowed);
        }
    }

    private int Expected(List<StoredObject> pods)
    {
        int expected = pods.Count(p => p.ControllerUid() is null);
        foreach (IGrouping<string?, StoredObject> group in pods.Where(p => p.ControllerUid() is not null).GroupBy(p => p.ControllerUid()))
        {
            StoredObject? owner = writer.Store.List(ResourceTable.ReplicaSets).Concat(writer.Store.List(ResourceTable.StatefulSets)).FirstOrDefault(s => s.Uid == group.Key);
            expected += owner is null ? group.Count() : (int)(owner.Value.Number("spec", "replicas") ?? 1);
        }
        return expected;
    }

    private static int Share(JsonNode amount, int of) =>
        amount.Text() is { } percent ? (int)Math.Ceiling(of * double.Parse(percent.TrimEnd('%')) / 100) : (int)(amount.Number() ?? 0);

    private void Write(StoredObject budget, int expected, int healthy, int desired, int allowed)
    {
        bool enough = allowed > 0;
        JsonObject? old = budget.Value.Items("status", "conditions").Find(c => c.Text("type") == "DisruptionAllowed");
        string state = enough ? "True" : "False";
        JsonObject condition = old.Text("status") == state ? old!.Copy() : new JsonObject
        {
            ["type"] = "DisruptionAllowed",
            ["status"] = state,
            ["lastTransitionTime"] = writer.Now(),
            ["reason"] = enough ? "SufficientPods" : "InsufficientPods",
            ["message"] = "",
            ["observedGeneration"] = budget.Value.Number("metadata", "generation") ?? 1,
        };
        JsonObject status = new()
        {
            ["observedGeneration"] = budget.Value.Number("metadata", "generation") ?? 1,
            ["disruptionsAllowed"] = allowed,
            ["currentHealthy"] = healthy,
            ["desiredHealthy"] = desired,
            ["expectedPods"] = expected,
            ["conditions"] = new JsonArray(condition),
        };
        writer.Change(ResourceTable.PodDisruptionBudgets, budget.Namespace, budget.Name, value => value["status"] = status, "status");
    }
}
