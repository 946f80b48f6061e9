using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using NodeAgent.Kubernetes.Serialization;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Requests;

/// <summary>Bodies in and out: JSON, and YAML where the client says so.</summary>
internal static class JsonAnswers
{
    public static Task WriteAsync(this HttpResponse response, int code, JsonNode body) => response.WriteAsync(code, body.Bytes());

    public static async Task WriteAsync(this HttpResponse response, int code, ReadOnlyMemory<byte> body)
    {
        response.StatusCode = code;
        response.ContentType = "application/json";
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, response.HttpContext.RequestAborted);
    }

    public static Task WriteAsync(this HttpResponse response, ApiError error)
    {
        if (error.RetryAfterSeconds is { } seconds)
            response.Headers.RetryAfter = seconds.ToString();
        return response.WriteAsync(error.Code, error.ToStatus());
    }

    public static async Task<byte[]> ReadBytesAsync(this HttpRequest request)
    {
        using MemoryStream body = new();
        await request.Body.CopyToAsync(body, request.HttpContext.RequestAborted);
        return body.ToArray();
    }

    public static async Task<JsonObject> ReadObjectAsync(this HttpRequest request) =>
        await request.ReadOptionalObjectAsync() ?? throw ApiError.BadRequest("the request has no body");

    public static async Task<JsonObject?> ReadOptionalObjectAsync(this HttpRequest request)
    {
        byte[] body = await request.ReadBytesAsync();
        return body.Length == 0 ? null : Parse(body, request.ContentType) as JsonObject ?? throw ApiError.BadRequest("the body is not an object");
    }

    public static JsonNode? Parse(byte[] body, string? contentType)
    {
        if (contentType?.Contains("protobuf", StringComparison.Ordinal) == true)
            return ProtobufBodies.Parse(body);
        try
        {
            return contentType?.Contains("yaml", StringComparison.Ordinal) == true
                ? YamlJson.Parse(System.Text.Encoding.UTF8.GetString(body))
                : JsonNode.Parse(body, documentOptions: new JsonDocumentOptions { MaxDepth = 200 });
        }
        catch (Exception e) when (e is JsonException or YamlFormatException)
        {
            throw ApiError.BadRequest($"the object provided is unrecognized: {e.Message}");
        }
    }
}
