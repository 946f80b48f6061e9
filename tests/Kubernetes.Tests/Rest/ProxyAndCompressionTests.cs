using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Tests.Rest;

public sealed class ProxyAndCompressionTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Answers_come_compressed_unless_the_kubeconfig_says_no(bool disabled)
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        string? accepted = null;
        server.Answer = async context =>
        {
            accepted = context.Request.Headers.AcceptEncoding.FirstOrDefault();
            context.Response.ContentType = "application/json";
            if (accepted is null)
            {
                await ScriptedApiServer.JsonAsync(context, """{"metadata":{"name":"a"}}""");
                return;
            }
            context.Response.Headers.ContentEncoding = "gzip";
            await using GZipStream zip = new(context.Response.Body, CompressionLevel.Fastest);
            await zip.WriteAsync("""{"metadata":{"name":"a"}}"""u8.ToArray());
        };
        using KubernetesClient client = new(server.Configuration with { DisableCompression = disabled });
        Assert.Equal("a", (await client.GetAsync<Node>(null, "a")).Metadata.Name);
        Assert.Equal(disabled ? null : "gzip", accepted);
    }

    [Fact]
    public async Task Requests_go_through_the_proxy_of_the_kubeconfig_with_its_user()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        server.Answer = context => ScriptedApiServer.JsonAsync(context, """{"metadata":{"name":"a"}}""");
        using TcpListener proxy = new(IPAddress.Loopback, 0);
        proxy.Start();
        Task<List<string>> asked = TunnelAsync(proxy, server.Address.Port);
        int port = ((IPEndPoint)proxy.LocalEndpoint).Port;
        using KubernetesClient client = new(server.Configuration with { Proxy = new Uri($"http://me:p%40ss@127.0.0.1:{port}") });
        Assert.Equal("a", (await client.GetAsync<Node>(null, "a")).Metadata.Name);
        List<string> heads = await asked;
        Assert.StartsWith($"CONNECT {server.Address.Host}:{server.Address.Port} ", heads[0], StringComparison.Ordinal);
        Assert.Contains("Proxy-Authorization: Basic " + Convert.ToBase64String("me:p@ss"u8), heads[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("10.0.0.1/8", "https://10.9.9.9:6443", true)]
    [InlineData("10.0.0.0/8", "https://11.0.0.1:6443", false)]
    [InlineData("fd00::1/64", "https://[fd00::99]:6443", true)]
    [InlineData("fd00::/64", "https://[fd00:0:0:1::99]:6443", false)]
    [InlineData("10.0.0.0/99", "https://10.0.0.1:6443", false)]
    [InlineData("10.0.0.1", "https://10.0.0.1:6443", true)]
    [InlineData("10.0.0.1:6443", "https://10.0.0.1:6443", true)]
    [InlineData("10.0.0.1:443", "https://10.0.0.1:6443", false)]
    [InlineData("example.com", "https://api.example.com", true)]
    [InlineData(".example.com", "https://example.com", false)]
    [InlineData(".example.com", "https://API.example.com", true)]
    [InlineData("*.example.com", "https://api.example.com", true)]
    [InlineData("ample.com", "https://example.com", false)]
    [InlineData("api.example.com:443", "https://api.example.com", true)]
    [InlineData("x, *", "https://anything", true)]
    [InlineData("", "https://localhost:6443", true)]
    [InlineData("", "https://127.0.0.5:6443", true)]
    [InlineData("", "https://10.0.0.1:6443", false)]
    public void Exceptions_are_read_as_Go_reads_NO_PROXY(string exceptions, string address, bool bypassed)
    {
        EnvironmentProxy proxy = new(null, new Uri("http://proxy:3128"), exceptions);
        Assert.Equal(bypassed, proxy.IsBypassed(new Uri(address)));
    }

    // Answers CONNECT and passes bytes; gives the heads of what it was asked, a refused try without credentials included.
    private static async Task<List<string>> TunnelAsync(TcpListener listener, int port)
    {
        List<string> heads = [];
        while (true)
        {
            TcpClient client = await listener.AcceptTcpClientAsync();
            NetworkStream stream = client.GetStream();
            bool authorized;
            do
            {
                string head = await HeadAsync(stream);
                heads.Add(head);
                authorized = head.Contains("Proxy-Authorization", StringComparison.OrdinalIgnoreCase);
                if (!authorized)
                    await stream.WriteAsync("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
            }
            while (!authorized);
            TcpClient server = new();
            await server.ConnectAsync(IPAddress.Loopback, port);
            await stream.WriteAsync("HTTP/1.1 200 OK\r\n\r\n"u8.ToArray());
            _ = stream.CopyToAsync(server.GetStream());
            _ = server.GetStream().CopyToAsync(stream);
            return heads;
        }
    }

    private static async Task<string> HeadAsync(NetworkStream stream)
    {
        StringBuilder head = new();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await stream.ReadExactlyAsync(one);
            head.Append((char)one[0]);
        }
        return head.ToString();
    }
}
