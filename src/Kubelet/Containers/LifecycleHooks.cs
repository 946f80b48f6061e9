using System.Net.Sockets;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubernetes.Objects;
using ApiContainer = NodeAgent.Kubernetes.Objects.Container;

namespace NodeAgent.Kubelet.Containers;

/// <summary>One run of a handler.</summary>
/// <param name="Pod">Its pod, for events; null where only the runtime knows it.</param>
/// <param name="Container">The container's spec, for named ports.</param>
/// <param name="Handler">The handler.</param>
/// <param name="ContainerId">The instance.</param>
/// <param name="PodIP">For HTTP without a host; null while the pod has none.</param>
internal sealed record LifecycleCall(Pod? Pod, ApiContainer Container, LifecycleHandler Handler, string ContainerId, string? PodIP);

/// <summary>Runs postStart and preStop handlers. Source: pkg/kubelet/lifecycle/handlers.go.</summary>
internal sealed class LifecycleHooks : IDisposable
{
    private const string UserAgent = "kube-lifecycle/1.36";
    private const int MaximumRequests = 10;
    private static readonly HttpRequestOptionsKey<FirstBytesStream> Connection = new("connection");
    /// <summary>What a timer can wait for at most, in seconds.</summary>
    private const int LongestSleep = 4_000_000;
    private readonly IRuntimeService _runtime;
    private readonly IPodEventRecorder _events;
    private readonly TimeProvider _time;
    private readonly HttpMessageInvoker _http;

    /// <param name="runtime">For exec.</param>
    /// <param name="events">For the fall-back event.</param>
    /// <param name="time">Clock.</param>
    public LifecycleHooks(IRuntimeService runtime, IPodEventRecorder events, TimeProvider time)
    {
        (_runtime, _events, _time) = (runtime, events, time);
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            PooledConnectionLifetime = TimeSpan.Zero,
            ConnectTimeout = Timeout.InfiniteTimeSpan,
            ActivityHeadersPropagator = null,
#pragma warning disable CA5359 // A pod's own certificate is nobody's to vouch for; upstream does not verify it either.
            SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
#pragma warning restore CA5359
            ConnectCallback = ConnectAsync,
        });
    }

    /// <summary>Null where it succeeded, else what went wrong.</summary>
    public async Task<string?> RunAsync(LifecycleCall call, CancellationToken cancellationToken)
    {
        LifecycleHandler handler = call.Handler;
        try
        {
            if (handler.Exec is { } exec)
            {
                var request = new ExecSyncRequest { ContainerId = call.ContainerId };
                request.Cmd.AddRange(exec.Command);
                ExecSyncResponse reply = await _runtime.ExecSyncAsync(request, cancellationToken).WaitAsync(cancellationToken);
                return reply.ExitCode == 0 ? null : $"Exec lifecycle hook failed with exit code {reply.ExitCode}: {reply.Stdout.ToStringUtf8()}{reply.Stderr.ToStringUtf8()}";
            }

            if (handler.HttpGet is { } http)
            {
                await GetAsync(call, http, cancellationToken);
                return null;
            }

            if (handler.Sleep is { } sleep)
            {
                await Task.Delay(TimeSpan.FromSeconds(Math.Clamp(sleep.Seconds, 0, LongestSleep)), _time, cancellationToken);
                return null;
            }

            return "handler has none of exec, httpGet and sleep";
        }
        catch (Exception e) when (e is CriException or HttpRequestException or IOException or UriFormatException or FormatException)
        {
            return e.Message;
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task GetAsync(LifecycleCall call, HTTPGetAction action, CancellationToken cancellationToken)
    {
        int port = ProbeSupport.Port(action.Port, call.Container, out string problem) ?? throw new FormatException(problem);
        string host = action.Host is { Length: > 0 } given ? given : call.PodIP ?? throw new FormatException("the pod has no address yet");
        HttpProbeRequest request = HttpProbeRequest.Create(action, host, port, UserAgent);
        try
        {
            await SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException e) when (e.Data[nameof(FirstBytesStream)] is FirstBytesStream { SawHttp: true })
        {
            // Long ago HTTPS hooks were sent as HTTP whatever they said; pods that came to depend on it still work.
            HttpProbeRequest plain = request with
            {
                Url = HttpProbeRequest.Exact("http" + request.Url.OriginalString["https".Length..]),
                Headers = [.. request.Headers.Where(h => !h.Key.Equals("Authorization", StringComparison.OrdinalIgnoreCase))],
            };
            await SendAsync(plain, cancellationToken);
            if (call.Pod is { } pod)
            {
                _events.Record(pod, null, "Warning", "LifecycleHTTPFallback",
                    $"request to HTTPS lifecycle hook {request.Url.Authority} got HTTP response, retry with HTTP succeeded");
            }
        }
    }

    // The status does not count: that the server was reached does.
    private async Task SendAsync(HttpProbeRequest request, CancellationToken cancellationToken)
    {
        Uri first = request.Url;
        for (int sent = 1; ; sent++)
        {
            using HttpRequestMessage message = HttpProber.Message(request);
            try
            {
                using HttpResponseMessage reply = await _http.SendAsync(message, cancellationToken);
                if (HttpProber.Redirect(reply, request, first) is not { } next)
                {
                    return;
                }

                request = sent < MaximumRequests ? next
                    : throw new HttpRequestException($"Get \"{next.Url.OriginalString}\": stopped after {MaximumRequests} redirects");
            }
            catch (HttpRequestException e) when (message.Options.TryGetValue(Connection, out FirstBytesStream? connection))
            {
                e.Data[nameof(FirstBytesStream)] = connection;
                throw;
            }
        }
    }

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        var stream = new FirstBytesStream(new NetworkStream(socket, ownsSocket: true));
        context.InitialRequestMessage.Options.Set(Connection, stream);
        return stream;
    }
}
