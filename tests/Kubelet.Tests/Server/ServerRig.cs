using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Logs;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Server;
using NodeAgent.Kubelet.Server.SystemLogs;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Linux.Inotify;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Tests.Server;

/// <summary>A server without pods on a free port of loopback, which everybody with a good certificate or token may ask.</summary>
internal sealed class ServerRig : IServedPods, IContainerStreams, IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("server-rig-").FullName;
    private readonly BlockingWork _work = new();
    private readonly InotifyWatcher _inotify = new();
    private readonly X509Certificate2 _good;

    private ServerRig(X509Certificate2 authority, X509Certificate2 good, Func<KubeletServerOptions, KubeletServerOptions> set, IKubernetesClient? reviews, Func<BlockingWork, SystemLogSources>? systemLogs)
    {
        _good = good;
        (string certificate, string key) = SelfSignedServingCertificate.Ensure(_folder + "/pki", "localhost", [IPAddress.Loopback], DateTimeOffset.UtcNow);
        File.WriteAllText(_folder + "/ca.crt", authority.ExportCertificatePem());
        KubeletServerOptions options = set(new KubeletServerOptions { NodeName = "n1", Address = IPAddress.Loopback, Port = 0, HealthzPort = 0, ClientCAFile = _folder + "/ca.crt" });
        RequestAuthenticator authenticator = new(options, () => new ClientCABundle(options.ClientCAFile, TimeProvider.System).Current, reviews, TimeProvider.System,
            NullLogger<RequestAuthenticator>.Instance);
        KubeletServerContent content = new(this, this, new ContainerLogReader(_inotify, _work, TimeProvider.System), [])
        {
            Metrics = new MetricsRegistry(),
            ProbeMetrics = new MetricsRegistry(),
            SystemLogs = systemLogs?.Invoke(_work),
        };
        Server = new KubeletServer(options, new KubeletServerSecurity(new FileServingCertificate(certificate, key, TimeProvider.System), authenticator, new AlwaysAllowAuthorizer()), content,
            NullLoggerFactory.Instance, TimeProvider.System);
    }

    public KubeletServer Server { get; }

    public int Port => Server.Addresses[0].Port;

    public static async Task<ServerRig> StartAsync(Func<KubeletServerOptions, KubeletServerOptions>? set = null, IKubernetesClient? reviews = null,
        Func<BlockingWork, SystemLogSources>? systemLogs = null)
    {
        DateTimeOffset from = DateTimeOffset.UtcNow.AddHours(-1), until = from.AddDays(1);
        using ECDsa authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256), key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest authorityRequest = new("CN=client-ca", authorityKey, HashAlgorithmName.SHA256);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        X509Certificate2 authority = authorityRequest.CreateSelfSigned(from, until);
        CertificateRequest request = new("O=admins, CN=alice", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2")], false));
        using X509Certificate2 signed = request.Create(authority, from, until, [1, 2, 3]);
        ServerRig rig = new(authority, X509CertificateLoader.LoadPkcs12(signed.CopyWithPrivateKey(key).Export(X509ContentType.Pkcs12), null), set ?? (options => options), reviews, systemLogs);
        await rig.Server.StartAsync(default);
        return rig;
    }

    /// <summary>A connection that has not said anything yet.</summary>
    public async Task<TcpClient> DialAsync()
    {
        TcpClient client = new();
        await client.ConnectAsync(IPAddress.Loopback, Port);
        return client;
    }

    /// <summary>A connection after its TLS handshake.</summary>
    public async Task<SslStream> DialTlsAsync(bool withCertificate, SslApplicationProtocol protocol)
    {
        SslStream tls = new((await DialAsync()).GetStream(), false, (_, certificate, _, _) => IsOurs(certificate));
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            ApplicationProtocols = [protocol],
            LocalCertificateSelectionCallback = (_, _, _, _, _) => withCertificate ? _good : null!,
        });
        return tls;
    }

    private static bool IsOurs(X509Certificate? certificate) => certificate!.Issuer.StartsWith("CN=localhost-ca@", StringComparison.Ordinal);

    /// <summary>A client of its own connections.</summary>
    public HttpClient Client(bool withCertificate, Version? version = null) => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        SslOptions = new SslClientAuthenticationOptions
        {
            RemoteCertificateValidationCallback = (_, certificate, _, _) => IsOurs(certificate),
            LocalCertificateSelectionCallback = (_, _, _, _, _) => withCertificate ? _good : null!,
        },
    })
    {
        BaseAddress = Server.Addresses[0],
        DefaultRequestVersion = version ?? HttpVersion.Version11,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Timeout = TimeSpan.FromSeconds(60),
    };

    /// <summary>Somebody with good credentials is served.</summary>
    public async Task ServesAsync()
    {
        using HttpClient client = Client(withCertificate: true);
        Assert.Contains("PodList", await client.GetStringAsync("/pods"), StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _inotify.Dispose();
        _work.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    IReadOnlyList<Pod> IServedPods.All => [];

    Pod? IServedPods.Find(string @namespace, string name) => null;

    RuntimePodStatus? IServedPods.Observed(PodUid uid) => null;

    Task<IReadOnlyList<Pod>> IServedPods.RunningAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<Pod>>([]);

    Task<Uri> IContainerStreams.ExecAsync(string containerId, IReadOnlyList<string> command, StreamOptions options, CancellationToken cancellationToken) => throw new NotSupportedException();

    Task<Uri> IContainerStreams.AttachAsync(string containerId, StreamOptions options, CancellationToken cancellationToken) => throw new NotSupportedException();

    Task<Uri> IContainerStreams.PortForwardAsync(string sandboxId, IReadOnlyList<int> ports, CancellationToken cancellationToken) => throw new NotSupportedException();

    Task<(byte[] Output, int ExitCode)> IContainerStreams.ExecSyncAsync(string containerId, IReadOnlyList<string> command, CancellationToken cancellationToken) => throw new NotSupportedException();

    Task<bool> IContainerStreams.IsRunningAsync(string containerId, CancellationToken cancellationToken) => Task.FromResult(false);
}
