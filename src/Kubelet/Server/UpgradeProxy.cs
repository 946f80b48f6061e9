using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace NodeAgent.Kubelet.Server;

/// <summary>
/// Hands an upgraded connection (SPDY/3.1 or WebSocket) through to the runtime's streaming server, byte for byte, without looking inside.
/// Source: apimachinery/pkg/util/proxy/upgradeaware.go.
/// </summary>
public static class UpgradeProxy
{
    private const int BufferSize = 32 * 1024;
    private const int LargestHead = 64 * 1024;
    private const int LargestRefusal = 64 * 1024;

    /// <summary>Passes the request on and copies until either side ends.</summary>
    /// <param name="context">The client's request; must be an upgrade.</param>
    /// <param name="target">The URL the runtime gave.</param>
    /// <param name="cancellationToken">Server stop.</param>
    public static async Task ForwardAsync(HttpContext context, Uri target, CancellationToken cancellationToken)
    {
        IHttpUpgradeFeature? upgrade = context.Features.Get<IHttpUpgradeFeature>();
        if (upgrade is not { IsUpgradableRequest: true })
        {
            throw new StreamingException(StatusCodes.Status500InternalServerError, "Upgrade request required");
        }

        await using Stream backend = await ConnectAsync(target, cancellationToken);
        await backend.WriteAsync(RequestHead(context.Request, target, context.Connection.RemoteIpAddress?.ToString()), cancellationToken);
        (ResponseHead head, byte[] rest) = await ReadHeadAsync(backend, cancellationToken);
        CopyHeaders(head, context.Response);
        if (head.StatusCode != StatusCodes.Status101SwitchingProtocols)
        {
            await RefuseAsync(context.Response, head, rest, backend, cancellationToken);
            return;
        }

        await using Stream client = await upgrade.UpgradeAsync();
        if (rest.Length > 0)
        {
            await client.WriteAsync(rest, cancellationToken);
        }

        await CopyBothAsync(client, backend, cancellationToken);
    }

    /// <summary>The head of the request to the runtime: the client's headers, the runtime's path.</summary>
    internal static byte[] RequestHead(HttpRequest request, Uri target, string? clientAddress)
    {
        StringBuilder head = new();
        head.Append(CultureInfo.InvariantCulture, $"{request.Method} {target.PathAndQuery} HTTP/1.1\r\n");
        foreach ((string name, StringValues values) in request.Headers)
        {
            // Credentials are for this server; the runtime's URL holds a token of its own.
            if (name.Equals("Authorization", StringComparison.OrdinalIgnoreCase) || name.Equals("Cookie", StringComparison.OrdinalIgnoreCase)
                || name.Equals("X-Forwarded-For", StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            foreach (string? value in values)
            {
                head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
            }
        }

        string forwarded = string.Join(", ", request.Headers["X-Forwarded-For"].Append(clientAddress).Where(v => !string.IsNullOrEmpty(v)));
        if (forwarded.Length > 0)
        {
            head.Append(CultureInfo.InvariantCulture, $"X-Forwarded-For: {forwarded}\r\n");
        }

        return Encoding.Latin1.GetBytes(head.Append("\r\n").ToString());
    }

    private static async Task<Stream> ConnectAsync(Uri target, CancellationToken cancellationToken)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(target.Host.Trim('[', ']'), target.Port, cancellationToken);
            NetworkStream network = new(socket, ownsSocket: true);
            if (target.Scheme != Uri.UriSchemeHttps)
            {
                return network;
            }

            // On this host the runtime's certificate is its own (mostly self-signed) business: the URL came over the CRI socket.
            bool onThisHost = socket.RemoteEndPoint is IPEndPoint { Address: var peer } && socket.LocalEndPoint is IPEndPoint { Address: var own } && peer.Equals(own);
            SslStream tls = new(network, leaveInnerStreamOpen: false, (_, _, _, errors) => onThisHost || errors == SslPolicyErrors.None);
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = target.Host }, cancellationToken);
            return tls;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new StreamingException(StatusCodes.Status500InternalServerError, $"error dialing backend: {e.Message}", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<(ResponseHead Head, byte[] Beyond)> ReadHeadAsync(Stream backend, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[LargestHead];
        int length = 0;
        while (length < buffer.Length)
        {
            int read = await backend.ReadAsync(buffer.AsMemory(length), cancellationToken);
            if (read == 0)
            {
                break;
            }

            length += read;
            int end = buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8);
            if (end >= 0)
            {
                return (ResponseHead.Parse(Encoding.Latin1.GetString(buffer, 0, end)), buffer[(end + 4)..length]);
            }
        }

        throw new StreamingException(StatusCodes.Status500InternalServerError, "the runtime's streaming server closed the connection before it answered");
    }

    private static void CopyHeaders(ResponseHead head, HttpResponse response)
    {
        foreach ((string name, string value) in head.Headers)
        {
            bool ours = name.Equals("Connection", StringComparison.OrdinalIgnoreCase) || name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase)
                || name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase);
            if (!ours)
            {
                response.Headers.Append(name, value);
            }
        }
    }

    private static async Task RefuseAsync(HttpResponse response, ResponseHead head, byte[] rest, Stream backend, CancellationToken cancellationToken)
    {
        response.StatusCode = head.StatusCode;
        using MemoryStream body = new();
        body.Write(rest);
        long wanted = Math.Min(head.ContentLength ?? rest.Length, LargestRefusal);
        byte[] buffer = new byte[4096];
        while (body.Length < wanted)
        {
            int read = await backend.ReadAsync(buffer, cancellationToken);
            if (read == 0)
            {
                break;
            }

            body.Write(buffer.AsSpan(0, read));
        }

        await response.Body.WriteAsync(body.ToArray(), cancellationToken);
    }

    private static async Task CopyBothAsync(Stream client, Stream backend, CancellationToken cancellationToken)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task toClient = CopyAsync(backend, client, end.Token);
        Task toBackend = CopyAsync(client, backend, end.Token);
        await Task.WhenAny(toClient, toBackend);
        await end.CancelAsync();
        await Task.WhenAll(toClient, toBackend);
    }

    private static async Task CopyAsync(Stream from, Stream to, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[BufferSize];
        try
        {
            int read;
            while ((read = await from.ReadAsync(buffer, cancellationToken)) > 0)
            {
                await to.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                await to.FlushAsync(cancellationToken);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // One side has gone: the end of a stream, not a failure of ours.
        }
    }

    /// <summary>Status line and headers of an answer.</summary>
    internal sealed record ResponseHead(int StatusCode, IReadOnlyList<(string Name, string Value)> Headers)
    {
        public long? ContentLength => Headers.FirstOrDefault(h => h.Name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase)).Value is { } text
            && long.TryParse(text, CultureInfo.InvariantCulture, out long value) ? value : null;

        public static ResponseHead Parse(string text)
        {
            string[] lines = text.Split("\r\n");
            string[] status = lines[0].Split(' ', 3);
            if (status.Length < 2 || !status[0].StartsWith("HTTP/1.", StringComparison.Ordinal) || !int.TryParse(status[1], CultureInfo.InvariantCulture, out int code))
            {
                throw new StreamingException(StatusCodes.Status500InternalServerError, "the runtime's streaming server did not answer in HTTP");
            }

            return new ResponseHead(code, [.. lines.Skip(1).Select(l => l.Split(':', 2)).Where(p => p.Length == 2).Select(p => (p[0].Trim(), p[1].Trim()))]);
        }
    }
}
