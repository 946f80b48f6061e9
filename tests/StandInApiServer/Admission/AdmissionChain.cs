using System.Text.Json.Nodes;
using NodeAgent.StandIn.Requests;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Admission;

/// <summary>Defaults and allocations that the real server applies while it stores an object.</summary>
internal sealed class AdmissionChain(ObjectStore store, ServiceAllocator services, TimeProvider time)
{
    public void OnCreate(ResourceDefinition definition, JsonObject value)
    {
        switch (definition.Kind)
        {
            case "Pod":
                PodDefaults.Apply(value.Ensure("spec"));
                new PodAdmission(store).Apply(value);
                value["status"] = new JsonObject { ["phase"] = "Pending", ["qosClass"] = PodQos.Of(value.Map("spec")!) };
                break;
            case "Service":
                services.OnCreate(value);
                value["status"] = new JsonObject { ["loadBalancer"] = new JsonObject() };
                break;
            case "Namespace":
                value.Ensure("spec")["finalizers"] = new JsonArray("kubernetes");
                value["status"] = new JsonObject { ["phase"] = "Active" };
                value.Ensure("metadata", "labels")["kubernetes.io/metadata.name"] = value.Text("metadata", "name");
                break;
            case "Secret":
                value.Default("type", "Opaque");
                MoveStringData(value);
                break;
            case "Event":
                value.Ensure("metadata").Default("namespace", "default");
                break;
            case "Job":
                JobDefaults(value);
                break;
            case "Node":
                NotReadyTaint(value.Ensure("spec"));
                break;
            case "CSIDriver":
                CsiDriverDefaults(value.Ensure("spec"));
                break;
            case "Endpoints" or "EndpointSlice":
                DefaultPorts(value);
                break;
            default:
                WorkloadDefaults.Apply(definition, value);
                break;
        }
    }

    public void OnUpdate(ResourceDefinition definition, JsonObject old, JsonObject value, string? subresource)
    {
        switch (definition.Kind)
        {
            case "Pod":
                PodDefaults.Apply(value.Ensure("spec"));
                CheckPodUpdate(definition, old, value, subresource);
                break;
            case "Service":
                services.OnUpdate(old, value);
                break;
            case "Secret":
                value.Default("type", old.Text("type") ?? "Opaque");
                MoveStringData(value);
                CheckImmutable(definition, old, value, "data");
                break;
            case "ConfigMap":
                CheckImmutable(definition, old, value, "data");
                CheckImmutable(definition, old, value, "binaryData");
                break;
            case "Namespace":
                value.Ensure("spec").Default("finalizers", new JsonArray("kubernetes"));
                break;
            case "Endpoints" or "EndpointSlice":
                DefaultPorts(value);
                break;
            case "Node":
                StampConditions(old, value);
                break;
            case "Deployment" or "ReplicaSet" or "DaemonSet" or "StatefulSet":
                WorkloadDefaults.Apply(definition, value);
                break;
        }
    }

    private static void CheckPodUpdate(ResourceDefinition definition, JsonObject old, JsonObject value, string? subresource)
    {
        if (subresource is "binding" or "ephemeralcontainers" or "resize" or "status")
            return;
        JsonObject before = Comparable(old), after = Comparable(value);
        if (!JsonNode.DeepEquals(before, after))
            throw ApiError.Invalid(
                definition, old.Text("metadata", "name") ?? "", "spec",
                "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)");
    }

    private static JsonObject Comparable(JsonObject pod)
    {
        JsonObject spec = pod.Map("spec")!.Copy();
        foreach (string field in new[] { "activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds" })
            spec.Remove(field);
        foreach (JsonObject container in spec.Items("containers").Concat(spec.Items("initContainers")))
            container.Remove("image");
        return spec;
    }

    private static void CheckImmutable(ResourceDefinition definition, JsonObject old, JsonObject value, string field)
    {
        if (old.Flag("immutable") == true && !JsonNode.DeepEquals(old[field], value[field]))
            throw ApiError.Invalid(definition, old.Text("metadata", "name") ?? "", field, "Forbidden: field is immutable when `immutable` is set");
    }

    private static void MoveStringData(JsonObject secret)
    {
        if (secret.Map("stringData") is not { } plain)
            return;
        foreach ((string key, JsonNode? text) in plain)
            secret.Ensure("data")[key] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(text.Text() ?? ""));
        secret.Remove("stringData");
    }

    private static void DefaultPorts(JsonObject value)
    {
        foreach (JsonObject port in value.Items("ports").Concat(value.Items("subsets").SelectMany(s => s.Items("ports"))))
        {
            port.Default("protocol", "TCP");
            if (value.Text("kind") == "EndpointSlice")
                port.Default("name", "");
        }
    }

    // Until the node's first Ready condition nothing is scheduled to it.
    private static void NotReadyTaint(JsonObject spec)
    {
        if (spec["taints"] is not JsonArray taints)
            spec["taints"] = taints = [];
        if (!taints.Any(t => t.Text("key") == "node.kubernetes.io/not-ready"))
            taints.Add(new JsonObject { ["key"] = "node.kubernetes.io/not-ready", ["effect"] = "NoSchedule" });
    }

    private static void CsiDriverDefaults(JsonObject spec)
    {
        spec.Default("attachRequired", true);
        spec.Default("podInfoOnMount", false);
        spec.Default("requiresRepublish", false);
        spec.Default("storageCapacity", false);
        spec.Default("seLinuxMount", false);
        spec.Default("fsGroupPolicy", "ReadWriteOnceWithFSType");
        spec.Default("volumeLifecycleModes", new JsonArray("Persistent"));
    }

    private void JobDefaults(JsonObject job)
    {
        JsonObject spec = job.Ensure("spec");
        string uid = job.Text("metadata", "uid") ?? "", name = job.Text("metadata", "name") ?? "";
        spec.Default("parallelism", 1);
        spec.Default("completions", 1);
        spec.Default("backoffLimit", 6);
        spec.Default("completionMode", "NonIndexed");
        spec.Default("suspend", false);
        spec.Default("podReplacementPolicy", "TerminatingOrFailed");
        spec.Default("selector", new JsonObject { ["matchLabels"] = new JsonObject { ["batch.kubernetes.io/controller-uid"] = uid } });
        JsonObject labels = spec.Ensure("template", "metadata", "labels");
        foreach (string prefix in new[] { "", "batch.kubernetes.io/" })
        {
            labels[prefix + "controller-uid"] = uid;
            labels[prefix + "job-name"] = name;
        }
        PodDefaults.Apply(spec.Ensure("template", "spec"));
        job["status"] = new JsonObject { ["startTime"] = ObjectWriter.TimeText(time.GetUtcNow()), ["ready"] = 0 };
    }

    // A real server keeps what the kubelet sends; taints follow conditions in the controllers.
    private static void StampConditions(JsonObject old, JsonObject value)
    {
        if (string.IsNullOrEmpty(value.Text("spec", "podCIDR")) && old.Text("spec", "podCIDR") is { Length: > 0 } range)
        {
            value.Ensure("spec")["podCIDR"] = range;
            value.Ensure("spec")["podCIDRs"] = new JsonArray(range);
        }
    }
}
