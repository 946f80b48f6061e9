using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>EndpointSlices (up to 100 endpoints each) for Services with a selector.</summary>
internal sealed class EndpointSliceController(ObjectWriter writer) : IController
{
    private const string ManagedBy = "endpointslice-controller.k8s.io";
    private const int SliceLimit = 100;

    public IReadOnlyList<ResourceDefinition> Inputs { get; } = [ResourceTable.Services, ResourceTable.Pods, ResourceTable.EndpointSlices];

    public bool Ticks => false;

    public void Reconcile()
    {
        ILookup<string, StoredObject> pods = writer.Store.List(ResourceTable.Pods).ToLookup(p => p.Namespace);
        ILookup<string, StoredObject> slices = writer.Store.List(ResourceTable.EndpointSlices)
            .Where(s => s.Labels.GetValueOrDefault(WellKnownLabels.EndpointSliceManagedBy) == ManagedBy)
            .ToLookup(s => $"{s.Namespace}/{s.Labels.GetValueOrDefault(WellKnownLabels.ServiceName)}");
        foreach (StoredObject service in writer.Store.List(ResourceTable.Services))
            if (service.Value.Map("spec", "selector") is { Count: > 0 } && service.Value.Text("spec", "type") != "ExternalName")
                Reconcile(service, pods[service.Namespace], [.. slices[service.Key]]);
        foreach (IGrouping<string, StoredObject> orphaned in slices)
        {
            string[] key = orphaned.Key.Split('/');
            if (writer.Store.Get(ResourceTable.Services, key[0], key[1]) is not { } owner || owner.Value.Map("spec", "selector") is not { Count: > 0 })
                foreach (StoredObject slice in orphaned)
                    writer.DeleteQuietly(slice);
        }
    }

    private void Reconcile(StoredObject service, IEnumerable<StoredObject> pods, List<StoredObject> present)
    {
        LabelMatcher selector = Selectors.OfMap(service.Value.Map("spec", "selector"));
        // Pods may answer one port name with different numbers: each set of numbers has slices of its own.
        Dictionary<string, (JsonArray Ports, List<JsonObject> Endpoints)> wanted = [];
        foreach (StoredObject pod in pods.Where(p => selector.Matches(p.Labels)))
        {
            if (Endpoint(service, pod) is not { } endpoint)
                continue;
            JsonArray ports = Ports(service, pod);
            string key = ports.ToJsonString();
            if (!wanted.TryGetValue(key, out (JsonArray Ports, List<JsonObject> Endpoints) group))
                wanted[key] = group = (ports, []);
            group.Endpoints.Add(endpoint);
        }
        if (wanted.Count == 0)
            wanted[""] = ([], []);
        List<StoredObject> unused = [.. present];
        foreach ((JsonArray ports, List<JsonObject> endpoints) in wanted.Values)
            for (int start = 0; start == 0 || start < endpoints.Count; start += SliceLimit)
                Write(service, ports, endpoints.GetRange(start, Math.Min(SliceLimit, endpoints.Count - start)), unused);
        foreach (StoredObject slice in unused)
            writer.DeleteQuietly(slice);
    }

    private void Write(StoredObject service, JsonArray ports, List<JsonObject> endpoints, List<StoredObject> unused)
    {
        // Prefer the slice that holds these endpoints already.
        HashSet<string> uids = [.. endpoints.Select(e => e.Text("targetRef", "uid") ?? "")];
        StoredObject? slice = unused.MaxBy(s => s.Value.Items("endpoints").Count(e => uids.Contains(e.Text("targetRef", "uid") ?? "")));
        if (slice is not null)
            unused.Remove(slice);
        JsonObject labels = service.Value.Map("metadata", "labels")?.Copy() ?? [];
        labels[WellKnownLabels.EndpointSliceManagedBy] = ManagedBy;
        labels[WellKnownLabels.ServiceName] = service.Name;
        if (service.Value.Text("spec", "clusterIP") == "None")
            labels[WellKnownLabels.HeadlessService] = "";
        if (slice is not null)
        {
            writer.Change(ResourceTable.EndpointSlices, service.Namespace, slice.Name, value =>
            {
                value.Ensure("metadata")["labels"] = labels;
                value["endpoints"] = JsonAccess.ListOf(endpoints);
                value["ports"] = ports.DeepClone();
            });
            return;
        }
        writer.Create(ResourceTable.EndpointSlices, service.Namespace, new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["generateName"] = service.Name + "-",
                ["labels"] = labels,
                ["ownerReferences"] = new JsonArray(service.OwnerReference()),
            },
            ["addressType"] = "IPv4",
            ["endpoints"] = JsonAccess.ListOf(endpoints),
            ["ports"] = ports.DeepClone(),
        });
    }

    private static JsonObject? Endpoint(StoredObject service, StoredObject pod)
    {
        string address = pod.Value.Text("status", "podIP") ?? "";
        if (address.Length == 0 || pod.IsFinished() || string.IsNullOrEmpty(pod.Value.Text("spec", "nodeName")))
            return null;
        bool publish = service.Value.Flag("spec", "publishNotReadyAddresses") == true;
        bool serving = pod.IsReady(), terminating = pod.IsDeleting;
        JsonObject endpoint = new()
        {
            ["addresses"] = new JsonArray(address),
            ["conditions"] = new JsonObject
            {
                ["ready"] = publish || (serving && !terminating),
                ["serving"] = publish || serving,
                ["terminating"] = terminating,
            },
            ["targetRef"] = new JsonObject { ["kind"] = "Pod", ["namespace"] = pod.Namespace, ["name"] = pod.Name, ["uid"] = pod.Uid },
            ["nodeName"] = pod.Value.Text("spec", "nodeName"),
        };
        if (pod.Value.Text("spec", "hostname") is { Length: > 0 } host && pod.Value.Text("spec", "subdomain") == service.Name)
            endpoint["hostname"] = host;
        return endpoint;
    }

    private static JsonArray Ports(StoredObject service, StoredObject pod)
    {
        JsonArray ports = [];
        foreach (JsonObject port in service.Value.Items("spec", "ports"))
        {
            string protocol = port.Text("protocol") ?? "TCP";
            long? number = port.Text("targetPort") is { } name
                ? pod.Value.Items("spec", "containers").Concat(pod.Value.Items("spec", "initContainers")).SelectMany(c => c.Items("ports"))
                    .FirstOrDefault(p => p.Text("name") == name && (p.Text("protocol") ?? "TCP") == protocol).Number("containerPort")
                : port.Number("targetPort") is > 0 and { } target ? target : port.Number("port");
            if (number is null)
                continue;
            JsonObject entry = new() { ["name"] = port.Text("name") ?? "", ["port"] = number, ["protocol"] = protocol };
            if (port.Text("appProtocol") is { } application)
                entry["appProtocol"] = application;
            ports.Add(entry);
        }
        return ports;
    }
}
