using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using NodeAgent.StandIn.Identity;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Requests;

/// <summary>Reads and writes of stored kinds.</summary>
internal sealed class ResourceRequests(ObjectWriter writer, ListRequests lists, WatchRequests watches, Subresources subresources)
{
    public async Task AnswerAsync(HttpContext context, UserInfo user, RequestInfo info)
    {
        ResourceDefinition definition = info.Definition ?? throw ApiError.NoSuchPath();
        if (info.Subresource is { } subresource && !definition.Subresources.Contains(subresource))
            throw ApiError.NoSuchPath();
        if (info.Subresource is not null && await subresources.TryAnswerAsync(context, info, definition))
            return;
        switch (info.Verb)
        {
            case "list":
                await lists.AnswerAsync(context, info, definition);
                break;
            case "watch":
                await watches.AnswerAsync(context, info, definition);
                break;
            case "get":
                await context.Response.WriteAsync(200, Find(info, definition).Bytes);
                break;
            case "create":
                await CreateAsync(context, user, info, definition);
                break;
            case "update":
                await UpdateAsync(context, info, definition);
                break;
            case "patch":
                await PatchAsync(context, info, definition);
                break;
            case "delete":
                await DeleteAsync(context, info, definition);
                break;
            case "deletecollection":
                await DeleteCollectionAsync(context, info, definition);
                break;
            default:
                throw ApiError.MethodNotAllowed();
        }
    }

    private static bool IsDryRun(HttpContext context) => context.Request.Query["dryRun"] == "All";

    private StoredObject Find(RequestInfo info, ResourceDefinition definition) =>
        writer.Store.Get(definition, info.Namespace, info.Name!) ?? throw ApiError.NotFound(definition, info.Name!);

    private async Task CreateAsync(HttpContext context, UserInfo user, RequestInfo info, ResourceDefinition definition)
    {
        if (info.Name is not null)
            throw ApiError.MethodNotAllowed();
        JsonObject value = await context.Request.ReadObjectAsync();
        if (value.Text("kind") is { } kind && kind != definition.Kind)
            throw ApiError.BadRequest($"{kind} in version \"{value.Text("apiVersion")}\" cannot be handled as a {definition.Kind}");
        if (definition == ResourceTable.CertificateSigningRequests)
            foreach ((string field, JsonNode? stamp) in user.ToJson())
                value.Ensure("spec")[field] = stamp!.DeepClone();
        if (user.NodeName is { } node)
            NodeRestriction.CheckCreate(definition, value, node);
        string? namespaceName = definition.Namespaced ? info.Namespace ?? throw ApiError.MethodNotAllowed() : "";
        StoredObject created = writer.Create(definition, namespaceName, value, IsDryRun(context));
        await context.Response.WriteAsync(201, created.Bytes);
    }

    private async Task UpdateAsync(HttpContext context, RequestInfo info, ResourceDefinition definition)
    {
        JsonObject value = await context.Request.ReadObjectAsync();
        if (info.Name is null)
            throw ApiError.MethodNotAllowed();
        StoredObject updated = writer.Update(definition, info.Namespace, info.Name, value, info.Subresource, IsDryRun(context));
        await context.Response.WriteAsync(200, updated.Bytes);
    }

    private async Task PatchAsync(HttpContext context, RequestInfo info, ResourceDefinition definition)
    {
        byte[] body = await context.Request.ReadBytesAsync();
        if (info.Name is null)
            throw ApiError.MethodNotAllowed();
        Func<JsonObject, JsonObject> patch = PatchApplication.Of(definition, info.Name, context.Request.ContentType, body);
        StoredObject patched = writer.Patch(definition, info.Namespace, info.Name, patch, info.Subresource, IsDryRun(context));
        await context.Response.WriteAsync(200, patched.Bytes);
    }

    private async Task DeleteAsync(HttpContext context, RequestInfo info, ResourceDefinition definition)
    {
        JsonObject options = await OptionsAsync(context);
        StoredObject last = writer.Delete(definition, info.Namespace, info.Name!, options, out bool gone, IsDryRun(context));
        if (!gone || definition == ResourceTable.Pods)
        {
            await context.Response.WriteAsync(200, last.Bytes);
            return;
        }
        JsonObject details = ApiError.DetailsOf(definition, last.Name);
        details["uid"] = last.Uid;
        await context.Response.WriteAsync(200, new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Success",
            ["details"] = details,
        });
    }

    private async Task DeleteCollectionAsync(HttpContext context, RequestInfo info, ResourceDefinition definition)
    {
        JsonObject options = await OptionsAsync(context);
        IQueryCollection query = context.Request.Query;
        ObjectFilter filter = ObjectFilter.Parse(definition, info.Namespace, query["labelSelector"], query["fieldSelector"]);
        List<StoredObject> deleted = [];
        foreach (StoredObject item in writer.Store.List(definition).Where(filter.Matches))
        {
            try
            {
                deleted.Add(writer.Delete(definition, item.Namespace, item.Name, options, out _, IsDryRun(context)));
            }
            catch (ApiError e) when (e.Code == 404)
            {
                // Somebody else was faster.
            }
        }
        JsonObject metadata = new() { ["resourceVersion"] = writer.Store.Revision.ToString() };
        await context.Response.WriteAsync(200, ListRequests.Render(definition, metadata, deleted));
    }

    private static async Task<JsonObject> OptionsAsync(HttpContext context)
    {
        JsonObject options = await context.Request.ReadOptionalObjectAsync() ?? [];
        if (ListRequests.Number(context.Request.Query, "gracePeriodSeconds") is { } grace)
            options["gracePeriodSeconds"] = grace;
        if (context.Request.Query["propagationPolicy"].ToString() is { Length: > 0 } policy)
            options["propagationPolicy"] = policy;
        return options;
    }
}
