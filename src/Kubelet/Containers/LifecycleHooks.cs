using System.Net.Http.Headers;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Kubernetes.Objects;
using ApiContainer = NodeAgent.Kubernetes.Objects.Container;

namespace NodeAgent.Kubelet.Containers;

/// <summary>Runs postStart and preStop handlers. Source: pkg/kubelet/lifecycle/handlers.go.</summary>
/// <param name="runtime">For exec.</param>
/// <param name="time">Clock.</param>
internal sealed class LifecycleHooks(IRuntimeService runtime, TimeProvider time) : IDisposable
{
#pragma warning disable CA5359 // A pod's own certificate is nobody's to vouch for; upstream does not verify it either.
    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        PooledConnectionLifetime = TimeSpan.Zero,
        SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };
#pragma warning restore CA5359

    /// <summary>Null where it succeeded, else what went wrong.</summary>
    public async Task<string?> RunAsync(LifecycleHandler handler, ApiContainer c, string containerId, string? podIP, CancellationToken cancellationToken)
    {
        try
        {
            if (handler.Exec is { } exec)
            {
                var request = new ExecSyncRequest { ContainerId = containerId };
                request.Cmd.AddRange(exec.Command);
                ExecSyncResponse reply = await runtime.ExecSyncAsync(request, cancellationToken).WaitAsync(cancellationToken);
                return reply.ExitCode == 0 ? null : $"Exec lifecycle hook failed with exit code {reply.ExitCode}: {reply.Stdout.ToStringUtf8()}{reply.Stderr.ToStringUtf8()}";
            }

            if (handler.HttpGet is { } http)
            {
                await GetAsync(http, c, podIP, cancellationToken);
                return null;
            }

            if (handler.Sleep is { } sleep)
            {
                await Task.Delay(TimeSpan.FromSeconds(sleep.Seconds), time, cancellationToken);
                return null;
            }

            return "handler has none of exec, httpGet and sleep";
        }
        catch (Exception e) when (e is CriException or HttpRequestException or UriFormatException or FormatException)
        {
            return e.Message;
        }
    }

    private async Task GetAsync(HTTPGetAction http, ApiContainer c, string? podIP, CancellationToken cancellationToken)
    {
        int port = http.Port.IsString
            ? c.Ports.FirstOrDefault(p => p.Name == http.Port.StringValue)?.ContainerPortValue
                ?? (int.TryParse(http.Port.StringValue, out int number) ? number : throw new FormatException($"no port named \"{http.Port.StringValue}\""))
            : http.Port.IntValue;
        string host = http.Host is { Length: > 0 } given ? given : podIP ?? throw new FormatException("the pod has no address yet");
        host = host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;
        string scheme = (http.Scheme ?? "HTTP").ToLowerInvariant();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{scheme}://{host}:{port}/{(http.Path ?? "/").TrimStart('/')}");
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("kube-lifecycle", "1.36"));
        foreach (HTTPHeader header in http.HttpHeaders)
        {
            if (header.Name == "Host")
            {
                request.Headers.Host = header.Value;
            }
            else
            {
                request.Headers.TryAddWithoutValidation(header.Name ?? "", header.Value);
            }
        }

        // The status does not count: that the server was reached does.
        using HttpResponseMessage reply = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    public void Dispose() => _http.Dispose();
}
