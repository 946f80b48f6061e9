using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using NodeAgent.StandIn.Identity;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Requests;

/// <summary>Subresources that are more than a part of their object: scale, binding, eviction, token, finalize.</summary>
internal sealed class Subresources(ObjectWriter writer, ServiceAccountTokens tokens)
{
    /// <summary>False when the subresource is a part of the object like status: the caller goes on.</summary>
    public async Task<bool> TryAnswerAsync(HttpContext context, RequestInfo info, ResourceDefinition definition)
    {
        switch (info.Subresource)
        {
            case "scale":
                await ScaleAsync(context, info, definition);
                return true;
            case "token" when info.Verb == "create":
                JsonObject request = await context.Request.ReadObjectAsync();
                await context.Response.WriteAsync(201, tokens.Issue(info.Namespace!, info.Name!, request));
                return true;
            case "binding" when info.Verb == "create":
                JsonObject binding = await context.Request.ReadObjectAsync();
                Bind(info.Namespace!, info.Name!, binding.Text("target", "name") ?? "");
                await context.Response.WriteAsync(201, Success());
                return true;
            case "eviction" when info.Verb == "create":
                JsonObject eviction = await context.Request.ReadObjectAsync();
                Evict(info, definition, eviction);
                await context.Response.WriteAsync(201, Success(201));
                return true;
            case "finalize" when info.Verb == "update":
                JsonObject home = await context.Request.ReadObjectAsync();
                await context.Response.WriteAsync(200, writer.Update(definition, "", info.Name!, home, "finalize").Bytes);
                return true;
            default:
                return false;
        }
    }

    public void Bind(string namespaceName, string name, string node)
    {
        lock (writer.Store.Gate)
        {
            StoredObject pod = writer.Store.Get(ResourceTable.Pods, namespaceName, name) ?? throw ApiError.NotFound(ResourceTable.Pods, name);
            if (pod.IsDeleting)
                throw ApiError.Conflict(ResourceTable.Pods, name, $"pod {name} is being deleted, cannot be assigned to a host");
            if (pod.Value.Text("spec", "nodeName") is { Length: > 0 } bound)
                throw ApiError.Conflict(ResourceTable.Pods, name, $"pod {name} is already assigned to node \"{bound}\"");
            JsonObject next = pod.Value.Copy();
            next.Ensure("spec")["nodeName"] = node;
            JsonObject status = next.Ensure("status");
            JsonArray conditions = JsonAccess.ListOf(status.Items("conditions").Where(c => c.Text("type") != "PodScheduled").Select(c => c.DeepClone()));
            conditions.Add(new JsonObject
            {
                ["type"] = "PodScheduled",
                ["status"] = "True",
                ["lastProbeTime"] = null,
                ["lastTransitionTime"] = writer.Now(),
            });
            status["conditions"] = conditions;
            writer.Store.Put(ResourceTable.Pods, next);
        }
    }

    private void Evict(RequestInfo info, ResourceDefinition definition, JsonObject eviction)
    {
        lock (writer.Store.Gate)
        {
            StoredObject pod = writer.Store.Get(definition, info.Namespace, info.Name!) ?? throw ApiError.NotFound(definition, info.Name!);
            bool counts = pod.Value.Text("status", "phase") is not ("Succeeded" or "Failed" or "Pending") && !pod.IsDeleting;
            if (counts)
                CheckBudgets(pod);
            writer.Delete(definition, info.Namespace, info.Name!, eviction.Map("deleteOptions"), out _);
        }
    }

    private void CheckBudgets(StoredObject pod)
    {
        List<StoredObject> budgets = [.. writer.Store.List(ResourceTable.PodDisruptionBudgets, pod.Namespace)
            .Where(b => Selectors.Of(b.Value.Map("spec", "selector")).Matches(pod.Labels))];
        if (budgets.Count > 1)
            throw new ApiError(500, "InternalError", "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
        if (budgets.Count == 0)
            return;
        JsonNode? status = budgets[0].Value.At("status");
        if ((status.Number("disruptionsAllowed") ?? 0) <= 0)
            throw ApiError.TooManyRequests(
                "Cannot evict pod as it would violate the pod's disruption budget.", null,
                new JsonObject
                {
                    ["reason"] = "DisruptionBudget",
                    ["message"] = $"The disruption budget {budgets[0].Name} needs {status.Number("desiredHealthy") ?? 0} healthy pods and has {status.Number("currentHealthy") ?? 0} currently",
                });
        writer.Change(ResourceTable.PodDisruptionBudgets, pod.Namespace, budgets[0].Name, budget =>
        {
            JsonObject counts = budget.Ensure("status");
            counts["disruptionsAllowed"] = (counts.Number("disruptionsAllowed") ?? 0) - 1;
            counts.Ensure("disruptedPods")[pod.Name] = writer.Now();
        }, "status");
    }

    private async Task ScaleAsync(HttpContext context, RequestInfo info, ResourceDefinition definition)
    {
        StoredObject target = writer.Store.Get(definition, info.Namespace, info.Name!) ?? throw ApiError.NotFound(definition, info.Name!);
        if (info.Verb is "update" or "patch")
        {
            byte[] body = await context.Request.ReadBytesAsync();
            JsonObject wanted = info.Verb == "update"
                ? JsonAnswers.Parse(body, context.Request.ContentType) as JsonObject ?? throw ApiError.BadRequest("the body is not an object")
                : PatchApplication.Of(definition, info.Name!, context.Request.ContentType?.Replace("strategic-merge", "merge"), body)(ScaleOf(target));
            if (wanted.Text("metadata", "resourceVersion") is { Length: > 0 } version && version != target.Value.Text("metadata", "resourceVersion"))
                throw ApiError.Modified(definition, info.Name!);
            long replicas = wanted.Number("spec", "replicas") ?? 0;
            if (replicas < 0)
                throw ApiError.Invalid(definition, info.Name!, "spec.replicas", $"Invalid value: {replicas}: must be greater than or equal to 0");
            target = writer.Change(definition, info.Namespace, info.Name!, value => value.Ensure("spec")["replicas"] = replicas)
                ?? throw ApiError.NotFound(definition, info.Name!);
        }
        else if (info.Verb != "get")
            throw ApiError.MethodNotAllowed();
        await context.Response.WriteAsync(200, ScaleOf(target));
    }

    private static JsonObject ScaleOf(StoredObject target) => new()
    {
        ["kind"] = "Scale",
        ["apiVersion"] = "autoscaling/v1",
        ["metadata"] = new JsonObject
        {
            ["name"] = target.Name,
            ["namespace"] = target.Namespace,
            ["uid"] = target.Uid,
            ["resourceVersion"] = target.Value.Text("metadata", "resourceVersion"),
            ["creationTimestamp"] = target.Value.Text("metadata", "creationTimestamp"),
        },
        ["spec"] = new JsonObject { ["replicas"] = target.Value.Number("spec", "replicas") ?? 0 },
        ["status"] = new JsonObject
        {
            ["replicas"] = target.Value.Number("status", "replicas") ?? 0,
            ["selector"] = Selectors.Of(target.Value.Map("spec", "selector")).ToString(),
        },
    };

    private static JsonObject Success(int code = 201) => new()
    {
        ["kind"] = "Status",
        ["apiVersion"] = "v1",
        ["metadata"] = new JsonObject(),
        ["status"] = "Success",
        ["code"] = code,
    };
}
