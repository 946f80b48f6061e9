using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Logs;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Server;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;
using NodeAgent.Linux.Inotify;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Tests.Server;

/// <summary>The server over real TLS connections on loopback; the runtime's streaming server is a scripted TCP peer.</summary>
public sealed class KubeletServerTests : IAsyncLifetime, IServedPods, IContainerStreams, IRequestAuthorizer
{
    private readonly string _folder = Directory.CreateTempSubdirectory("server-").FullName;
    private readonly BlockingWork _work = new();
    private readonly InotifyWatcher _inotify = new();
    private readonly TcpListener _backend = new(IPAddress.Loopback, 0);
    private readonly Pod _pod = TestPods.Pod() with
    {
        Status = new PodStatus { ContainerStatuses = [new ContainerStatus { Name = "main", ContainerID = "c://1", State = new ContainerState { Running = new ContainerStateRunning() } }] },
    };

    private readonly (X509Certificate2 Authority, X509Certificate2 Client, X509Certificate2 Stranger) _certificates = Certificates();
    private KubeletServer _server = null!;
    private StreamOptions? _asked;
    private bool _allow = true;

    IReadOnlyList<Pod> IServedPods.All => [_pod];

    public async Task InitializeAsync()
    {
        _backend.Start();
        (string certificate, string key) = SelfSignedServingCertificate.Ensure(_folder + "/pki", "localhost", [IPAddress.Loopback], DateTimeOffset.UtcNow);
        File.WriteAllText(_folder + "/ca.crt", _certificates.Authority.ExportCertificatePem());
        KubeletServerOptions options = new()
        {
            NodeName = "n1",
            Address = IPAddress.Loopback,
            Port = 0,
            HealthzPort = 0,
            ClientCAFile = _folder + "/ca.crt",
            Configz = () => "{\"kubeletconfig\":{}}"u8.ToArray(),
        };
        RequestAuthenticator authenticator = new(options, () => new ClientCABundle(options.ClientCAFile, TimeProvider.System).Current, null, TimeProvider.System,
            NullLogger<RequestAuthenticator>.Instance);
        KubeletServerContent content = new(this, this, new ContainerLogReader(_inotify, _work, TimeProvider.System), []) { Metrics = new MetricsRegistry(), ProbeMetrics = new MetricsRegistry() };
        _server = new KubeletServer(options, new KubeletServerSecurity(new FileServingCertificate(certificate, key, TimeProvider.System), authenticator, this), content,
            NullLoggerFactory.Instance, TimeProvider.System);
        await _server.StartAsync(default);
    }

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        _backend.Stop();
        _inotify.Dispose();
        _work.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Without_or_with_a_strangers_certificate_the_answer_is_401()
    {
        Assert.Equal((HttpStatusCode.Unauthorized, "Unauthorized"), await GetAsync("/pods", null));
        Assert.Equal((HttpStatusCode.Unauthorized, "Unauthorized"), await GetAsync("/pods", _certificates.Stranger));
    }

    [Fact]
    public async Task Who_may_not_gets_403_with_upstreams_text()
    {
        _allow = false;
        Assert.Equal((HttpStatusCode.Forbidden, "Forbidden (user=alice, verb=get, resource=nodes, subresource(s)=[pods proxy])\n"), await GetAsync("/pods", _certificates.Client));
    }

    [Fact]
    public async Task Pods_health_configuration_and_metrics_are_served()
    {
        (_, string pods) = await GetAsync("/pods", _certificates.Client);
        Assert.Equal("web", KubernetesJson.Deserialize<KubernetesList<Pod>>(pods).Items[0].Metadata.Name);
        Assert.Contains("\"kind\":\"PodList\"", pods, StringComparison.Ordinal);
        Assert.Equal((HttpStatusCode.OK, "ok"), await GetAsync("/healthz", _certificates.Client));
        Assert.Equal((HttpStatusCode.OK, "{\"kubeletconfig\":{}}"), await GetAsync("/configz", _certificates.Client));
        Assert.Contains("kubelet_http_requests_total{long_running=\"false\",method=\"GET\",path=\"pods\",server_type=\"readwrite\"} 1\n",
            (await GetAsync("/metrics", _certificates.Client)).Text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotImplemented, (await GetAsync("/stats/summary", _certificates.Client)).Code);
        Assert.Equal(HttpStatusCode.NotFound, (await GetAsync("/nowhere", _certificates.Client)).Code);
    }

