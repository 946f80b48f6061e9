using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Requests;

/// <summary>An answer that is a failure: becomes a Status object.</summary>
internal sealed class ApiError(int code, string reason, string message) : Exception(message)
{
    public int Code => code;

    public JsonObject? Details { get; init; }

    public int? RetryAfterSeconds { get; init; }

    public static ApiError BadRequest(string message) => new(400, "BadRequest", message);

    public static ApiError Unauthorized() => new(401, "Unauthorized", "Unauthorized");

    public static ApiError NotFound(ResourceDefinition definition, string name) =>
        new(404, "NotFound", $"{definition.QualifiedName} \"{name}\" not found") { Details = DetailsOf(definition, name) };

    public static ApiError NoSuchPath() => new(404, "NotFound", "the server could not find the requested resource") { Details = [] };

    public static ApiError MethodNotAllowed() =>
        new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource") { Details = [] };

    public static ApiError AlreadyExists(ResourceDefinition definition, string name) =>
        new(409, "AlreadyExists", $"{definition.QualifiedName} \"{name}\" already exists") { Details = DetailsOf(definition, name) };

    public static ApiError Conflict(ResourceDefinition definition, string name, string message) =>
        new(409, "Conflict", $"Operation cannot be fulfilled on {definition.QualifiedName} \"{name}\": {message}") { Details = DetailsOf(definition, name) };

    public static ApiError Modified(ResourceDefinition definition, string name) =>
        Conflict(definition, name, "the object has been modified; please apply your changes to the latest version and try again");

    public static ApiError Expired(string message) => new(410, "Expired", message);

    public static ApiError UnsupportedMediaType(string message) => new(415, "UnsupportedMediaType", message);

    public static ApiError Invalid(ResourceDefinition definition, string name, string field, string problem)
    {
        JsonObject details = DetailsOf(definition, name, definition.Kind);
        details["causes"] = new JsonArray(new JsonObject { ["reason"] = "FieldValueInvalid", ["message"] = problem, ["field"] = field });
        string kind = definition.Type.Group.Length == 0 ? definition.Kind : $"{definition.Kind}.{definition.Type.Group}";
        return new(422, "Invalid", $"{kind} \"{name}\" is invalid: {field}: {problem}") { Details = details };
    }

    public static ApiError Forbidden(ResourceDefinition definition, string name, string message) =>
        new(403, "Forbidden", $"{definition.QualifiedName} \"{name}\" is forbidden: {message}") { Details = DetailsOf(definition, name) };

    public static ApiError TooManyRequests(string message, int? retryAfter, params JsonObject[] causes) =>
        new(429, "TooManyRequests", message) { RetryAfterSeconds = retryAfter, Details = new JsonObject { ["causes"] = JsonAccess.ListOf(causes) } };

    public static ApiError TooLargeResourceVersion(long asked, long current) =>
        new(504, "Timeout", $"Timeout: Too large resource version: {asked}, current: {current}")
        {
            RetryAfterSeconds = 1,
            Details = new JsonObject
            {
                ["causes"] = new JsonArray(new JsonObject { ["reason"] = "ResourceVersionTooLarge", ["message"] = "Too large resource version" }),
            },
        };

    public static JsonObject DetailsOf(ResourceDefinition definition, string name, string? kind = null)
    {
        JsonObject details = new() { ["name"] = name };
        if (definition.Type.Group.Length > 0)
            details["group"] = definition.Type.Group;
        details["kind"] = kind ?? definition.Plural;
        return details;
    }

    public JsonObject ToStatus()
    {
        JsonObject status = new()
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = Message,
            ["reason"] = reason,
        };
        JsonObject? details = Details?.Copy();
        if (RetryAfterSeconds is { } seconds)
            (details ??= [])["retryAfterSeconds"] = seconds;
        if (details is not null)
            status["details"] = details;
        status["code"] = code;
        return status;
    }
}
