using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>Jobs: parallelism, completions, backoffLimit, activeDeadlineSeconds; no indexed completion.</summary>
internal sealed class JobController(ObjectWriter writer, TimeProvider time) : IController
{
    public IReadOnlyList<ResourceDefinition> Inputs { get; } = [ResourceTable.Jobs, ResourceTable.Pods];

    public bool Ticks => true;

    public void Reconcile()
    {
        List<StoredObject> jobs = writer.Store.List(ResourceTable.Jobs);
        if (jobs.Count == 0)
            return;
        ILookup<string?, StoredObject> pods = writer.Store.List(ResourceTable.Pods).ToLookup(p => p.ControllerUid());
        foreach (StoredObject job in jobs.Where(j => !j.IsDeleting && !IsFinished(j)))
            Reconcile(job, [.. pods[job.Uid]]);
    }

    private static bool IsFinished(StoredObject job) =>
        job.Value.Items("status", "conditions").Exists(c => c.Text("type") is "Complete" or "Failed" && c.Text("status") == "True");

    private void Reconcile(StoredObject job, List<StoredObject> pods)
    {
        JsonNode? spec = job.Value.At("spec");
        int succeeded = pods.Count(p => p.Value.Text("status", "phase") == "Succeeded");
        int failed = pods.Count(p => p.Value.Text("status", "phase") == "Failed");
        List<StoredObject> active = [.. pods.Where(p => p.IsActive())];
        long completions = spec.Number("completions") ?? 1;
        bool late = spec.Number("activeDeadlineSeconds") is { } limit
            && DateTimeOffset.TryParse(job.Value.Text("status", "startTime"), out DateTimeOffset start) && time.GetUtcNow() >= start.AddSeconds(limit);
        JsonObject? end = null;
        if (succeeded >= completions)
            end = Condition("Complete", "CompletionsReached", "Reached expected number of succeeded pods");
        else if (late)
            end = Condition("Failed", "DeadlineExceeded", "Job was active longer than specified deadline");
        else if (failed > (spec.Number("backoffLimit") ?? 6))
            end = Condition("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit");
        if (end is not null)
            active.ForEach(pod => writer.DeleteQuietly(pod));
        else if (spec.Flag("suspend") != true)
            for (long i = active.Count; i < Math.Min(spec.Number("parallelism") ?? 1, completions - succeeded); i++)
                writer.Create(ResourceTable.Pods, job.Namespace, job.FromTemplate(job.Name + "-"));
        Status(job, active, succeeded, failed, end);
    }

    private void Status(StoredObject job, List<StoredObject> active, int succeeded, int failed, JsonObject? end)
    {
        writer.Change(ResourceTable.Jobs, job.Namespace, job.Name, value =>
        {
            JsonObject status = value.Ensure("status");
            foreach ((string field, int count) in new[] { ("active", end is null ? active.Count : 0), ("succeeded", succeeded), ("failed", failed) })
                if (count > 0)
                    status[field] = count;
                else
                    status.Remove(field);
            status["ready"] = end is null ? active.Count(p => p.IsReady()) : 0;
            if (end is null)
                return;
            status["conditions"] = new JsonArray(end.DeepClone());
            if (end.Text("type") == "Complete")
                status["completionTime"] = writer.Now();
        }, "status");
    }

    private JsonObject Condition(string type, string reason, string message) => new()
    {
        ["type"] = type,
        ["status"] = "True",
        ["lastProbeTime"] = writer.Now(),
        ["lastTransitionTime"] = writer.Now(),
        ["reason"] = reason,
        ["message"] = message,
    };
}
