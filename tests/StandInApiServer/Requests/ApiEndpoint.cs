using Microsoft.AspNetCore.Http;
using NodeAgent.StandIn.Identity;
using NodeAgent.StandIn.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Requests;

/// <summary>The way of every request: who is it, what do they want, may they, do it.</summary>
internal sealed class ApiEndpoint(Authenticator authenticator, Authorizer authorizer, ResourceRequests resources, Reviews reviews, KubeletProxy kubelets)
{
    public async Task HandleAsync(HttpContext context)
    {
        try
        {
            UserInfo user = authenticator.Authenticate(context);
            if (RequestInfo.Parse(context.Request) is { } info)
                await ResourceAsync(context, user, info);
            else
                await PathAsync(context, user);
        }
        catch (ApiError error) when (!context.Response.HasStarted)
        {
            await context.Response.WriteAsync(error);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody waits for the answer any more.
        }
    }

    private async Task ResourceAsync(HttpContext context, UserInfo user, RequestInfo info)
    {
        AccessRequest access = AccessRequest.Of(user, info, context.Request.Query["fieldSelector"].ToString());
        if (!authorizer.Allows(access))
            throw info.Definition is { } known
                ? ApiError.Forbidden(known, info.Name ?? "", Authorizer.Describe(access))
                : new ApiError(403, "Forbidden", $"{info.Plural} is forbidden: {Authorizer.Describe(access)}");
        if (info.Definition is null && reviews.Handles(info))
            await reviews.AnswerAsync(context, user, info);
        else if (info.Definition == ResourceTable.Pods && info.Subresource is "log" or "exec" or "attach" or "portforward")
            await kubelets.PodAsync(context, info);
        else if (info.Definition == ResourceTable.Nodes && info.Subresource == "proxy")
            await kubelets.NodeAsync(context, info);
        else
            await resources.AnswerAsync(context, user, info);
    }

    private async Task PathAsync(HttpContext context, UserInfo user)
    {
        string path = context.Request.Path.Value ?? "/";
        AccessRequest access = new(user, context.Request.Method.ToLowerInvariant()) { Path = path };
        if (!authorizer.Allows(access))
            throw new ApiError(403, "Forbidden", $"forbidden: {Authorizer.Describe(access)}") { Details = [] };
        if (path is "/healthz" or "/livez" or "/readyz" || path.StartsWith("/livez/") || path.StartsWith("/readyz/") || path.StartsWith("/healthz/"))
        {
            context.Response.ContentType = "text/plain; charset=utf-8";
            await context.Response.WriteAsync("ok");
        }
        else
            await context.Response.WriteAsync(200, Discovery.Answer(path) ?? throw ApiError.NoSuchPath());
    }
}
