using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>Deployments: one ReplicaSet for each template, rolled over within maxSurge and maxUnavailable, or recreated.</summary>
internal sealed class DeploymentController(ObjectWriter writer) : IController
{
    private const string HashLabel = "pod-template-hash";
    private const string RevisionAnnotation = "deployment.kubernetes.io/revision";

    public IReadOnlyList<ResourceDefinition> Inputs { get; } = [ResourceTable.Deployments, ResourceTable.ReplicaSets, ResourceTable.Pods];

    public bool Ticks => false;

    public void Reconcile()
    {
        List<StoredObject> deployments = writer.Store.List(ResourceTable.Deployments);
        if (deployments.Count == 0)
            return;
        ILookup<string?, StoredObject> sets = writer.Store.List(ResourceTable.ReplicaSets).ToLookup(s => s.ControllerUid());
        foreach (StoredObject deployment in deployments)
        {
            List<StoredObject> mine = [.. sets[deployment.Uid]];
            if (!deployment.IsDeleting)
            {
                StoredObject current = Current(deployment, mine);
                List<StoredObject> old = [.. mine.Where(s => s.Uid != current.Uid)];
                if (deployment.Value.Flag("spec", "paused") != true || old.Count == 0)
                    Roll(deployment, current, old);
                Prune(deployment, old);
            }
            Status(deployment);
        }
    }

    private static string HashOf(StoredObject deployment)
    {
        byte[] template = Encoding.UTF8.GetBytes(deployment.Value.At("spec", "template")?.ToJsonString() ?? "");
        ulong hash = BitConverter.ToUInt64(System.Security.Cryptography.SHA256.HashData(template));
        const string alphabet = "bcdfghjklmnpqrstvwxz2456789";
        StringBuilder text = new();
        for (int i = 0; i < 10; i++, hash /= 27)
            text.Append(alphabet[(int)(hash % 27)]);
        return text.ToString();
    }

    private StoredObject Current(StoredObject deployment, List<StoredObject> mine)
    {
        string hash = HashOf(deployment);
        string newest = (mine.Count == 0 ? 1 : mine.Max(Revision) + 1).ToString();
        StoredObject? current = mine.Find(s => s.Labels.GetValueOrDefault(HashLabel) == hash);
        if (current is null)
        {
            JsonObject template = deployment.Value.Map("spec", "template")!.Copy();
            template.Ensure("metadata", "labels")[HashLabel] = hash;
            JsonObject selector = deployment.Value.Map("spec", "selector")!.Copy();
            selector.Ensure("matchLabels")[HashLabel] = hash;
            JsonObject labels = template.Map("metadata", "labels")!.Copy();
            current = writer.Create(ResourceTable.ReplicaSets, deployment.Namespace, new JsonObject
            {
                ["metadata"] = new JsonObject
                {
                    ["name"] = $"{deployment.Name}-{hash}",
                    ["labels"] = labels,
                    ["ownerReferences"] = new JsonArray(deployment.OwnerReference()),
                    ["annotations"] = new JsonObject { [RevisionAnnotation] = newest },
                },
                ["spec"] = new JsonObject { ["replicas"] = mine.Count == 0 ? Wanted(deployment) : 0, ["selector"] = selector, ["template"] = template },
            });
        }
        else if (mine.Max(Revision) > Revision(current))
            current = writer.Change(ResourceTable.ReplicaSets, current.Namespace, current.Name,
                value => value.Ensure("metadata", "annotations")[RevisionAnnotation] = newest)!;
        string revision = Revision(current).ToString();
        writer.Change(ResourceTable.Deployments, deployment.Namespace, deployment.Name,
            value => value.Ensure("metadata", "annotations")[RevisionAnnotation] = revision);
        return current;
    }

    private void Roll(StoredObject deployment, StoredObject current, List<StoredObject> old)
    {
        int wanted = Wanted(deployment), have = Replicas(current), oldTotal = old.Sum(Replicas);
        if (deployment.Value.Text("spec", "strategy", "type") == "Recreate")
        {
            foreach (StoredObject set in old)
                SetReplicas(set, 0);
            bool oldGone = old.TrueForAll(set => !writer.Store.List(ResourceTable.Pods, set.Namespace).Exists(p => p.ControllerUid() == set.Uid && !p.IsFinished()));
            if (oldGone || oldTotal == 0 && have > 0)
                SetReplicas(current, wanted);
            return;
        }
        int surge = Share(deployment, "maxSurge", wanted, up: true), unavailable = Share(deployment, "maxUnavailable", wanted, up: false);
        if (surge == 0 && unavailable == 0)
            unavailable = 1;
        int room = Math.Max(0, wanted + surge - oldTotal - have);
        SetReplicas(current, have > wanted || oldTotal == 0 ? wanted : Math.Min(wanted, have + room));
        int readyNew = Ready(current), readyAll = readyNew + old.Sum(Ready);
        int removable = oldTotal == 0 ? 0 : readyAll - (wanted - unavailable);
        foreach (StoredObject set in old.OrderBy(Revision))
        {
            // Replicas that are not ready serve nobody: they go first and cost nothing.
            int replicas = Replicas(set), idle = Math.Max(0, replicas - Ready(set));
            int away = idle + Math.Clamp(removable, 0, replicas - idle);
            removable -= away - idle;
            SetReplicas(set, replicas - away);
        }
    }

