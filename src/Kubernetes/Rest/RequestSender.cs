using System.Net;
using System.Net.Http.Headers;
using NodeAgent.Kubernetes.Flow;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>
/// Sends requests: rate limit, credentials, time limit, and repetition of what is safe. Repeated are: 401 once with renewed
/// credentials; 429, which means not handled; reads after a 5xx that names a time to come back, and after a lost connection.
/// </summary>
internal sealed class RequestSender(ClientConfiguration configuration, KubernetesClientOptions options, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromMinutes(1);
    private readonly ConnectionSet _connections = new(configuration, options, time);
    private readonly RateLimiter _limiter = new(options.Qps, options.Burst, time);
    private readonly bool _http2 = configuration.Server.Scheme == Uri.UriSchemeHttps;

    private readonly string _host = configuration.Server.Authority;
    private readonly string _prefix = configuration.Server.AbsoluteUri.TrimEnd('/');

    internal void DropConnections() => _connections.Drop();

    public void Dispose() => _connections.Dispose();

    /// <summary>The first final 2xx answer, its head read, its body not. The caller disposes it.</summary>
    internal async Task<Attempt> SendAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        bool renewed = false;
        for (int retries = 0; ; retries++)
        {
            long asked = time.GetTimestamp();
            await _limiter.AcceptAsync(cancellationToken);
            options.Metrics?.Waited(request.Method, _host, time.GetElapsedTime(asked));
            AuthenticationHeaderValue? credentials =
                configuration.Credentials is { } source ? await source.GetAsync(cancellationToken) : null;
            TimeSpan wait;
            try
            {
                Attempt attempt = await TryAsync(request, credentials, cancellationToken);
                return attempt;
            }
            catch (ApiException e) when (e.IsUnauthorized && !renewed && configuration.Credentials is not null)
            {
                renewed = true;
                configuration.Credentials.Rejected(credentials);
                wait = TimeSpan.Zero;
            }
            catch (ApiException e) when (retries < options.MaximumRetries && MayRepeat(request, e))
            {
                wait = e.RetryAfter!.Value;
            }
            catch (ApiUnreachableException e) when (retries < Math.Min(2, options.MaximumRetries) && MayRepeat(request, e))
            {
                wait = TimeSpan.FromSeconds(1) * retries;
            }
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, time, cancellationToken);
        }
    }

    /// <summary>Runs a request to the end of its answer and measures that.</summary>
    internal async Task<T> MeasureAsync<T>(HttpMethod method, Func<Task<T>> request)
    {
        long begun = time.GetTimestamp();
        try
        {
            return await request();
        }
        finally
        {
            options.Metrics?.Took(method, _host, time.GetElapsedTime(begun));
        }
    }

    private static bool MayRepeat(ApiRequest request, ApiException e)
    {
        if (e.RetryAfter is not { } wait || wait > LongestRetryAfter)
            return false;
        return e.IsTooManyRequests || (request.Repeatable && (int)e.StatusCode >= 500);
    }

    private static bool MayRepeat(ApiRequest request, ApiUnreachableException e) =>
        request.Repeatable && !e.TimedOut && ConnectionErrors.IsConnectionLost(e.InnerException);

    private async Task<Attempt> TryAsync(ApiRequest request, AuthenticationHeaderValue? credentials, CancellationToken cancellationToken)
    {
        Attempt attempt = new(await _connections.AcquireAsync(cancellationToken), request.Timeout, time, cancellationToken);
        bool handedOver = false;
        try
        {
            using HttpRequestMessage message = Message(request, credentials);
            attempt.Response = await attempt.Invoker.SendAsync(message, attempt.Token);
            options.Metrics?.Answered(request.Method, _host, (int)attempt.Response.StatusCode);
            if (!attempt.Response.IsSuccessStatusCode)
                throw await ErrorAsync(attempt, request);
            handedOver = true;
            return attempt;
        }
        catch (Exception e) when (ConnectionErrors.IsConnectionFailure(e))
        {
            if (attempt.Response is null)
                options.Metrics?.Answered(request.Method, _host, null);
            throw attempt.Explain(e, request.ToString(), configuration);
        }
        finally
        {
            if (!handedOver)
                attempt.Dispose();
        }
    }

    private async Task<ApiException> ErrorAsync(Attempt attempt, ApiRequest request)
    {
        using PooledBuffer body = new(4096, 1 << 20);
        await using Stream stream = await attempt.Response!.Content.ReadAsStreamAsync(attempt.Token);
        while (await body.FillAsync(stream, attempt.Token) > 0)
        {
        }
        string? hint = attempt.Response.StatusCode == HttpStatusCode.Unauthorized ? await ExpiredCertificateAsync(attempt.Token) : null;
        return ErrorAnswers.From(attempt.Response, body.Unread, request.ToString(), hint, time);
    }

    // The server says no more than "Unauthorized".
    private async Task<string?> ExpiredCertificateAsync(CancellationToken cancellationToken)
    {
        if (configuration.ClientCertificate is not { } source || await source.GetAsync(cancellationToken) is not { } certificate)
            return null;
        DateTimeOffset end = certificate.Leaf.NotAfter.ToUniversalTime();
        return end < time.GetUtcNow() ? $"the client certificate {certificate.Leaf.Subject} expired on {end:u}; renew it, or join again with a new bootstrap token" : null;
    }

    private HttpRequestMessage Message(ApiRequest request, AuthenticationHeaderValue? credentials)
    {
        HttpRequestMessage message = new(request.Method, new Uri(_prefix + request.PathAndQuery))
        {
            Version = _http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        HttpRequestHeaders headers = message.Headers;
        headers.TryAddWithoutValidation("Accept", "application/json");
        headers.TryAddWithoutValidation("User-Agent", options.UserAgent);
        headers.Authorization = credentials;
        // The handler takes the name for SNI and for the certificate from the Host header.
        if (configuration.TlsServerName is { Length: > 0 } name)
            headers.Host = name;
        if (configuration.Impersonate is { } other)
            AddImpersonation(headers, other);
        if (!request.Body.IsEmpty)
        {
            message.Content = new ReadOnlyMemoryContent(request.Body);
            message.Content.Headers.TryAddWithoutValidation("Content-Type", request.ContentType ?? "application/json");
        }
        return message;
    }

    private static void AddImpersonation(HttpRequestHeaders headers, Impersonation other)
    {
        headers.TryAddWithoutValidation("Impersonate-User", other.User);
        if (!string.IsNullOrEmpty(other.Uid))
            headers.TryAddWithoutValidation("Impersonate-Uid", other.Uid);
        foreach (string group in other.Groups)
            headers.TryAddWithoutValidation("Impersonate-Group", group);
        foreach ((string key, IReadOnlyList<string> values) in other.Extra)
        {
            foreach (string value in values)
                headers.TryAddWithoutValidation("Impersonate-Extra-" + Uri.EscapeDataString(key), value);
        }
    }
}
