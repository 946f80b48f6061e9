using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Server;

/// <summary>Who may ask, and with which certificate the server answers.</summary>
/// <param name="Certificate">Serving certificate.</param>
/// <param name="Authenticator">Authentication.</param>
/// <param name="Authorizer">Authorization.</param>
public sealed record KubeletServerSecurity(IServingCertificate Certificate, RequestAuthenticator Authenticator, IRequestAuthorizer Authorizer);

/// <summary>The node's HTTP servers: 10250 (TLS, every path authenticated and authorized), 10248 (healthz), 10255 (read-only, where configured).</summary>
public sealed partial class KubeletServer : IAsyncDisposable
{
    private const string ListenerKey = "nodeagent.listener";
    private const int LargestHead = 1024 * 1024;
    private const int WebWindow = 256 * 1024;
    private readonly KubeletServerOptions _options;
    private readonly KubeletServerSecurity _security;
    private readonly KubeletEndpoints _endpoints;
    private readonly ServerMetrics _metrics;
    private readonly ConnectionAdmission _admission = new();
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly WebApplication _application;
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Makes the servers; nothing listens before <see cref="StartAsync"/>.</summary>
    public KubeletServer(KubeletServerOptions options, KubeletServerSecurity security, KubeletServerContent content, ILoggerFactory loggers, TimeProvider time)
    {
        _options = options;
        _time = time;
        _security = security;
        _endpoints = new KubeletEndpoints(content, options);
        _metrics = new ServerMetrics(content.Metrics, time);
        _logger = loggers.CreateLogger<KubeletServer>();
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(Configure);
        _application = builder.Build();
        _application.Run(HandleAsync);
    }

    private enum Listener
    {
        Main,
        ReadOnly,
        Healthz,
    }

    /// <summary>Addresses listened on: main, then healthz, then read-only as far as they are on.</summary>
    public IReadOnlyList<Uri> Addresses =>
        [.. _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(a => new Uri(a))];

    /// <summary>Connections of peers that have not shown who they are.</summary>
    internal int Strangers => _admission.Strangers;

    /// <summary>Binds all ports.</summary>
    /// <exception cref="IOException">A port is taken; names it.</exception>
    public Task StartAsync(CancellationToken cancellationToken) =>
        // Without any address Kestrel would take one of its own.
        _options is { Enabled: false, HealthzPort: <= 0, ReadOnlyPort: <= 0 } ? Task.CompletedTask : _application.StartAsync(cancellationToken);