    private void Prune(StoredObject deployment, List<StoredObject> old)
    {
        int limit = (int)(deployment.Value.Number("spec", "revisionHistoryLimit") ?? 10);
        foreach (StoredObject set in old.Where(s => Replicas(s) == 0 && (s.Value.Number("status", "replicas") ?? 0) == 0)
            .OrderByDescending(Revision).Skip(limit))
            writer.DeleteQuietly(set);
    }

    private void Status(StoredObject deployment)
    {
        List<StoredObject> sets = [.. writer.Store.List(ResourceTable.ReplicaSets, deployment.Namespace).Where(s => s.ControllerUid() == deployment.Uid)];
        string hash = HashOf(deployment);
        StoredObject? current = sets.Find(s => s.Labels.GetValueOrDefault(HashLabel) == hash);
        long Sum(string field) => sets.Sum(s => s.Value.Number("status", field) ?? 0);
        int wanted = Wanted(deployment);
        long replicas = Sum("replicas"), ready = Sum("readyReplicas"), updated = current is null ? 0 : current.Value.Number("status", "replicas") ?? 0;
        JsonObject status = new() { ["observedGeneration"] = deployment.Value.Number("metadata", "generation") ?? 1 };
        foreach ((string field, long value) in new[]
        {
            ("replicas", replicas), ("updatedReplicas", updated), ("readyReplicas", ready), ("availableReplicas", ready),
            ("unavailableReplicas", Math.Max(0, Math.Max(wanted, replicas) - ready)), ("terminatingReplicas", Sum("terminatingReplicas")),
        })
            if (value > 0)
                status[field] = value;
        bool available = ready >= wanted - Share(deployment, "maxUnavailable", wanted, up: false);
        bool complete = updated == wanted && replicas == wanted && ready == wanted;
        status["conditions"] = new JsonArray(
            Condition(deployment, "Available", available, available ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                available ? "Deployment has minimum availability." : "Deployment does not have minimum availability."),
            Condition(deployment, "Progressing", true, complete ? "NewReplicaSetAvailable" : "ReplicaSetUpdated",
                complete ? $"ReplicaSet \"{current?.Name}\" has successfully progressed." : $"ReplicaSet \"{current?.Name}\" is progressing."));
        writer.Change(ResourceTable.Deployments, deployment.Namespace, deployment.Name, value => value["status"] = status, "status");
    }

    private JsonObject Condition(StoredObject deployment, string type, bool holds, string reason, string message)
    {
        string text = holds ? "True" : "False";
        JsonObject? old = deployment.Value.Items("status", "conditions").Find(c => c.Text("type") == type);
        if (old.Text("status") == text && old.Text("reason") == reason && old.Text("message") == message)
            return old!.Copy();
        return new JsonObject
        {
            ["type"] = type,
            ["status"] = text,
            ["lastUpdateTime"] = writer.Now(),
            ["lastTransitionTime"] = old.Text("status") == text ? old.Text("lastTransitionTime") : writer.Now(),
            ["reason"] = reason,
            ["message"] = message,
        };
    }

    private static int Wanted(StoredObject deployment) => (int)(deployment.Value.Number("spec", "replicas") ?? 1);

    private static int Replicas(StoredObject set) => (int)(set.Value.Number("spec", "replicas") ?? 0);

    private static int Ready(StoredObject set) => (int)(set.Value.Number("status", "readyReplicas") ?? 0);

    private static long Revision(StoredObject set) => long.TryParse(set.Value.Text("metadata", "annotations", RevisionAnnotation), out long revision) ? revision : 0;

    private static int Share(StoredObject deployment, string field, int of, bool up)
    {
        JsonNode? value = deployment.Value.At("spec", "strategy", "rollingUpdate", field);
        if (value.Text() is not { } percent)
            return (int)(value.Number() ?? 0);
        double share = of * double.Parse(percent.TrimEnd('%')) / 100;
        return (int)(up ? Math.Ceiling(share) : Math.Floor(share));
    }

    private void SetReplicas(StoredObject set, int replicas) =>
        writer.Change(ResourceTable.ReplicaSets, set.Namespace, set.Name, value => value.Ensure("spec")["replicas"] = replicas);
}
