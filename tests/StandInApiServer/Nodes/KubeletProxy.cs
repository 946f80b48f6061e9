using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using NodeAgent.StandIn.Requests;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Nodes;

/// <summary>
/// Requests that a node answers: logs, exec, attach, port-forward, nodes/proxy. The kubelet is spoken to in HTTP/1.1 with our client
/// certificate; after its 101 the bytes of both sides are passed on untouched.
/// </summary>
internal sealed class KubeletProxy(ObjectStore store, X509Certificate2 clientCertificate)
{
    public Task PodAsync(HttpContext context, RequestInfo info)
    {
        StoredObject pod = store.Get(ResourceTable.Pods, info.Namespace, info.Name!) ?? throw ApiError.NotFound(ResourceTable.Pods, info.Name!);
        string node = pod.Value.Text("spec", "nodeName") ?? "";
        if (node.Length == 0)
            throw ApiError.BadRequest($"pod {info.Name} does not have a host assigned");
        if (info.Subresource is "log" or "exec" or "attach" && context.Request.Query["container"].ToString().Length == 0)
            OnlyContainer(pod);
        return ForwardAsync(context, node, PathFor(context.Request, info, pod));
    }

    public Task NodeAsync(HttpContext context, RequestInfo info) =>
        ForwardAsync(context, info.Name!, $"/{info.Rest}{context.Request.QueryString}");

    private static string PathFor(HttpRequest request, RequestInfo info, StoredObject pod)
    {
        string container = request.Query["container"].ToString() is { Length: > 0 } named ? named : OnlyContainer(pod);
        List<string> query = [];
        foreach ((string key, Microsoft.Extensions.Primitives.StringValues values) in request.Query)
            foreach (string? value in values)
                if (KubeletName(info.Subresource!, key, value ?? "") is { } parameter)
                    query.Add(parameter);
        string path = info.Subresource switch
        {
            "log" => $"/containerLogs/{info.Namespace}/{info.Name}/{container}",
            "portforward" => $"/portForward/{info.Namespace}/{info.Name}",
            _ => $"/{info.Subresource}/{info.Namespace}/{info.Name}/{container}",
        };
        return query.Count == 0 ? path : $"{path}?{string.Join('&', query)}";
    }

    // The API's stdin=true is the kubelet's input=1; everything else keeps its name.
    private static string? KubeletName(string subresource, string key, string value)
    {
        if (key == "container")
            return null;
        if (subresource is not ("exec" or "attach"))
            return $"{key}={Uri.EscapeDataString(value)}";
        string? flag = key switch { "stdin" => "input", "stdout" => "output", "stderr" => "error", "tty" => "tty", _ => null };
        if (flag is null)
            return $"{key}={Uri.EscapeDataString(value)}";
        return value is "true" or "1" ? $"{flag}=1" : null;
    }

    private static string OnlyContainer(StoredObject pod)
    {
        List<string> names = [.. pod.Value.Items("spec", "containers").Select(c => c.Text("name") ?? "")];
        if (names.Count == 1)
            return names[0];
        if (pod.Value.Text("metadata", "annotations", "kubectl.kubernetes.io/default-container") is { } marked && names.Contains(marked))
            return marked;
        throw ApiError.BadRequest($"a container name must be specified for pod {pod.Name}, choose one of: [{string.Join(' ', names)}]");
    }

    private (string Host, int Port) AddressOf(string node)
    {
        StoredObject found = store.Get(ResourceTable.Nodes, "", node) ?? throw ApiError.NotFound(ResourceTable.Nodes, node);
        List<System.Text.Json.Nodes.JsonObject> addresses = found.Value.Items("status", "addresses");
        string? host = null;
        foreach (string type in new[] { "InternalIP", "ExternalIP", "Hostname" })
            host ??= addresses.Find(a => a.Text("type") == type)?.Text("address");
        long port = found.Value.Number("status", "daemonEndpoints", "kubeletEndpoint", "Port") ?? 0;
        return (host ?? throw new ApiError(500, "InternalError", $"no preferred addresses found; known addresses: [] (node {node})"), port == 0 ? 10250 : (int)port);
    }

