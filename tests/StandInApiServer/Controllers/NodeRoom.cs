using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>What is still free on a node.</summary>
internal sealed class NodeRoom
{
    private readonly StoredObject _node;
    private readonly Node _typed;
    private readonly HashSet<(string Protocol, long Port)> _hostPorts = [];
    private Quantity _cpu;
    private Quantity _memory;

    public NodeRoom(StoredObject node, List<StoredObject> pods)
    {
        _node = node;
        _typed = KubernetesJson.Deserialize<Node>(node.Value);
        foreach (StoredObject pod in pods)
            if (pod.Value.Text("spec", "nodeName") == node.Name && pod.Value.Text("status", "phase") is not ("Succeeded" or "Failed"))
                Take(pod);
    }

    public string Name => _node.Name;

    public int Count { get; private set; }

    public void Take(StoredObject pod)
    {
        Count++;
        _cpu += Requested(pod, "cpu");
        _memory += Requested(pod, "memory");
        _hostPorts.UnionWith(HostPorts(pod));
    }

    /// <summary>Null when the pod fits; else the scheduler's word for why not.</summary>
    public string? WhyNot(StoredObject pod)
    {
        JsonNode? spec = pod.Value.At("spec");
        if (!MatchesSelectors(spec))
            return "node(s) didn't match Pod's node affinity/selector";
        List<JsonObject> tolerations = spec.Items("tolerations");
        JsonObject? taint = _node.Value.Items("spec", "taints")
            .Find(t => t.Text("effect") is "NoSchedule" or "NoExecute" && !tolerations.Exists(toleration => Tolerates(toleration, t)));
        if (taint is not null)
            return $"node(s) had untolerated taint(s)";
        if (_node.Value.Flag("spec", "unschedulable") == true)
            return "node(s) were unschedulable";
        if (!_node.Value.Items("status", "conditions").Exists(c => c.Text("type") == "Ready" && c.Text("status") == "True"))
            return "node(s) were not ready";
        if (Allocatable("pods") is { } pods && Count >= pods.Value())
            return "Too many pods";
        if (Allocatable("cpu") is { } cpu && _cpu + Requested(pod, "cpu") > cpu && !Requested(pod, "cpu").IsZero)
            return "Insufficient cpu";
        if (Allocatable("memory") is { } memory && _memory + Requested(pod, "memory") > memory && !Requested(pod, "memory").IsZero)
            return "Insufficient memory";
        return HostPorts(pod).Any(_hostPorts.Contains) ? "node(s) didn't have free ports for the requested pod ports" : null;
    }

    public static bool Tolerates(JsonObject toleration, JsonObject taint)
    {
        if (toleration.Text("effect") is { Length: > 0 } effect && effect != taint.Text("effect"))
            return false;
        if (toleration.Text("key") is { Length: > 0 } key && key != taint.Text("key"))
            return false;
        bool exists = toleration.Text("operator") == "Exists";
        return exists || (toleration.Text("key") is { Length: > 0 } && (toleration.Text("value") ?? "") == (taint.Text("value") ?? ""));
    }

    public static Quantity Requested(StoredObject pod, string resource)
    {
        static Quantity Of(JsonNode container, string resource)
        {
            JsonNode? value = container.At("resources", "requests", resource);
            return Quantity.TryParse(value.Text() ?? value?.ToJsonString(), out Quantity amount) ? amount : Quantity.Zero;
        }
        Quantity sum = Quantity.Zero;
        foreach (JsonObject container in pod.Value.Items("spec", "containers"))
            sum += Of(container, resource);
        foreach (JsonObject container in pod.Value.Items("spec", "initContainers"))
            if (Of(container, resource) is var single && single > sum)
                sum = single;
        return sum;
    }

    private bool MatchesSelectors(JsonNode? spec)
    {
        foreach ((string label, string value) in spec.Labels("nodeSelector"))
            if (_node.Labels.GetValueOrDefault(label) != value)
                return false;
        JsonObject? required = spec.Map("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution");
        return required is null || NodeSelectors.Matches(KubernetesJson.Deserialize<NodeSelector>(required), _typed);
    }

    private Quantity? Allocatable(string resource)
    {
        JsonNode? value = _node.Value.At("status", "allocatable", resource);
        return Quantity.TryParse(value.Text() ?? value?.ToJsonString(), out Quantity amount) ? amount : null;
    }

    private static IEnumerable<(string Protocol, long Port)> HostPorts(StoredObject pod) =>
        from container in pod.Value.Items("spec", "containers")
        from port in container.Items("ports")
        where port.Number("hostPort") is > 0
        select (port.Text("protocol") ?? "TCP", port.Number("hostPort")!.Value);
}
