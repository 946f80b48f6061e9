using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.StandInApiServer.Tests;

public sealed class KubeletProxyTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    [Fact]
    public async Task An_upgraded_exec_passes_bytes_both_ways_and_names_the_kubelets_parameters()
    {
        string ns = await fixture.NewNamespaceAsync();
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Task<string> kubelet = EchoOnceAsync(listener);
        await PlaceAsync(ns, "exec-node", ((IPEndPoint)listener.LocalEndpoint).Port);
        await using SslStream client = await ConnectAsync();
        await client.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /api/v1/namespaces/{ns}/pods/p/exec?command=sh&command=-c&stdin=true&stdout=true&tty=false HTTP/1.1\r\nHost: x\r\n"
            + "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"));
        string head = await HeadAsync(client);
        Assert.StartsWith("HTTP/1.1 101", head, StringComparison.Ordinal);
        Assert.Contains("X-Stream-Protocol-Version: v4.channel.k8s.io", head, StringComparison.OrdinalIgnoreCase);
        byte[] buffer = new byte[100];
        int hello = await client.ReadAsync(buffer);
        Assert.Equal("hello", Encoding.ASCII.GetString(buffer, 0, hello));
        await client.WriteAsync("ping"u8.ToArray());
        int pong = await client.ReadAsync(buffer);
        Assert.Equal("ping", Encoding.ASCII.GetString(buffer, 0, pong));
        string request = await kubelet;
        Assert.StartsWith($"POST /exec/{ns}/p/c?command=sh&command=-c&input=1&output=1 HTTP/1.1", request, StringComparison.Ordinal);
        Assert.Contains("Upgrade: SPDY/3.1", request, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Logs_of_a_pod_come_from_its_node()
    {
        string ns = await fixture.NewNamespaceAsync();
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Task<string> kubelet = AnswerOnceAsync(listener, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nline\r\n1\r\n\n\r\n0\r\n\r\n");
        await PlaceAsync(ns, "log-node", ((IPEndPoint)listener.LocalEndpoint).Port);
        byte[] text = await fixture.Admin.RawAsync(HttpMethod.Get, $"/api/v1/namespaces/{ns}/pods/p/log?tailLines=5&container=c");
        Assert.Equal("line\n", Encoding.ASCII.GetString(text));
        Assert.StartsWith($"GET /containerLogs/{ns}/p/c?tailLines=5 HTTP/1.1", await kubelet, StringComparison.Ordinal);
    }

    private async Task PlaceAsync(string ns, string node, int port)
    {
        await fixture.NewReadyNodeAsync(node);
        await fixture.Admin.PatchAsync<Node>(null, node, Patch.Merge(JsonNode.Parse(
            $"{{\"status\":{{\"daemonEndpoints\":{{\"kubeletEndpoint\":{{\"Port\":{port}}}}}}}}}")!), "status");
        await fixture.Admin.CreateAsync(ServerFixture.Pod(ns, "p", node));
    }

    private async Task<SslStream> ConnectAsync()
    {
        TcpClient connection = new();
        await connection.ConnectAsync(IPAddress.Loopback, fixture.Server.Address.Port);
        SslStream stream = new(connection.GetStream(), false, (_, _, _, _) => true);
        ClientCertificate certificate = (await fixture.Server.AdminConfiguration().ClientCertificate!.GetAsync(CancellationToken.None))!;
        await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            ClientCertificateContext = certificate.Context,
            ApplicationProtocols = [SslApplicationProtocol.Http11],
        });
        return stream;
    }

    private static async Task<SslStream> AcceptAsync(TcpListener listener)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        X509Certificate2 certificate = new CertificateRequest("CN=kubelet", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
        TcpClient connection = await listener.AcceptTcpClientAsync();
        SslStream stream = new(connection.GetStream(), false, (_, _, _, _) => true);
        await stream.AuthenticateAsServerAsync(certificate, clientCertificateRequired: true, checkCertificateRevocation: false);
        Assert.Contains("kube-apiserver-kubelet-client", stream.RemoteCertificate!.Subject, StringComparison.Ordinal);
        return stream;
    }

    private static async Task<string> EchoOnceAsync(TcpListener listener)
    {
        await using SslStream stream = await AcceptAsync(listener);
        string head = await HeadAsync(stream);
        await stream.WriteAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\nhello"u8.ToArray());
        byte[] buffer = new byte[100];
        int count = await stream.ReadAsync(buffer);
        await stream.WriteAsync(buffer.AsMemory(0, count));
        return head;
    }

    private static async Task<string> AnswerOnceAsync(TcpListener listener, string answer)
    {
        await using SslStream stream = await AcceptAsync(listener);
        string head = await HeadAsync(stream);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(answer));
        await stream.ShutdownAsync();
        return head;
    }

    private static async Task<string> HeadAsync(SslStream stream)
    {
        StringBuilder head = new();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one) == 1)
            head.Append((char)one[0]);
        return head.ToString();
    }
}