    private async Task ForwardAsync(HttpContext context, string node, string path)
    {
        (string host, int port) = AddressOf(node);
        CancellationToken aborted = context.RequestAborted;
        IHttpUpgradeFeature? upgrade = context.Features.Get<IHttpUpgradeFeature>();
        bool upgrading = upgrade?.IsUpgradableRequest == true;
        if (upgrading)
            RefuseTunnels(context.Request);
        using TcpClient connection = new() { NoDelay = true };
        await using SslStream kubelet = await ConnectAsync(connection, host, port, aborted);
        await kubelet.WriteAsync(await HeadAsync(context.Request, path, $"{host}:{port}", upgrading), aborted);
        HttpReader answer = new(kubelet);
        HttpHead head = await answer.ReadHeadAsync(aborted);
        if (head.Code == 101 && upgrading)
        {
            foreach ((string name, string value) in head.Headers)
                if (!name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
                    context.Response.Headers.Append(name, value);
            await using Stream client = await upgrade!.UpgradeAsync();
            await PumpAsync(client, kubelet, answer, aborted);
            return;
        }
        context.Response.StatusCode = head.Code;
        if (head.Find("Content-Type") is { } type)
            context.Response.ContentType = type;
        await context.Response.StartAsync(aborted);
        await answer.CopyBodyAsync(head, context.Response.Body, aborted);
    }

    // kubectl asks for a WebSocket that carries the newer protocols first and falls back to SPDY when it is refused; the real server
    // would speak SPDY to the node in that case too.
    private static void RefuseTunnels(HttpRequest request)
    {
        string protocols = request.Headers.SecWebSocketProtocol.ToString();
        if (protocols.Contains("v5.channel.k8s.io") || protocols.Contains("SPDY/3.1+portforward.k8s.io"))
            throw ApiError.BadRequest("the stand-in API server has no WebSocket tunnels: use SPDY");
    }

    private async Task<SslStream> ConnectAsync(TcpClient connection, string host, int port, CancellationToken cancellationToken)
    {
        try
        {
            await connection.ConnectAsync(host, port, cancellationToken);
            SslStream stream = new(connection.GetStream(), false, (_, _, _, _) => true);
            await stream.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = host,
                    ClientCertificates = [clientCertificate],
                    ApplicationProtocols = [SslApplicationProtocol.Http11],
                    LocalCertificateSelectionCallback = (_, _, _, _, _) => clientCertificate,
                },
                cancellationToken);
            return stream;
        }
        catch (Exception e) when (e is SocketException or IOException or System.Security.Authentication.AuthenticationException)
        {
            throw new ApiError(500, "InternalError", $"Get \"https://{host}:{port}\": {e.Message}");
        }
    }

    private static async Task<byte[]> HeadAsync(HttpRequest request, string path, string authority, bool upgrading)
    {
        StringBuilder head = new($"{request.Method} {path} HTTP/1.1\r\nHost: {authority}\r\n");
        foreach ((string name, Microsoft.Extensions.Primitives.StringValues values) in request.Headers)
        {
            bool drop = name.StartsWith(':') || name is "Host" or "Authorization" or "Content-Length" or "Transfer-Encoding" or "Accept-Encoding"
                || name.StartsWith("Impersonate-") || (!upgrading && name is "Connection" or "Upgrade");
            if (!drop)
                foreach (string? value in values)
                    head.Append(name).Append(": ").Append(value).Append("\r\n");
        }
        byte[] body = upgrading ? [] : await request.ReadBytesAsync();
        if (!upgrading)
            head.Append("Connection: close\r\n");
        if (request.Method is not ("GET" or "HEAD"))
            head.Append($"Content-Length: {body.Length}\r\n");
        return [.. Encoding.Latin1.GetBytes(head.Append("\r\n").ToString()), .. body];
    }

    private static async Task PumpAsync(Stream client, Stream kubelet, HttpReader answer, CancellationToken aborted)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        Task down = CopyAsync(answer.ReadAsync, client, end.Token);
        Task up = CopyAsync(client.ReadAsync, kubelet, end.Token);
        // When the kubelet has said everything it is over; a client that stops sending may still read.
        await Task.WhenAny(down, up.ContinueWith(_ => down, TaskScheduler.Default).Unwrap());
        await end.CancelAsync();
        await Task.WhenAll(down, up);
    }

    private static async Task CopyAsync(Func<Memory<byte>, CancellationToken, ValueTask<int>> read, Stream to, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[32 * 1024];
        try
        {
            int count;
            while ((count = await read(buffer, cancellationToken)) > 0)
            {
                await to.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
                await to.FlushAsync(cancellationToken);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // One side went away: the other is closed by the caller.
        }
    }
}
