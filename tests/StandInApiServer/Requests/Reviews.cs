using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using NodeAgent.StandIn.Identity;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Requests;

/// <summary>Questions that are answered and not stored: who has this token, may they.</summary>
internal sealed class Reviews(Authenticator authenticator, Authorizer authorizer)
{
    public bool Handles(RequestInfo info) => info.Plural is "tokenreviews" or "selfsubjectreviews" or "subjectaccessreviews"
        or "selfsubjectaccessreviews" or "localsubjectaccessreviews";

    public async Task AnswerAsync(HttpContext context, UserInfo user, RequestInfo info)
    {
        if (info.Verb != "create")
            throw ApiError.MethodNotAllowed();
        JsonObject review = await context.Request.ReadObjectAsync();
        review.Ensure("metadata").Default("creationTimestamp", "1970-01-01T00:00:00Z");
        review["status"] = info.Plural switch
        {
            "tokenreviews" => Token(review),
            "selfsubjectreviews" => new JsonObject { ["userInfo"] = user.ToJson() },
            "selfsubjectaccessreviews" => Access(review, user),
            _ => Access(review, UserInfoOf(review)),
        };
        await context.Response.WriteAsync(201, review);
    }

    private JsonObject Token(JsonObject review)
    {
        List<string> audiences = review.Texts("spec", "audiences");
        List<string> asked = audiences.Count == 0 ? [ServiceAccountTokens.Issuer] : audiences;
        return authenticator.OfToken(review.Text("spec", "token") ?? "", asked) is { } user
            ? new JsonObject { ["authenticated"] = true, ["user"] = user.ToJson(), ["audiences"] = JsonAccess.ListOf(asked) }
            : new JsonObject { ["user"] = new JsonObject(), ["error"] = "[invalid bearer token]" };
    }

    private static UserInfo UserInfoOf(JsonObject review) =>
        new(review.Text("spec", "user") ?? "", review.Text("spec", "uid") ?? "", review.Texts("spec", "groups"));

    private JsonObject Access(JsonObject review, UserInfo user)
    {
        AccessRequest request;
        if (review.Map("spec", "resourceAttributes") is { } resource)
            request = new AccessRequest(user, resource.Text("verb") ?? "")
            {
                Group = resource.Text("group") ?? "",
                Resource = resource.Text("resource") ?? "",
                Subresource = resource.Text("subresource") ?? "",
                Namespace = resource.Text("namespace") ?? "",
                Name = resource.Text("name") ?? "",
            };
        else if (review.Map("spec", "nonResourceAttributes") is { } path)
            request = new AccessRequest(user, path.Text("verb") ?? "") { Path = path.Text("path") ?? "" };
        else
            throw ApiError.BadRequest("exactly one of nonResourceAttributes or resourceAttributes must be specified");
        bool allowed = authorizer.Allows(request);
        return allowed ? new JsonObject { ["allowed"] = true } : new JsonObject { ["allowed"] = false, ["reason"] = Authorizer.Describe(request) };
    }
}
