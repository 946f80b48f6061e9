using System.Net;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using NodeAgent.Linux.Network;

namespace NodeAgent.Proxy.Health;

/// <summary>A small HTTP server on given addresses. Kestrel alone, without the host and the services of a web application: they would be half of the proxy's start.</summary>
public sealed class HttpListeners : IAsyncDisposable
{
    // What these servers answer is for everybody, so every client is a stranger; none needs more.
    private const int ConnectionsPerAddress = 64, Connections = 512, LargestHead = 16 * 1024;
    private static readonly TimeSpan HeadLimit = TimeSpan.FromSeconds(10), IdleLimit = TimeSpan.FromSeconds(90);

    private readonly KestrelServer _server;

    private HttpListeners(KestrelServer server) => _server = server;

    /// <summary>Binds the addresses and answers. 0.0.0.0 opens both families unless <paramref name="oneFamily"/>.</summary>
    /// <exception cref="IOException">An address is taken or not this host's; names it.</exception>
    public static async Task<HttpListeners> StartAsync(
        IReadOnlyList<IPEndPoint> addresses, bool oneFamily, Func<HttpRequest, HttpAnswer> answer, CancellationToken cancellationToken)
    {
        KestrelServer server = new(
            Options.Create(Configure(addresses, oneFamily)),
            new SocketTransportFactory(Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance),
            NullLoggerFactory.Instance);
        try
        {
            await server.StartAsync(new Answers(answer), cancellationToken);
            return new HttpListeners(server);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            server.Dispose();
            throw new IOException($"cannot listen on {string.Join(", ", addresses)}: {e.Message}", e);
        }
    }

    /// <summary>Closes the ports.</summary>
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _server.StopAsync(patience.Token);
        _server.Dispose();
    }

    private static KestrelServerOptions Configure(IReadOnlyList<IPEndPoint> addresses, bool oneFamily)
    {
        KestrelServerOptions kestrel = new() { AddServerHeader = false };
        Limit(kestrel.Limits);
        UntrustedConnections clients = new(ConnectionsPerAddress, Connections);
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

        return kestrel;
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

    private sealed class Answers(Func<HttpRequest, HttpAnswer> answer) : IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public Task ProcessRequestAsync(HttpContext context) => WriteAsync(context, answer(context.Request));

        public void DisposeContext(HttpContext context, Exception? exception)
        {
        }
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
