using System.Net;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>A request to the API server failed: answered with an error (<see cref="ApiException"/>) or not answered at all
/// (<see cref="ApiUnreachableException"/>).</summary>
public abstract class KubernetesException(string message, Exception? inner) : Exception(message, inner);

/// <summary>
/// No usable answer came: the connection failed, was lost or dropped, a time limit passed, or what came was no API answer.
/// Whether a changing request took effect is unknown.
/// </summary>
public sealed class ApiUnreachableException(string message, Exception? inner = null, bool timedOut = false)
    : KubernetesException(message, inner)
{
    /// <summary>True when the request's time limit passed.</summary>
    public bool TimedOut { get; } = timedOut;
}

/// <summary>The API server answered with an error.</summary>
public sealed class ApiException : KubernetesException
{
    /// <summary>Wraps the server's answer.</summary>
    /// <param name="status">The server's Status, or one made from the HTTP answer.</param>
    /// <param name="statusCode">The HTTP status.</param>
    /// <param name="request">Method and path, for the message; never a query with secrets.</param>
    /// <param name="retryAfter">When to come back at the earliest, as the server said.</param>
    public ApiException(Status status, HttpStatusCode statusCode, string request, TimeSpan? retryAfter = null)
        : base(MessageOf(status, statusCode, request), null)
    {
        ArgumentNullException.ThrowIfNull(status);
        Status = status;
        StatusCode = statusCode;
        RetryAfter = retryAfter;
    }

    /// <summary>The server's Status object: reason, message, details.</summary>
    public Status Status { get; }

    /// <summary>The HTTP status; of a watch's ERROR event, its code.</summary>
    public HttpStatusCode StatusCode { get; }

    /// <summary>Retry-After of the answer, or the Status's retryAfterSeconds.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>The Status's reason, for example NotFound; empty when unknown.</summary>
    public string Reason => Status.Reason ?? "";

    /// <summary>404.</summary>
    public bool IsNotFound => StatusCode == HttpStatusCode.NotFound;

    /// <summary>409 because of an older resource version.</summary>
    public bool IsConflict => StatusCode == HttpStatusCode.Conflict && Reason != "AlreadyExists";

    /// <summary>409 because the name is taken.</summary>
    public bool IsAlreadyExists => Reason == "AlreadyExists";

    /// <summary>410: the resource version or continue token is too old.</summary>
    public bool IsExpired => StatusCode == HttpStatusCode.Gone || Reason is "Expired" or "Gone";

    /// <summary>401.</summary>
    public bool IsUnauthorized => StatusCode == HttpStatusCode.Unauthorized;

    /// <summary>403.</summary>
    public bool IsForbidden => StatusCode == HttpStatusCode.Forbidden;

    /// <summary>422: validation failed; a repetition fails too.</summary>
    public bool IsInvalid => StatusCode == HttpStatusCode.UnprocessableEntity;

    /// <summary>429.</summary>
    public bool IsTooManyRequests => StatusCode == HttpStatusCode.TooManyRequests;

    /// <summary>403 because the namespace is going away.</summary>
    public bool IsNamespaceTerminating => IsForbidden && HasCause("NamespaceTerminating");

    /// <summary>True when the details list a cause with this reason.</summary>
    public bool HasCause(string reason) => Status.Details?.Causes.Any(cause => cause.Reason == reason) ?? false;

    private static string MessageOf(Status status, HttpStatusCode code, string request) =>
        string.IsNullOrEmpty(status?.Message) ? $"{request}: the API server answered {(int)code} {code}" : status.Message;
}
