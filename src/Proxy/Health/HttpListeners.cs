using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Linux.Network;

namespace NodeAgent.Proxy.Health;

/// <summary>A small HTTP server on given addresses.</summary>
public sealed class HttpListeners : IAsyncDisposable
{
    // What these servers answer is for everybody, so every client is a stranger; none needs more.
    private const int ConnectionsPerAddress = 64, Connections = 512, LargestHead = 16 * 1024;
    private static readonly TimeSpan HeadLimit = TimeSpan.FromSeconds(10), IdleLimit = TimeSpan.FromSeconds(90);

    private readonly WebApplication _application;

    private HttpListeners(WebApplication application) => _application = application;

    /// <summary>Binds the addresses and answers. 0.0.0.0 opens both families unless <paramref name="oneFamily"/>.</summary>
    /// <exception cref="IOException">An address is taken or not this host's; names it.</exception>
    public static async Task<HttpListeners> StartAsync(
        IReadOnlyList<IPEndPoint> addresses, bool oneFamily, Func<HttpRequest, HttpAnswer> answer, CancellationToken cancellationToken)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<ILoggerFactory>(NullLoggerFactory.Instance);
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        UntrustedConnections clients = new(ConnectionsPerAddress, Connections);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            Limit(kestrel.Limits);
            foreach (IPEndPoint address in addresses)
            {
                if (!oneFamily && address.Address.Equals(IPAddress.Any))
                {
                    kestrel.ListenAnyIP(address.Port, listen => Guard(listen, clients));
                }
                else
                {
                    kestrel.Listen(address, listen => Guard(listen, clients));
                }
            }
        });
        WebApplication application = builder.Build();
        application.Run(context => WriteAsync(context, answer(context.Request)));
        try
        {
            await application.StartAsync(cancellationToken);
            return new HttpListeners(application);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            await application.DisposeAsync();
            throw new IOException($"cannot listen on {string.Join(", ", addresses)}: {e.Message}", e);
        }
    }

    /// <summary>Closes the ports.</summary>
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _application.StopAsync(patience.Token);
        await _application.DisposeAsync();
    }

    private static void Limit(KestrelServerLimits limits)
    {
        limits.MaxRequestHeadersTotalSize = LargestHead;
        limits.MaxRequestBufferSize = LargestHead;
        limits.MaxRequestBodySize = LargestHead;
        limits.RequestHeadersTimeout = HeadLimit;
        limits.KeepAliveTimeout = IdleLimit;
    }

    private static void Guard(ListenOptions listen, UntrustedConnections clients)
    {
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(next => async connection =>
        {
            IPAddress peer = (connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None;
            using UntrustedConnections.Connection place = clients.Add(peer, () => connection.Abort(new ConnectionAbortedException("newer connections came")));
            await next(connection);
        });
    }

    private static async Task WriteAsync(HttpContext context, HttpAnswer answer)
    {
        byte[] body = Encoding.UTF8.GetBytes(answer.Body);
        context.Response.StatusCode = answer.Code;
        context.Response.ContentType = answer.ContentType;
        context.Response.ContentLength = body.Length;
        context.Response.Headers.XContentTypeOptions = "nosniff";
        if (answer.Weight is { } weight)
        {
            context.Response.Headers["X-Load-Balancing-Endpoint-Weight"] = weight;
        }

        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
        }
    }

    /// <summary>The process' own host decides about signals.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

/// <summary>An answer.</summary>
/// <param name="Code">Status code.</param>
/// <param name="ContentType">Content type.</param>
/// <param name="Body">Text.</param>
/// <param name="Weight">X-Load-Balancing-Endpoint-Weight; null = no such header.</param>
public sealed record HttpAnswer(int Code, string ContentType, string Body, string? Weight = null)
{
    /// <summary>JSON.</summary>
    public static HttpAnswer Json(int code, string body) => new(code, "application/json", body);

    /// <summary>Plain text.</summary>
    public static HttpAnswer Text(int code, string body) => new(code, "text/plain; charset=utf-8", body);
}
