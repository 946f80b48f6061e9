using System.Text.Json.Nodes;
using NodeAgent.StandIn.Requests;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>
/// Binds pods to nodes: node selector, required node affinity, taints, unschedulable, pod count, CPU and memory requests, host ports.
/// Of the nodes that fit, the one with the fewest pods.
/// </summary>
internal sealed class SchedulingController(ObjectWriter writer, Subresources subresources) : IController
{
    public IReadOnlyList<ResourceDefinition> Inputs { get; } = [ResourceTable.Pods, ResourceTable.Nodes];

    public bool Ticks => false;

    public void Reconcile()
    {
        List<StoredObject> pods = writer.Store.List(ResourceTable.Pods);
        List<StoredObject> waiting = [.. pods.Where(IsWaiting).OrderByDescending(p => p.Value.Number("spec", "priority") ?? 0).ThenBy(p => p.ResourceVersion)];
        if (waiting.Count == 0)
            return;
        List<NodeRoom> rooms = [.. writer.Store.List(ResourceTable.Nodes).Select(node => new NodeRoom(node, pods))];
        foreach (StoredObject pod in waiting)
            Schedule(pod, rooms);
    }

    private static bool IsWaiting(StoredObject pod) =>
        string.IsNullOrEmpty(pod.Value.Text("spec", "nodeName")) && !pod.IsDeleting && pod.Value.Text("spec", "schedulerName") == "default-scheduler"
        && pod.Value.Items("spec", "schedulingGates").Count == 0;

    private void Schedule(StoredObject pod, List<NodeRoom> rooms)
    {
        List<string> reasons = [];
        NodeRoom? best = null;
        foreach (NodeRoom room in rooms)
        {
            string? reason = room.WhyNot(pod);
            if (reason is not null)
                reasons.Add(reason);
            else if (best is null || room.Count < best.Count)
                best = room;
        }
        if (best is null)
        {
            Unschedulable(pod, rooms.Count, reasons);
            return;
        }
        try
        {
            subresources.Bind(pod.Namespace, pod.Name, best.Name);
            best.Take(pod);
            Event(pod, "Normal", "Scheduled", $"Successfully assigned {pod.Namespace}/{pod.Name} to {best.Name}");
        }
        catch (ApiError)
        {
            // Deleted or bound meanwhile: nothing to do any more.
        }
    }

    private void Unschedulable(StoredObject pod, int nodes, List<string> reasons)
    {
        string message = nodes == 0
            ? "no nodes available to schedule pods"
            : $"0/{nodes} nodes are available: {string.Join(", ", reasons.GroupBy(r => r).Select(g => $"{g.Count()} {g.Key}"))}.";
        if (pod.Value.Items("status", "conditions").Exists(c => c.Text("type") == "PodScheduled" && c.Text("message") == message))
            return;
        writer.Change(ResourceTable.Pods, pod.Namespace, pod.Name, value => value.Ensure("status")["conditions"] = new JsonArray(new JsonObject
        {
            ["type"] = "PodScheduled",
            ["status"] = "False",
            ["reason"] = "Unschedulable",
            ["message"] = message,
            ["lastProbeTime"] = null,
            ["lastTransitionTime"] = writer.Now(),
        }), "status");
        Event(pod, "Warning", "FailedScheduling", message);
    }

    private void Event(StoredObject pod, string type, string reason, string message) => writer.Create(ResourceTable.Events, pod.Namespace, new JsonObject
    {
        ["metadata"] = new JsonObject { ["generateName"] = pod.Name[..Math.Min(40, pod.Name.Length)] + "." },
        ["involvedObject"] = new JsonObject
        {
            ["kind"] = "Pod",
            ["namespace"] = pod.Namespace,
            ["name"] = pod.Name,
            ["uid"] = pod.Uid,
            ["apiVersion"] = "v1",
            ["resourceVersion"] = pod.ResourceVersion.ToString(),
        },
        ["reason"] = reason,
        ["message"] = message,
        ["type"] = type,
        ["count"] = 1,
        ["source"] = new JsonObject { ["component"] = "default-scheduler" },
        ["reportingComponent"] = "default-scheduler",
        ["reportingInstance"] = "",
        ["firstTimestamp"] = writer.Now(),
        ["lastTimestamp"] = writer.Now(),
    });
}
