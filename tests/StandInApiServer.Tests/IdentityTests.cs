using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.StandInApiServer.Tests;

public sealed class IdentityTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private readonly KubernetesClient _admin = fixture.Admin;

    [Fact]
    public async Task A_bootstrap_token_gets_a_node_its_certificate()
    {
        string token = fixture.Server.CreateBootstrapToken();
        using KubernetesClient bootstrap = Client(fixture.Server.KubeconfigForToken("bootstrap", token));
        Assert.True((await Assert.ThrowsAsync<ApiException>(() => bootstrap.ListAsync<Pod>(null))).IsForbidden);
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateSigningRequest made = await bootstrap.CreateAsync(Request("csr-1", key, "CN=system:node:fresh, O=system:nodes", "client auth"));
        CertificateSigningRequest signed = await ServerFixture.EventuallyAsync(
            () => bootstrap.GetAsync<CertificateSigningRequest>(null, made.Metadata.Name!), r => r.Status.Certificate is { Length: > 0 });
        ClientConfiguration own = bootstrap.Configuration with
        {
            Credentials = null,
            ClientCertificate = new FixedClientCertificate(ClientCertificate.FromPem(Encoding.ASCII.GetString(signed.Status.Certificate!), key.ExportECPrivateKeyPem())),
        };
        using KubernetesClient node = new(own);
        Node registered = await node.CreateAsync(new Node { Metadata = new ObjectMeta { Name = "fresh" } });
        Assert.NotEmpty(registered.Metadata.Uid!);
        Assert.True((await Assert.ThrowsAsync<ApiException>(() => node.GetAsync<Node>(null, "other"))).IsForbidden);
    }

    [Fact]
    public async Task A_request_for_a_foreign_subject_is_not_signed()
    {
        string token = fixture.Server.CreateBootstrapToken();
        using KubernetesClient bootstrap = Client(fixture.Server.KubeconfigForToken("bootstrap", token));
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await bootstrap.CreateAsync(Request("csr-evil", key, "CN=me, O=system:masters", "client auth"));
        CertificateSigningRequest judged = await ServerFixture.EventuallyAsync(
            () => bootstrap.GetAsync<CertificateSigningRequest>(null, "csr-evil"), r => r.Status.Conditions.Count > 0);
        Assert.Equal("Failed", Assert.Single(judged.Status.Conditions).Type);
        Assert.True(judged.Status.Certificate is null or { Length: 0 });
    }

    [Fact]
    public async Task A_wrong_token_is_unauthorized()
    {
        using KubernetesClient stranger = Client(fixture.Server.KubeconfigForToken("x", "abcdef.0123456789abcdef"));
        Assert.True((await Assert.ThrowsAsync<ApiException>(() => stranger.ListAsync<Pod>(null))).IsUnauthorized);
    }

    [Fact]
    public async Task A_node_reads_only_the_secrets_of_its_pods()
    {
        string ns = await fixture.NewNamespaceAsync();
        foreach (string name in new[] { "used", "unused" })
            await _admin.CreateAsync(new Secret { Metadata = new ObjectMeta { Namespace = ns, Name = name } });
        Pod pod = ServerFixture.Pod(ns, "p", "reader");
        await _admin.CreateAsync(pod with
        {
            Spec = pod.Spec with { Volumes = [new Volume { Name = "v", Secret = new SecretVolumeSource { SecretName = "used" } }] },
        });
        using KubernetesClient node = fixture.NodeClient("reader");
        Assert.Equal("used", (await node.GetAsync<Secret>(ns, "used")).Metadata.Name);
        Assert.Equal("kube-root-ca.crt", (await node.GetAsync<ConfigMap>(ns, "kube-root-ca.crt")).Metadata.Name);
        Assert.True((await Assert.ThrowsAsync<ApiException>(() => node.GetAsync<Secret>(ns, "unused"))).IsForbidden);
        Assert.True((await Assert.ThrowsAsync<ApiException>(() => node.ListAsync<Pod>(null))).IsForbidden);
        Assert.Single((await node.ListAsync<Pod>(null, new ListOptions { FieldSelector = "spec.nodeName=reader" })).Items);
    }

    [Fact]
    public async Task A_service_account_token_is_bound_to_its_pod()
    {
        string ns = await fixture.NewNamespaceAsync();
        Pod pod = await _admin.CreateAsync(ServerFixture.Pod(ns, "p", "tokens"));
        using KubernetesClient node = fixture.NodeClient("tokens");
        TokenRequest answer = await node.CreateSubresourceAsync(ns, "default", new TokenRequest
        {
            Spec = new TokenRequestSpec
            {
                ExpirationSeconds = 3607,
                BoundObjectRef = new BoundObjectReference { Kind = "Pod", ApiVersion = "v1", Name = "p", Uid = pod.Metadata.Uid },
            },
        });
        string token = answer.Status!.Token!;
        TokenReview review = await _admin.CreateAsync(new TokenReview { Spec = new TokenReviewSpec { Token = token } });
        Assert.True(review.Status!.Authenticated);
        Assert.Equal($"system:serviceaccount:{ns}:default", review.Status.User!.Username);
        await _admin.DeleteAsync<Pod>(ns, "p", new DeleteOptions { GracePeriodSeconds = 0 });
        TokenReview after = await _admin.CreateAsync(new TokenReview { Spec = new TokenReviewSpec { Token = token } });
        Assert.False(after.Status!.Authenticated ?? false);
    }

    [Fact]
    public async Task An_access_review_answers_as_requests_would_be()
    {
        SubjectAccessReview Review(string user, string group) => new()
        {
            Spec = new SubjectAccessReviewSpec
            {
                User = user,
                Groups = [group],
                ResourceAttributes = new ResourceAttributes { Verb = "get", Resource = "nodes", Subresource = "proxy", Name = "n" },
            },
        };
        Assert.True((await _admin.CreateAsync(Review("a", "system:masters"))).Status!.Allowed);
        Assert.False((await _admin.CreateAsync(Review("system:kube-proxy", "system:authenticated"))).Status!.Allowed);
    }

    [Fact]
    public async Task Kube_proxy_reads_services_and_no_secrets()
    {
        using KubernetesClient proxy = new(fixture.Server.ProxyConfiguration());
        Assert.Contains((await proxy.ListAsync<Service>(null)).Items, s => s.Spec!.ClusterIP == "10.96.0.1");
        Assert.Contains((await proxy.ListAsync<EndpointSlice>(null)).Items, s => s.Metadata.Name == "kubernetes");
        Assert.True((await Assert.ThrowsAsync<ApiException>(() => proxy.ListAsync<Secret>(null))).IsForbidden);
    }

    private static KubernetesClient Client(KubeconfigFile file) => new(KubeconfigLoader.Resolve(file));

    private static CertificateSigningRequest Request(string name, ECDsa key, string subject, string usage) => new()
    {
        Metadata = new ObjectMeta { Name = name },
        Spec = new CertificateSigningRequestSpec
        {
            SignerName = "kubernetes.io/kube-apiserver-client-kubelet",
            Request = Encoding.ASCII.GetBytes(new CertificateRequest(new X500DistinguishedName(subject), key, HashAlgorithmName.SHA256).CreateSigningRequestPem()),
            Usages = ["digital signature", usage],
        },
    };
}
