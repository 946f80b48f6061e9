using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Probes;

/// <summary>httpGet, HTTPS without verification. Each probe has a connection of its own. Source: pkg/probe/http.</summary>
internal sealed class HttpProber : IDisposable
{
    private const int MaximumRequests = 10;
    private readonly HttpMessageInvoker _http;
    private readonly TimeProvider _time;

    /// <summary>Creates the prober.</summary>
    public HttpProber(ProbeConnector connector, TimeProvider time)
    {
        _time = time;
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            PooledConnectionLifetime = TimeSpan.Zero,
            PooledConnectionIdleTimeout = TimeSpan.Zero,
            ConnectTimeout = Timeout.InfiniteTimeSpan,
            ActivityHeadersPropagator = null,
            // Whether the container answers is asked, not who it is.
#pragma warning disable CA5359
            SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore CA5359
            ConnectCallback = async (context, token) => new NetworkStream(
                await connector.ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, token), ownsSocket: true),
        });
    }

    /// <summary>One try.</summary>
    public async Task<AttemptResult> ProbeAsync(ProbeAttempt attempt, CancellationToken stop)
    {
        HTTPGetAction action = attempt.Handler.HttpGet!;
        if (ProbeSupport.Port(action.Port, attempt.Container, out string problem) is not { } port)
        {
            return new(AttemptOutcome.Error, problem);
        }

        HttpProbeRequest request;
        try
        {
            request = HttpProbeRequest.Create(action, attempt.PodIP, port);
        }
        catch (UriFormatException e)
        {
            return new(AttemptOutcome.Error, $"httpGet has no valid address: {e.Message}");
        }

        await using var deadline = new ProbeDeadline(attempt.Timeout, _time, stop);
        return await RequestAsync(request, deadline, stop);
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<AttemptResult> RequestAsync(HttpProbeRequest request, ProbeDeadline deadline, CancellationToken stop)
    {
        Uri first = request.Url;
        for (int sent = 1; ; sent++)
        {
            HttpResponseMessage response;
            try
            {
                using HttpRequestMessage message = Message(request);
                response = await _http.SendAsync(message, deadline.Token);
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException && !stop.IsCancellationRequested)
            {
                return deadline.Judge(e, $"Get \"{request.Url.OriginalString}\": {Reason(request.Url, e)}");
            }

            using (response)
            {
                if (Redirect(response, request, first) is not { } next)
                {
                    return await ReadAsync(response, request.Url, deadline, stop);
                }

                if (sent >= MaximumRequests)
                {
                    return new(AttemptOutcome.Failure, $"Get \"{next.Url.OriginalString}\": stopped after {MaximumRequests} redirects");
                }

                request = next;
            }
        }
    }

    internal static HttpRequestMessage Message(HttpProbeRequest request)
    {
        var message = new HttpRequestMessage(HttpMethod.Get, request.Url)
        {
            Version = HttpVersion.Version11,
            // Over TLS the server may choose HTTP/2.
            VersionPolicy = request.Url.Scheme == "https" ? HttpVersionPolicy.RequestVersionOrHigher : HttpVersionPolicy.RequestVersionExact,
        };
        message.Headers.ConnectionClose = true;
        if (request.Host is not null)
        {
            message.Headers.TryAddWithoutValidation("Host", request.Host);
        }

        foreach ((string name, string value) in request.Headers)
        {
            if (!message.Headers.TryAddWithoutValidation(name, value))
            {
                // Headers of a body, such as Content-Type, need one to hang on.
                message.Content ??= new ByteArrayContent([]);
                message.Content.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return message;
    }

    // The next request, or null where the answer stands: no redirect, or one to another host.
    internal static HttpProbeRequest? Redirect(HttpResponseMessage response, HttpProbeRequest request, Uri first)
    {
        if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not { } location)
        {
            return null;
        }

        var target = new Uri(request.Url, location);
        return target.Scheme is not ("http" or "https") || !target.Host.Equals(first.Host, StringComparison.OrdinalIgnoreCase) ? null
            : request with { Url = target, Host = location.IsAbsoluteUri ? null : request.Host };
    }

    private static async Task<AttemptResult> ReadAsync(HttpResponseMessage response, Uri url, ProbeDeadline deadline, CancellationToken stop)
    {
        string body;
        try
        {
            body = await BodyAsync(response, deadline.Token);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException && !stop.IsCancellationRequested)
        {
            // As upstream: an answer that breaks off says nothing.
            return new(AttemptOutcome.Error, $"reading the answer of {url.OriginalString}: {Reason(url, e)}");
        }

        return (int)response.StatusCode switch
        {
            >= 200 and < 300 => new(AttemptOutcome.Success, body),
            >= 300 and < 400 => new(AttemptOutcome.Warning, $"Probe terminated redirects, Response body: {body}"),
            int status => new(AttemptOutcome.Failure, $"HTTP probe failed with statuscode: {status}"),
        };
    }

    private static async Task<string> BodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[ProbeSupport.MaximumOutput];
        int length = 0;
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        while (length < buffer.Length && await stream.ReadAsync(buffer.AsMemory(length), cancellationToken) is var read and > 0)
        {
            length += read;
        }

        return Encoding.UTF8.GetString(buffer, 0, length);
    }

    private static string Reason(Uri url, Exception e) => e switch
    {
        OperationCanceledException => "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        HttpRequestException { InnerException: SocketException socket } => ProbeConnector.Describe(url.IdnHost, url.Port, socket),
        HttpRequestException { HttpRequestError: HttpRequestError.ResponseEnded } => "EOF",
        HttpRequestException { InnerException: { } inner } => inner.Message,
        _ => e.Message,
    };
}