    [Fact]
    public async Task Logs_are_served_and_refused_with_upstreams_texts()
    {
        File.WriteAllText(_folder + "/0.log", "2026-01-02T03:04:05Z stdout F hello\n2026-01-02T03:04:06Z stdout F world\n");
        Assert.Equal((HttpStatusCode.OK, "world\n"), await GetAsync("/containerLogs/default/web/main?tailLines=1", _certificates.Client));
        Assert.Equal((HttpStatusCode.NotFound, "pod \"x\" does not exist"), await GetAsync("/containerLogs/default/x/main", _certificates.Client));
        Assert.Equal((HttpStatusCode.NotFound, "container \"x\" not found in pod \"web\""), await GetAsync("/containerLogs/default/web/x", _certificates.Client));
        Assert.Equal((HttpStatusCode.BadRequest, "{\"message\": \"Unable to decode query.\"}"), await GetAsync("/containerLogs/default/web/main?tailLines=x", _certificates.Client));
        Assert.Equal((HttpStatusCode.BadRequest, "previous terminated container \"main\" in pod \"web\" not found"),
            await GetAsync("/containerLogs/default/web/main?previous=true", _certificates.Client));
    }

    [Fact]
    public async Task An_upgraded_exec_passes_bytes_both_ways_untouched()
    {
        await using SslStream client = await ConnectAsync();
        await client.WriteAsync(Encoding.ASCII.GetBytes(
            "POST /exec/default/web/main?command=sh&command=-c&command=id&input=1&output=1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n" +
            "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\nAuthorization: Bearer secret\r\nContent-Length: 0\r\n\r\n"));
        using TcpClient accepted = await _backend.AcceptTcpClientAsync().WaitAsync(TimeSpan.FromSeconds(10));
        NetworkStream runtime = accepted.GetStream();
        string request = await HeadAsync(runtime);
        Assert.StartsWith("POST /exec/token HTTP/1.1\r\n", request, StringComparison.Ordinal);
        Assert.Contains("X-Stream-Protocol-Version: v4.channel.k8s.io\r\n", request, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", request, StringComparison.Ordinal);
        Assert.Equal(new StreamOptions(true, true, false, false), _asked);
        await runtime.WriteAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\nEARLY"u8.ToArray());
        string answer = await HeadAsync(client);
        Assert.StartsWith("HTTP/1.1 101", answer, StringComparison.Ordinal);
        Assert.Contains("X-Stream-Protocol-Version: v4.channel.k8s.io\r\n", answer, StringComparison.Ordinal);
        byte[] early = new byte[5];
        await client.ReadExactlyAsync(early);
        Assert.Equal("EARLY", Encoding.ASCII.GetString(early));
        byte[] sent = RandomNumberGenerator.GetBytes(200_000), received = new byte[sent.Length], back = new byte[sent.Length];
        Task writing = client.WriteAsync(sent).AsTask();
        await runtime.ReadExactlyAsync(received);
        await writing;
        Assert.Equal(sent, received);
        Task echoing = runtime.WriteAsync(received).AsTask();
        await client.ReadExactlyAsync(back);
        await echoing;
        Assert.Equal(sent, back);
        accepted.Close();
        Assert.Equal(0, await client.ReadAsync(back).AsTask().WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task A_refusal_of_the_runtime_reaches_the_client()
    {
        await using SslStream client = await ConnectAsync();
        await client.WriteAsync("GET /portForward/default/web HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"u8.ToArray());
        using TcpClient accepted = await _backend.AcceptTcpClientAsync().WaitAsync(TimeSpan.FromSeconds(10));
        await HeadAsync(accepted.GetStream());
        await accepted.GetStream().WriteAsync("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"u8.ToArray());
        Assert.StartsWith("HTTP/1.1 404", await HeadAsync(client), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Streams_are_refused_with_upstreams_texts()
    {
        Assert.Equal((HttpStatusCode.BadRequest, "you must specify at least 1 of stdin, stdout, stderr"), await GetAsync("/exec/default/web/main?command=a", _certificates.Client));
        Assert.Equal((HttpStatusCode.NotFound, "pod does not exist"), await GetAsync("/exec/default/x/main?output=1", _certificates.Client));
        Assert.Equal((HttpStatusCode.InternalServerError, "container not found (\"x\")"), await GetAsync("/exec/default/web/x?output=1", _certificates.Client));
        Assert.Equal((HttpStatusCode.InternalServerError, "Upgrade request required"), await GetAsync("/exec/default/web/main?output=1", _certificates.Client));
        Assert.Equal(HttpStatusCode.NotImplemented, (await GetAsync("/checkpoint/default/web/main", _certificates.Client)).Code);
    }

    Pod? IServedPods.Find(string @namespace, string name) => (@namespace, name) == ("default", "web") ? _pod : null;

    RuntimePodStatus? IServedPods.Observed(PodUid uid) => new()
    {
        Pod = _pod.Ref,
        Sandboxes = [new RuntimeSandboxStatus { Id = "s1", Attempt = 0, State = RuntimeSandboxState.Ready, CreatedAt = DateTimeOffset.UnixEpoch }],
        Containers = [new RuntimeContainerStatus { Id = new ContainerId("c", "1"), Name = "main", SandboxId = "s1", RestartCount = 0, State = RuntimeContainerState.Running, LogPath = _folder + "/0.log" }],
    };

    Task<IReadOnlyList<Pod>> IServedPods.RunningAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<Pod>>([]);

    Task<Uri> IContainerStreams.ExecAsync(string containerId, IReadOnlyList<string> command, StreamOptions options, CancellationToken cancellationToken)
    {
        Assert.Equal("1", containerId);
        _asked = options;
        return Task.FromResult(Target("exec/token"));
    }

    Task<Uri> IContainerStreams.AttachAsync(string containerId, StreamOptions options, CancellationToken cancellationToken) => Task.FromResult(Target("attach/token"));

    Task<Uri> IContainerStreams.PortForwardAsync(string sandboxId, IReadOnlyList<int> ports, CancellationToken cancellationToken) => Task.FromResult(Target("portforward/token"));

    Task<(byte[] Output, int ExitCode)> IContainerStreams.ExecSyncAsync(string containerId, IReadOnlyList<string> command, CancellationToken cancellationToken) =>
        Task.FromResult<(byte[], int)>((Encoding.UTF8.GetBytes(string.Join('|', command)), 0));

    Task<bool> IContainerStreams.IsRunningAsync(string containerId, CancellationToken cancellationToken) => Task.FromResult(true);

    Task<bool> IRequestAuthorizer.IsAllowedAsync(RequestUser user, string verb, string subresource, CancellationToken cancellationToken)
    {
        Assert.Equal(("alice", "admins"), (user.Name, user.Groups[0]));
        return Task.FromResult(_allow);
    }

    private Uri Target(string path) => new($"http://127.0.0.1:{((IPEndPoint)_backend.LocalEndpoint).Port}/{path}");

    private async Task<(HttpStatusCode Code, string Text)> GetAsync(string path, X509Certificate2? certificate)
    {
        using SocketsHttpHandler handler = new()
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, c, _, _) => c!.Issuer.StartsWith("CN=localhost-ca@", StringComparison.Ordinal),
                LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate!,
            },
        };
        using HttpClient client = new(handler);
        using HttpResponseMessage response = await client.GetAsync(new Uri(_server.Addresses[0], path));
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    private async Task<SslStream> ConnectAsync()
    {
        TcpClient tcp = new();
        await tcp.ConnectAsync(IPAddress.Loopback, _server.Addresses[0].Port);
        SslStream tls = new(tcp.GetStream(), false, (_, c, _, _) => c!.Issuer.StartsWith("CN=localhost-ca@", StringComparison.Ordinal));
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost", LocalCertificateSelectionCallback = (_, _, _, _, _) => _certificates.Client });
        return tls;
    }

    private static async Task<string> HeadAsync(Stream stream)
    {
        List<byte> head = [];
        byte[] one = new byte[1];
        while (head is not [.., (byte)'\r', (byte)'\n', (byte)'\r', (byte)'\n'])
        {
            await stream.ReadExactlyAsync(one).AsTask().WaitAsync(TimeSpan.FromSeconds(10));
            head.Add(one[0]);
        }

        return Encoding.ASCII.GetString([.. head]);
    }

    private static (X509Certificate2 Authority, X509Certificate2 Client, X509Certificate2 Stranger) Certificates()
    {
        DateTimeOffset from = DateTimeOffset.UtcNow.AddHours(-1), until = from.AddDays(1);
        using ECDsa authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest authorityRequest = new("CN=client-ca", authorityKey, HashAlgorithmName.SHA256);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        X509Certificate2 authority = authorityRequest.CreateSelfSigned(from, until);
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("O=admins, CN=alice", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2")], false));
        using X509Certificate2 signed = request.Create(authority, from, until, [1, 2, 3]);
        X509Certificate2 client = X509CertificateLoader.LoadPkcs12(signed.CopyWithPrivateKey(key).Export(X509ContentType.Pkcs12), null);
        X509Certificate2 stranger = X509CertificateLoader.LoadPkcs12(request.CreateSelfSigned(from, until).Export(X509ContentType.Pkcs12), null);
        return (authority, client, stranger);
    }
}
