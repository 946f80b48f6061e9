using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubernetes.Certificates;
using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Kubernetes.Serialization;
using NodeAgent.Kubernetes.Tests.Rest;
using NodeAgent.Testing;

namespace NodeAgent.Kubernetes.Tests.Certificates;

public sealed class CertificateTests
{
    [Theory]
    [InlineData("", "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a")]
    [InlineData("abc", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23")]
    public void Sha_512_256_gives_the_published_values(string text, string expected) =>
        Assert.Equal(expected, Convert.ToHexStringLower(Sha512Slash256.Hash(Encoding.ASCII.GetBytes(text))));

    [Fact]
    public void A_store_keeps_pairs_private_and_links_the_newest()
    {
        using TemporaryFolder folder = new();
        using TestCertificates certificates = new();
        CertificateStore store = new(folder.Path, "kubelet-client");
        Assert.Null(store.Current());
        (string certificate, string key) = certificates.Issue("one");
        store.Update(certificate, key);
        Assert.Equal("CN=one", store.Current()!.Leaf.Subject);
        string target = new FileInfo(store.CurrentPath).LinkTarget!;
        Assert.Matches("kubelet-client-[0-9]{4}(-[0-9]{2}){5}\\.pem$", target);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(target));
        File.Move(store.CurrentPath, Path.Combine(folder.Path, "kubelet-client-updated.pem"));
        Assert.Equal("CN=one", new CertificateStore(folder.Path, "kubelet-client").Current()!.Leaf.Subject);
    }

    [Theory]
    [InlineData(0, 70)]
    [InlineData(1, 90)]
    public void A_certificate_is_renewed_between_70_and_90_percent_of_its_life(double random, int percent)
    {
        using ECDsa key = ECDsa.Create();
        DateTimeOffset from = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        using X509Certificate2 certificate = new CertificateRequest("CN=a", key, HashAlgorithmName.SHA256).CreateSelfSigned(from, from.AddHours(100));
        Assert.Equal(from.AddHours(percent), CertificateManager.RotationTime(certificate, random));
    }

    [Fact]
    public void A_template_knows_whether_a_certificate_says_what_it_asks_for()
    {
        using TestCertificates certificates = new();
        (string pem, _) = certificates.Issue("system:node:a", dns: "a", address: System.Net.IPAddress.Loopback);
        using X509Certificate2 certificate = X509Certificate2.CreateFromPem(pem);
        CertificateTemplate template = new("system:node:a", []) { DnsNames = ["a"], Addresses = [System.Net.IPAddress.Loopback] };
        Assert.True(template.IsSatisfiedBy(certificate));
        Assert.False((template with { DnsNames = ["a", "b"] }).IsSatisfiedBy(certificate));
        Assert.False((template with { Addresses = [System.Net.IPAddress.IPv6Loopback] }).IsSatisfiedBy(certificate));
        Assert.False((template with { Organizations = ["system:nodes"] }).IsSatisfiedBy(certificate));
        Assert.False((template with { CommonName = "other" }).IsSatisfiedBy(certificate));
    }

    [Fact]
    public async Task Bootstrap_asks_waits_for_approval_and_writes_the_kubeconfig_and_a_second_start_asks_nothing()
    {
        using TemporaryFolder folder = new();
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        SigningScript script = new(server.Certificates);
        server.Answer = script.AnswerAsync;
        TlsBootstrap bootstrap = new(Options(folder, server), NullLogger.Instance);
        await bootstrap.RunAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.StartsWith("node-csr-", script.Created.Single().Metadata.Name, StringComparison.Ordinal);
        Assert.Equal(SignerNames.KubeletClient, script.Created.Single().Spec.SignerName);
        Assert.Equal(["digital signature", "client auth"], script.Created.Single().Spec.Usages);
        ClientConfiguration node = KubeconfigLoader.Load(Path.Combine(folder.Path, "kubelet.conf"));
        X509Certificate2 leaf = (await node.ClientCertificate!.GetAsync(CancellationToken.None))!.Leaf;
        Assert.Equal("CN=system:node:a, O=system:nodes", leaf.Subject);
        Assert.False(File.Exists(Path.Combine(folder.Path, "pki/kubelet-client.key.tmp")));
        Assert.Equal(server.Address, node.Server);
        await bootstrap.RunAsync(CancellationToken.None);
        Assert.Single(script.Created);
    }

    [Fact]
    public async Task A_denied_request_says_so_and_keeps_the_key_for_the_next_start()
    {
        using TemporaryFolder folder = new();
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        SigningScript script = new(server.Certificates) { Deny = true };
        server.Answer = script.AnswerAsync;
        TlsBootstrap bootstrap = new(Options(folder, server), NullLogger.Instance);
        CertificateRequestException e = await Assert.ThrowsAsync<CertificateRequestException>(() => bootstrap.RunAsync(CancellationToken.None));
        Assert.Contains("Denied", e.Message, StringComparison.Ordinal);
        string key = Path.Combine(folder.Path, "pki/kubelet-client.key.tmp");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key));
        await Assert.ThrowsAsync<CertificateRequestException>(() => bootstrap.RunAsync(CancellationToken.None));
        Assert.Single(script.Created.Select(request => request.Metadata.Name).Distinct());
    }

    [Fact]
    public async Task A_manager_without_certificate_gets_one_and_again_when_the_template_changes()
    {
        using TemporaryFolder folder = new();
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        SigningScript script = new(server.Certificates);
        server.Answer = script.AnswerAsync;
        using KubernetesClient client = server.Client();
        CertificateTemplate? template = null;
        CertificateManager manager = new(
            new CertificateManagerOptions
            {
                Name = "serving",
                SignerName = SignerNames.KubeletServing,
                Purpose = "server auth",
                Template = () => template,
                Client = _ => client,
            },
            new CertificateStore(folder.Path, "kubelet-server"), NullLogger.Instance);
        using CancellationTokenSource end = new();
        Task run = manager.RunAsync(end.Token);
        Assert.Empty(script.Created);
        template = CertificateTemplate.Node("a");
        manager.TemplateChanged();
        await Eventually.TrueAsync(() => manager.Current is not null);
        template = CertificateTemplate.Node("b");
        manager.TemplateChanged();
        await Eventually.TrueAsync(() => manager.Current!.Leaf.Subject.Contains("system:node:b", StringComparison.Ordinal));
        Assert.Equal(2, script.Created.Count);
        await end.CancelAsync();
        await run;
    }

    [Fact]
    public async Task Once_the_certificate_has_expired_the_bootstrap_identity_counts_as_it_is_then()
    {
        using TemporaryFolder folder = new();
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        SigningScript script = new(server.Certificates);
        server.Answer = script.AnswerAsync;
        FakeTimeProvider time = new(DateTimeOffset.UtcNow);
        TlsBootstrapOptions options = Options(folder, server);
        await new TlsBootstrap(options, NullLogger.Instance).RunAsync(default);
        TlsBootstrap later = new(options, NullLogger.Instance, time);
        ClientConfiguration valid = later.AfterExpiry()!;
        Assert.NotNull(valid.ClientCertificate);
        Assert.Null(valid.Credentials);
        time.Jump(TimeSpan.FromDays(30_000));
        File.WriteAllText(options.BootstrapKubeconfigPath, File.ReadAllText(options.BootstrapKubeconfigPath).Replace("token: t", "token: new", StringComparison.Ordinal));
        Assert.Equal("new", (await later.AfterExpiry()!.Credentials!.GetAsync(default))!.Parameter);
        File.WriteAllText(options.BootstrapKubeconfigPath, "nothing");
        Assert.Null(later.AfterExpiry());
        File.Delete(options.BootstrapKubeconfigPath);
        Assert.Null(later.AfterExpiry());
    }

    [Fact]
    public async Task A_certificate_that_a_new_date_makes_expired_is_replaced_within_minutes_and_without_a_flood()
    {
        using TemporaryFolder folder = new();
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        SigningScript script = new(server.Certificates);
        server.Answer = script.AnswerAsync;
        using KubernetesClient client = server.Client();
        FakeTimeProvider time = new(DateTimeOffset.UtcNow);
        CertificateManager manager = new(
            new CertificateManagerOptions
            {
                Name = "client",
                SignerName = SignerNames.KubeletClient,
                Purpose = "client auth",
                Template = () => CertificateTemplate.Node("a"),
                Client = _ => client,
            },
            new CertificateStore(folder.Path, "kubelet-client"), NullLogger.Instance, time);
        using CancellationTokenSource end = new();
        Task run = manager.RunAsync(end.Token);
        await Eventually.TrueAsync(() => manager.Current is not null && time.Armed == 1);
        time.Jump(TimeSpan.FromDays(30_000));
        Assert.Null(manager.Current);
        time.Advance(TimeSpan.FromMinutes(10.1));
        // The signer's clock is the old one: what it gives is over as well.
        await Eventually.TrueAsync(() => script.Created.Count == 2);
        int seconds = 0;
        await Eventually.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            seconds++;
            return script.Created.Count == 3;
        });
        Assert.InRange(seconds, 60, 800);
        await end.CancelAsync();
        await run;
    }

    private static TlsBootstrapOptions Options(TemporaryFolder folder, ScriptedApiServer server)
    {
        string path = Path.Combine(folder.Path, "bootstrap.conf");
        File.WriteAllText(Path.Combine(folder.Path, "ca.crt"), server.Certificates.AuthorityPem);
        File.WriteAllText(path, $$$"""
            clusters: [{name: c, cluster: {server: "{{{server.Address.AbsoluteUri.TrimEnd('/')}}}", certificate-authority: ca.crt}}]
            users: [{name: u, user: {token: t}}]
            contexts: [{name: x, context: {cluster: c, user: u}}]
            current-context: x
            """);
        return new TlsBootstrapOptions(Path.Combine(folder.Path, "kubelet.conf"), path, Path.Combine(folder.Path, "pki"), "a");
    }

    /// <summary>Takes certificate requests and answers them at once.</summary>
    private sealed class SigningScript(TestCertificates certificates)
    {
        internal ConcurrentQueue<CertificateSigningRequest> Created { get; } = [];

        internal bool Deny { get; init; }

        internal async Task AnswerAsync(HttpContext context)
        {
            if (context.Request.Method == "POST")
            {
                using MemoryStream body = new();
                await context.Request.Body.CopyToAsync(body);
                CertificateSigningRequest request = KubernetesJson.Deserialize<CertificateSigningRequest>(body.ToArray());
                Created.Enqueue(request);
                await ScriptedApiServer.JsonAsync(context, KubernetesJson.Serialize(Signed(request)), 201);
                return;
            }
            if (context.Request.Path == "/healthz")
                return;
            if (context.Request.Query["watch"] == "true" && context.Request.Query.ContainsKey("sendInitialEvents"))
            {
                context.Response.StatusCode = 422;
                return;
            }
            if (context.Request.Query["watch"] == "true")
            {
                await context.Response.Body.FlushAsync();
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            }
            await ScriptedApiServer.JsonAsync(
                context, $$"""{"metadata":{"resourceVersion":"5"},"items":[{{KubernetesJson.Serialize(Signed(Created.Last()))}}]}""");
        }

        private CertificateSigningRequest Signed(CertificateSigningRequest request)
        {
            CertificateRequest wanted = CertificateRequest.LoadSigningRequestPem(
                Encoding.ASCII.GetString(request.Spec.Request), HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);
            return request with
            {
                Metadata = request.Metadata with { Name = request.Metadata.Name ?? $"csr-{Created.Count}", Uid = $"u{Created.Count}", ResourceVersion = "1" },
                Status = new CertificateSigningRequestStatus
                {
                    Certificate = Deny ? null : Encoding.ASCII.GetBytes(certificates.Sign(wanted)),
                    Conditions = [new CertificateSigningRequestCondition { Type = Deny ? "Denied" : "Approved", Status = "True" }],
                },
            };
        }
    }
}
