using System.Text.Json.Nodes;
using NodeAgent.StandIn.Requests;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Admission;

/// <summary>What admission adds to a new pod: service account and its token volume, priority, tolerations, runtime class.</summary>
internal sealed class PodAdmission(ObjectStore store)
{
    private const string MirrorAnnotation = "kubernetes.io/config.mirror";
    private const string TokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

    public void Apply(JsonObject pod)
    {
        JsonObject spec = pod.Ensure("spec");
        string name = pod.Text("metadata", "name") ?? "";
        if (spec.Items("containers").Count == 0)
            throw ApiError.Invalid(ResourceTable.Pods, name, "spec.containers", "Required value");
        CheckContainers(spec, name);
        Priority(spec, name);
        RuntimeClass(spec, name);
        Tolerations(spec);
        spec.Default("enableServiceLinks", true);
        if (pod.Text("metadata", "annotations", MirrorAnnotation) is null)
            ServiceAccount(pod, spec, name);
    }

    private static void CheckContainers(JsonObject spec, string pod)
    {
        HashSet<string> names = [];
        foreach (JsonObject container in spec.Items("initContainers").Concat(spec.Items("containers")))
        {
            string name = container.Text("name") ?? "";
            if (name.Length == 0)
                throw ApiError.Invalid(ResourceTable.Pods, pod, "spec.containers[0].name", "Required value");
            if (!names.Add(name))
                throw ApiError.Invalid(ResourceTable.Pods, pod, "spec.containers[1].name", $"Duplicate value: \"{name}\"");
            if (string.IsNullOrEmpty(container.Text("image")))
                throw ApiError.Invalid(ResourceTable.Pods, pod, "spec.containers[0].image", "Required value");
        }
    }

    private void Priority(JsonObject spec, string pod)
    {
        string className = spec.Text("priorityClassName") ?? "";
        StoredObject? found = className.Length > 0
            ? store.Get(ResourceTable.PriorityClasses, "", className)
                ?? throw ApiError.Forbidden(ResourceTable.Pods, pod, $"no PriorityClass with name {className} was found")
            : store.List(ResourceTable.PriorityClasses).Find(c => c.Value.Flag("globalDefault") == true);
        if (found is not null)
            spec["priorityClassName"] = found.Name;
        spec["priority"] = found?.Value.Number("value") ?? 0;
        spec["preemptionPolicy"] = found?.Value.Text("preemptionPolicy") ?? "PreemptLowerPriority";
    }

    private void RuntimeClass(JsonObject spec, string pod)
    {
        if (spec.Text("runtimeClassName") is not { Length: > 0 } name)
            return;
        StoredObject found = store.Get(ResourceTable.RuntimeClasses, "", name)
            ?? throw ApiError.Forbidden(ResourceTable.Pods, pod, $"pod rejected: RuntimeClass \"{name}\" not found");
        if (found.Value.Map("overhead", "podFixed") is { } overhead)
            spec["overhead"] = overhead.Copy();
        foreach ((string label, string value) in found.Value.Labels("scheduling", "nodeSelector"))
            spec.Ensure("nodeSelector")[label] = value;
    }

    private static void Tolerations(JsonObject spec)
    {
        JsonArray list = spec["tolerations"] as JsonArray ?? [];
        foreach (string key in new[] { "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable" })
        {
            bool present = list.Any(t => (t.Text("key") == key || string.IsNullOrEmpty(t.Text("key"))) && t.Text("effect") is null or "" or "NoExecute");
            if (!present)
                list.Add(new JsonObject { ["key"] = key, ["operator"] = "Exists", ["effect"] = "NoExecute", ["tolerationSeconds"] = 300 });
        }
        if (spec["tolerations"] is null && list.Count > 0)
            spec["tolerations"] = list;
    }

    private void ServiceAccount(JsonObject pod, JsonObject spec, string name)
    {
        string namespaceName = pod.Text("metadata", "namespace") ?? "";
        string accountName = spec.Text("serviceAccountName") is { Length: > 0 } stated ? stated : "default";
        spec["serviceAccountName"] = accountName;
        spec["serviceAccount"] = accountName;
        StoredObject account = store.Get(ResourceTable.ServiceAccounts, namespaceName, accountName)
            ?? throw ApiError.Forbidden(
                ResourceTable.Pods, name, $"error looking up service account {namespaceName}/{accountName}: serviceaccount \"{accountName}\" not found");
        if (spec.Items("imagePullSecrets").Count == 0 && account.Value.Items("imagePullSecrets") is { Count: > 0 } secrets)
            spec["imagePullSecrets"] = JsonAccess.ListOf(secrets.Select(s => s.DeepClone()));
        bool automount = spec.Flag("automountServiceAccountToken") ?? account.Value.Flag("automountServiceAccountToken") ?? true;
        if (automount)
            MountToken(spec);
    }

    private static void MountToken(JsonObject spec)
    {
        string volume = spec.Items("volumes").Select(v => v.Text("name") ?? "").FirstOrDefault(n => n.StartsWith("kube-api-access-"))
            ?? $"kube-api-access-{ObjectWriter.RandomSuffix(5)}";
        bool used = false;
        foreach (JsonObject container in spec.Items("initContainers").Concat(spec.Items("containers")))
        {
            if (container.Items("volumeMounts").Exists(m => m.Text("mountPath") == TokenFolder))
                continue;
            if (container["volumeMounts"] is not JsonArray mounts)
                container["volumeMounts"] = mounts = [];
            mounts.Add(new JsonObject { ["name"] = volume, ["readOnly"] = true, ["mountPath"] = TokenFolder });
            used = true;
        }
        if (!used || spec.Items("volumes").Exists(v => v.Text("name") == volume))
            return;
        if (spec["volumes"] is not JsonArray volumes)
            spec["volumes"] = volumes = [];
        volumes.Add(new JsonObject { ["name"] = volume, ["projected"] = TokenSources() });
    }

    private static JsonObject TokenSources() => new()
    {
        ["sources"] = new JsonArray(
            new JsonObject { ["serviceAccountToken"] = new JsonObject { ["expirationSeconds"] = 3607, ["path"] = "token" } },
            new JsonObject
            {
                ["configMap"] = new JsonObject
                {
                    ["name"] = "kube-root-ca.crt",
                    ["items"] = new JsonArray(new JsonObject { ["key"] = "ca.crt", ["path"] = "ca.crt" }),
                },
            },
            new JsonObject
            {
                ["downwardAPI"] = new JsonObject
                {
                    ["items"] = new JsonArray(new JsonObject
                    {
                        ["path"] = "namespace",
                        ["fieldRef"] = new JsonObject { ["apiVersion"] = "v1", ["fieldPath"] = "metadata.namespace" },
                    }),
                },
            }),
        ["defaultMode"] = 420,
    };
}