    /// <summary>Ends streams, closes the ports.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(2));
        await _application.StopAsync(patience.Token);
        await _application.DisposeAsync();
        _stopping.Dispose();
    }

    private void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestHeadersTotalSize = LargestHead;
        kestrel.Limits.MaxRequestLineSize = LargestHead;
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(90);
        kestrel.Limits.RequestHeadersTimeout = _options.HeadLimit;
        // No endpoint reads bodies: what comes unasked is not kept.
        kestrel.Limits.Http2.InitialConnectionWindowSize = WebWindow;
        kestrel.Limits.Http2.InitialStreamWindowSize = WebWindow;
        // Logs and streams may be silent for hours.
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Limits.MinRequestBodyDataRate = null;
        if (_options.Enabled)
        {
            kestrel.Listen(_options.Address, _options.Port, listen =>
            {
                Mark(listen, Listener.Main);
                listen.Protocols = HttpProtocols.Http1AndHttp2;
                listen.UseHttps(Https());
            });
        }

        if (_options.HealthzPort > 0)
        {
            kestrel.Listen(_options.HealthzAddress, _options.HealthzPort, listen => Mark(listen, Listener.Healthz));
        }

        if (_options.ReadOnlyPort > 0)
        {
            kestrel.Listen(_options.Address, _options.ReadOnlyPort, listen => Mark(listen, Listener.ReadOnly));
        }
    }

    private HttpsConnectionAdapterOptions Https() => new()
    {
        ServerCertificateSelector = (_, _) => _security.Certificate.Current?.TargetCertificate,
        SslProtocols = _options.Protocols,
        // As upstream a certificate is asked for, not required; who may do what is decided for each request.
        ClientCertificateMode = _options.ClientCAFile.Length > 0 ? ClientCertificateMode.AllowCertificate : ClientCertificateMode.NoCertificate,
        ClientCertificateValidation = (_, _, _) => true,
        HandshakeTimeout = _options.HeadLimit,
        OnAuthenticate = (_, tls) =>
        {
            tls.CertificateRevocationCheckMode = X509RevocationMode.NoCheck;
            // A stranger's certificate must not make the node fetch what it names.
            tls.CertificateChainPolicy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
            if (_security.Certificate.Current is { } whole)
            {
                // The selector above gives the leaf alone; clients that know only the root need the intermediates.
                tls.ServerCertificateSelectionCallback = null;
                tls.ServerCertificateContext = whole;
            }

            if (_options.CipherSuites.Count > 0)
            {
                tls.CipherSuitesPolicy = new CipherSuitesPolicy(_options.CipherSuites);
            }
        },
    };

    private void Mark(ListenOptions listen, Listener listener)
    {
        listen.Protocols = HttpProtocols.Http1;
        _admission.Guard(listen);
        listen.Use(next => connection =>
        {
            connection.Items[ListenerKey] = listener;
            return next(connection);
        });
    }

    private async Task HandleAsync(HttpContext context)
    {
        Listener listener = context.Features.Get<IConnectionItemsFeature>()?.Items.TryGetValue(ListenerKey, out object? value) == true ? (Listener)value! : Listener.Main;
        ConnectionAdmission.Peer? peer = ConnectionAdmission.Of(context);
        using ServerMetrics.Request measured = _metrics.Begin(context.Request.Method, context.Request.Path.Value ?? "/", listener == Listener.Main);
        // Whoever does not take an answer in time is cut off, unless it is a stream.
        using CancellationTokenSource limit = new(_options.AnswerLimit, _time);
        using CancellationTokenRegistration cut = limit.Token.Register(context.Abort);
        bool welcome = peer?.Begin(context) != false;
        try
        {
            if (welcome)
            {
                await AnswerAsync(context, listener, peer, limit);
            }
            else
            {
                Refuse(context);
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has gone.
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            LogFailed(context.Request.Path.Value ?? "/", e.Message);
            await context.Response.TextAsync(StatusCodes.Status500InternalServerError, e.Message);
        }
        finally
        {
            peer?.End();
        }
    }

    private async Task AnswerAsync(HttpContext context, Listener listener, ConnectionAdmission.Peer? peer, CancellationTokenSource limit)
    {
        switch (listener)
        {
            case Listener.Healthz:
                await (context.Request.Path.StartsWithSegments("/healthz", StringComparison.Ordinal) ? _endpoints.HealthzAsync(context)
                    : context.Response.TextAsync(StatusCodes.Status404NotFound, "404 page not found\n"));
                break;
            case Listener.ReadOnly:
                await _endpoints.HandleAsync(context, readOnly: true, _stopping.Token);
                break;
            default:
                if (await AdmitAsync(context, peer))
                {
                    if (KubeletEndpoints.IsStream(context.Request.Path))
                    {
                        limit.CancelAfter(Timeout.InfiniteTimeSpan);
                    }

                    await _endpoints.HandleAsync(context, readOnly: false, _stopping.Token);
                }

                break;
        }
    }

    // Without a body: a peer whose window is closed could hold it back.
    private static void Refuse(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status429TooManyRequests;
        context.Response.Headers.RetryAfter = "1";
        context.Response.ContentLength = 0;
    }

    private async Task<bool> AdmitAsync(HttpContext context, ConnectionAdmission.Peer? peer)
    {
        RequestUser? user;
        try
        {
            user = await _security.Authenticator.AuthenticateAsync(
                context.Connection.ClientCertificate, context.Request.Headers.Authorization.FirstOrDefault(), context.RequestAborted);
        }
        catch (TooManyReviewsException)
        {
            Refuse(context);
            return false;
        }

        if (user is null)
        {
            await context.Response.TextAsync(StatusCodes.Status401Unauthorized, "Unauthorized");
            return false;
        }

        if (user != RequestUser.Anonymous)
        {
            peer?.Trust();
        }

        NodeRequestAttributes attributes = NodeRequestAttributes.Of(context.Request.Method, context.Request.Path.Value ?? "/");
        foreach (string subresource in attributes.Subresources)
        {
            try
            {
                if (await _security.Authorizer.IsAllowedAsync(user, attributes.Verb, subresource, context.RequestAborted))
                {
                    return true;
                }
            }
            catch (KubernetesException e)
            {
                LogFailed(context.Request.Path.Value ?? "/", e.Message);
                await context.Response.TextAsync(StatusCodes.Status500InternalServerError,
                    $"Authorization error (user={user.Name}, verb={attributes.Verb}, resource=nodes, subresource={subresource})");
                return false;
            }
        }

        await context.Response.TextAsync(StatusCodes.Status403Forbidden,
            $"Forbidden (user={user.Name}, verb={attributes.Verb}, resource=nodes, subresource(s)=[{string.Join(' ', attributes.Subresources)}])\n");
        return false;
    }

    [LoggerMessage(3111, LogLevel.Warning, "Request {Path} failed: {Cause}")]
    private partial void LogFailed(string path, string cause);

    /// <summary>The process' own host decides about signals.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
