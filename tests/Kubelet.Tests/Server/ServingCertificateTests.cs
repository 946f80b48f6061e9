using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Logs;
using NodeAgent.Kubelet.Server;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Linux.Inotify;
using NodeAgent.Linux.Syscalls;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Server;

public sealed class ServingCertificateTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("serving-").FullName;
    private readonly ECDsa _rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256), _middleKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _root, _middle;

    public ServingCertificateTests()
    {
        _root = Authority("CN=root", _rootKey).CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(1));
        _middle = Authority("CN=middle", _middleKey).Create(
            _root.SubjectName, X509SignatureGenerator.CreateForECDsa(_rootKey), _root.NotBefore, _root.NotAfter, [7]);
    }

    [Fact]
    public async Task A_client_that_knows_only_the_root_is_sent_the_intermediates()
    {
        Write(_folder, "localhost");
        using InotifyWatcher inotify = new();
        using BlockingWork work = new();
        KubeletServerOptions options = new() { NodeName = "n1", Address = IPAddress.Loopback, Port = 0, HealthzPort = 0, Anonymous = true };
        RequestAuthenticator authenticator = new(options, () => null, null, TimeProvider.System, NullLogger<RequestAuthenticator>.Instance);
        KubeletServerSecurity security = new(new FileServingCertificate(_folder + "/tls.crt", _folder + "/tls.key", TimeProvider.System), authenticator, new AlwaysAllowAuthorizer());
        KubeletServerContent content = new(null!, null!, new ContainerLogReader(inotify, work, TimeProvider.System), []) { Metrics = new MetricsRegistry(), ProbeMetrics = new MetricsRegistry() };
        await using KubeletServer server = new(options, security, content, NullLoggerFactory.Instance, TimeProvider.System);
        await server.StartAsync(default);
        using TcpClient tcp = new();
        await tcp.ConnectAsync(IPAddress.Loopback, server.Addresses[0].Port);
        await using SslStream tls = new(tcp.GetStream());
        X509ChainPolicy policy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        policy.CustomTrustStore.Add(_root);
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost", CertificateChainPolicy = policy });
        Assert.Equal("CN=localhost", tls.RemoteCertificate!.Subject);
    }

    [Fact]
    public void A_folder_that_is_switched_by_a_link_is_noticed()
    {
        // As a mounted Secret looks: tls.crt → ..data/tls.crt, ..data → a folder.
        foreach (string version in (string[])["1", "2"])
            Write(Directory.CreateDirectory(Path.Combine(_folder, version)).FullName, "v" + version);
        string data = Path.Combine(_folder, "..data");
        Directory.CreateSymbolicLink(data, "1");
        File.CreateSymbolicLink(_folder + "/tls.crt", "..data/tls.crt");
        File.CreateSymbolicLink(_folder + "/tls.key", "..data/tls.key");
        FakeTimeProvider time = new();
        FileServingCertificate serving = new(_folder + "/tls.crt", _folder + "/tls.key", time);
        Assert.Equal("CN=v1", serving.Current!.TargetCertificate.Subject);
        Directory.Delete(data);
        Directory.CreateSymbolicLink(data, "2");
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal("CN=v2", serving.Current!.TargetCertificate.Subject);
        File.WriteAllText(Path.Combine(_folder, "2", "tls.key"), "half written");
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal("CN=v2", serving.Current!.TargetCertificate.Subject);
    }

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        _root.Dispose();
        _middle.Dispose();
        _rootKey.Dispose();
        _middleKey.Dispose();
    }

    private void Write(string folder, string name)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=" + name, key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 leaf = request.Create(_middle.SubjectName, X509SignatureGenerator.CreateForECDsa(_middleKey), _root.NotBefore, _root.NotAfter, [9]);
        File.WriteAllText(folder + "/tls.crt", leaf.ExportCertificatePem() + "\n" + _middle.ExportCertificatePem() + "\n");
        File.WriteAllText(folder + "/tls.key", key.ExportPkcs8PrivateKeyPem());
    }

    private static CertificateRequest Authority(string name, ECDsa key)
    {
        CertificateRequest request = new(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        return request;
    }
}
