using System.Globalization;
using System.Net;
using System.Text.Json;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>Turns error answers into typed ones.</summary>
internal static class ErrorAnswers
{
    /// <param name="response">The answer's head.</param>
    /// <param name="body">Its body.</param>
    /// <param name="request">Method and path.</param>
    /// <param name="hint">What is known of the cause on this side; null for nothing.</param>
    /// <param name="time">Clock.</param>
    internal static ApiException From(HttpResponseMessage response, ReadOnlySpan<byte> body, string request, string? hint, TimeProvider time)
    {
        Status status = Parse(body) ?? Generic(response.StatusCode, body, request);
        if (hint is not null)
            status = status with { Message = $"{(string.IsNullOrEmpty(status.Message) ? request : status.Message)}: {hint}" };
        TimeSpan? wait = RetryAfter(response, time)
            ?? (status.Details?.RetryAfterSeconds is > 0 and { } seconds ? TimeSpan.FromSeconds(seconds) : null);
        return new ApiException(status, response.StatusCode, request, wait);
    }

    /// <summary>The error that a watch's ERROR frame carries.</summary>
    internal static ApiException FromFrame(ReadOnlySpan<byte> frameObject, string request)
    {
        Status status = Parse(frameObject) ?? Generic(HttpStatusCode.InternalServerError, frameObject, request);
        TimeSpan? wait = status.Details?.RetryAfterSeconds is > 0 and { } seconds ? TimeSpan.FromSeconds(seconds) : null;
        return new ApiException(status, (HttpStatusCode)(status.Code ?? 500), request, wait);
    }

    internal static TimeSpan? RetryAfter(HttpResponseMessage response, TimeProvider time)
    {
        if (response.Headers.RetryAfter is not { } header)
            return null;
        TimeSpan? wait = header.Delta ?? (header.Date - time.GetUtcNow());
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    private static Status? Parse(ReadOnlySpan<byte> body)
    {
        if (body.IsEmpty || body[0] != (byte)'{')
            return null;
        try
        {
            Status status = KubernetesJson.Deserialize<Status>(body);
            return status.Kind == "Status" ? status : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static Status Generic(HttpStatusCode code, ReadOnlySpan<byte> body, string request)
    {
        // Proxies and the authentication layer answer in plain text.
        string text = System.Text.Encoding.UTF8.GetString(body[..Math.Min(body.Length, 512)]).Trim();
        string number = ((int)code).ToString(CultureInfo.InvariantCulture);
        return new Status
        {
            ApiVersion = "v1",
            Kind = "Status",
            StatusValue = "Failure",
            Code = (int)code,
            Reason = ReasonOf(code),
            Message = $"{request}: the server answered {number} {code}{(text.Length == 0 ? "" : ": " + text)}",
        };
    }

    private static string ReasonOf(HttpStatusCode code) => (int)code switch
    {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        406 => "NotAcceptable",
        409 => "Conflict",
        410 => "Gone",
        413 => "RequestEntityTooLarge",
        415 => "UnsupportedMediaType",
        422 => "Invalid",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "",
    };
}
