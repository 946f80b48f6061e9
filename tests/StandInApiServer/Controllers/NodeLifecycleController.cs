using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>
/// Judges nodes by their leases and conditions: a stale lease makes Ready Unknown; taints follow Ready and the pressure conditions;
/// pods that do not tolerate the NoExecute ones are deleted in time. Gives each node a pod CIDR.
/// </summary>
internal sealed class NodeLifecycleController(ObjectWriter writer, TimeProvider time, TimeSpan gracePeriod) : IController
{
    private static readonly (string Condition, string Bad, string Taint)[] PressureTaints =
    [
        ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"), ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
        ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"), ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
    ];

    // When each lease was last seen to change, by our own clock: the node's may be off.
    private readonly Dictionary<string, (string Renewal, long Seen)> _leases = [];

    public IReadOnlyList<ResourceDefinition> Inputs { get; } = [ResourceTable.Nodes, ResourceTable.Leases];

    public bool Ticks => true;

    public void Reconcile()
    {
        List<StoredObject> nodes = writer.Store.List(ResourceTable.Nodes);
        foreach (StoredObject node in nodes)
        {
            PodRange(node);
            if (IsStale(node))
                MarkUnknown(node);
            if (writer.Store.Get(ResourceTable.Nodes, "", node.Name) is { } judged)
                Taint(judged);
        }
        Evict();
        RemoveOrphans(nodes);
    }

    private bool IsStale(StoredObject node)
    {
        StoredObject? lease = writer.Store.Get(ResourceTable.Leases, "kube-node-lease", node.Name);
        string renewal = lease?.Value.Text("spec", "renewTime") ?? $"none {Condition(node, "Ready").Text("lastHeartbeatTime")}";
        long now = time.GetTimestamp();
        if (!_leases.TryGetValue(node.Name, out (string Renewal, long Seen) last) || last.Renewal != renewal)
            _leases[node.Name] = last = (renewal, now);
        return time.GetElapsedTime(last.Seen, now) > gracePeriod;
    }

    private static JsonObject? Condition(StoredObject node, string type) => node.Value.Items("status", "conditions").Find(c => c.Text("type") == type);

    private void MarkUnknown(StoredObject node)
    {
        if (Condition(node, "Ready").Text("status") == "Unknown")
            return;
        writer.Change(ResourceTable.Nodes, "", node.Name, value =>
        {
            foreach (JsonObject condition in value.Items("status", "conditions"))
            {
                if (condition.Text("type") is not ("Ready" or "MemoryPressure" or "DiskPressure" or "PIDPressure"))
                    continue;
                condition["status"] = "Unknown";
                condition["reason"] = "NodeStatusUnknown";
                condition["message"] = "Kubelet stopped posting node status.";
                condition["lastTransitionTime"] = writer.Now();
            }
        }, "status");
        foreach (StoredObject pod in writer.Store.List(ResourceTable.Pods).Where(p => p.Value.Text("spec", "nodeName") == node.Name && p.IsReady()))
            writer.Change(ResourceTable.Pods, pod.Namespace, pod.Name, value =>
            {
                JsonObject ready = value.Items("status", "conditions").First(c => c.Text("type") == "Ready");
                ready["status"] = "False";
                ready["lastTransitionTime"] = writer.Now();
            }, "status");
    }

    private void Taint(StoredObject node)
    {
        string ready = Condition(node, "Ready").Text("status") ?? "Unknown";
        List<(string Key, string Effect)> wanted = [];
        foreach (string effect in new[] { "NoSchedule", "NoExecute" })
            if (ready != "True")
                wanted.Add((ready == "False" ? "node.kubernetes.io/not-ready" : "node.kubernetes.io/unreachable", effect));
        foreach ((string condition, string bad, string taint) in PressureTaints)
            if (Condition(node, condition).Text("status") == bad)
                wanted.Add((taint, "NoSchedule"));
        if (node.Value.Flag("spec", "unschedulable") == true)
            wanted.Add(("node.kubernetes.io/unschedulable", "NoSchedule"));
        List<JsonObject> taints = node.Value.Items("spec", "taints");
        List<JsonObject> next = [.. taints.Where(t => !IsOurs(t) || wanted.Contains((t.Text("key")!, t.Text("effect")!))).Select(t => t.Copy())];
        foreach ((string key, string effect) in wanted)
            if (!next.Exists(t => t.Text("key") == key && t.Text("effect") == effect))
            {
                JsonObject taint = new() { ["key"] = key, ["effect"] = effect };
                if (effect == "NoExecute")
                    taint["timeAdded"] = writer.Now();
                next.Add(taint);
            }
        if (next.Count == taints.Count && next.Zip(taints).All(pair => JsonNode.DeepEquals(pair.First, pair.Second)))
            return;
        writer.Change(ResourceTable.Nodes, "", node.Name, value =>
        {
            if (next.Count == 0)
                value.Ensure("spec").Remove("taints");
            else
                value.Ensure("spec")["taints"] = JsonAccess.ListOf(next);
        });
    }

    private static bool IsOurs(JsonObject taint) => taint.Text("key") is "node.kubernetes.io/not-ready" or "node.kubernetes.io/unreachable"
        or "node.kubernetes.io/unschedulable" || Array.Exists(PressureTaints, p => p.Taint == taint.Text("key"));

    private void Evict()
    {
        foreach (StoredObject node in writer.Store.List(ResourceTable.Nodes))
        {
            List<JsonObject> taints = [.. node.Value.Items("spec", "taints").Where(t => t.Text("effect") == "NoExecute")];
            if (taints.Count == 0)
                continue;
            foreach (StoredObject pod in writer.Store.List(ResourceTable.Pods).Where(p => p.Value.Text("spec", "nodeName") == node.Name && !p.IsDeleting))
                if (taints.Exists(taint => IsDue(pod, taint)))
                    writer.DeleteQuietly(pod);
        }
    }

    private bool IsDue(StoredObject pod, JsonObject taint)
    {
        List<JsonObject> tolerations = [.. pod.Value.Items("spec", "tolerations").Where(t => NodeRoom.Tolerates(t, taint))];
        if (tolerations.Count == 0)
            return true;
        List<long> limits = [.. tolerations.Select(t => t.Number("tolerationSeconds")).OfType<long>()];
        return limits.Count > 0 && DateTimeOffset.TryParse(taint.Text("timeAdded"), out DateTimeOffset added)
            && time.GetUtcNow() >= added.AddSeconds(limits.Min());
    }

    // Pods of nodes that are gone: nobody is left to end them.
    private void RemoveOrphans(List<StoredObject> nodes)
    {
        HashSet<string> names = [.. nodes.Select(n => n.Name)];
        foreach (StoredObject pod in writer.Store.List(ResourceTable.Pods))
            if (pod.IsDeleting && pod.Value.Text("spec", "nodeName") is { Length: > 0 } node && !names.Contains(node))
                writer.DeleteQuietly(pod, 0);
    }

    private void PodRange(StoredObject node)
    {
        if (!string.IsNullOrEmpty(node.Value.Text("spec", "podCIDR")))
            return;
        HashSet<string?> taken = [.. writer.Store.List(ResourceTable.Nodes).Select(n => n.Value.Text("spec", "podCIDR"))];
        for (int i = 0; i < 256; i++)
        {
            string range = $"10.244.{i}.0/24";
            if (taken.Contains(range))
                continue;
            writer.Change(ResourceTable.Nodes, "", node.Name, value =>
            {
                value.Ensure("spec")["podCIDR"] = range;
                value.Ensure("spec")["podCIDRs"] = new JsonArray(range);
            });
            return;
        }
    }
}
