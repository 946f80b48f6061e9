using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Kubernetes.Tests.Rest;
using NodeAgent.Testing;

namespace NodeAgent.Kubernetes.Tests.Kubeconfig;

public sealed class KubeconfigTests
{
    private const string Plain = """
        apiVersion: v1
        kind: Config
        clusters:
        - name: c
          cluster:
            server: https://10.0.0.1:6443
        users:
        - name: u
          user:
            token: secret-token
        contexts:
        - name: x
          context: {cluster: c, user: u, namespace: work}
        current-context: x
        """;

    [Fact]
    public async Task The_current_context_gives_server_token_and_namespace()
    {
        ClientConfiguration configuration = KubeconfigLoader.Resolve(KubeconfigReader.Parse(Plain));
        Assert.Equal("https://10.0.0.1:6443/", configuration.Server.AbsoluteUri);
        Assert.Equal("work", configuration.Namespace);
        AuthenticationHeaderValue? header = await configuration.Credentials!.GetAsync(CancellationToken.None);
        Assert.Equal("secret-token", header!.Parameter);
    }

    [Theory]
    [InlineData("current-context: x", "current-context: y", "current-context", "contexts has x")]
    [InlineData("current-context: x", "", "current-context", "name one of the contexts")]
    [InlineData("cluster: c, user", "cluster: d, user", "contexts[x].context.cluster", "clusters has c")]
    [InlineData("server: https://10.0.0.1:6443", "proxy-url: x", "clusters[c].cluster.server", "is missing")]
    [InlineData("server: https://10.0.0.1:6443", "server: 'ftp://a'", "clusters[c].cluster.server", "https://")]
    [InlineData("server: https://10.0.0.1:6443", "server: https://a\n    certificate-authority-data: '***'", "certificate-authority-data", "base64")]
    [InlineData("server: https://10.0.0.1:6443", "server: https://a\n    certificate-authority: nowhere.crt", "certificate-authority", "nowhere.crt")]
    [InlineData("server: https://10.0.0.1:6443", "server: https://a\n    proxy-url: ftp://b", "proxy-url", "socks5://")]
    [InlineData("server: https://10.0.0.1:6443", "server: https://a\n    insecure-skip-tls-verify: maybe", "insecure-skip-tls-verify", "neither true nor false")]
    [InlineData("token: secret-token", "token: secret-token\n    username: me", "users[u].user", "only one kind")]
    [InlineData("token: secret-token", "client-certificate: a.pem", "client-certificate", "client-key")]
    [InlineData("token: secret-token", "as-groups: [g]", "users[u].user.as", "set the user")]
    [InlineData("token: secret-token", "exec: {command: x, apiVersion: v0}", "exec.apiVersion", "client.authentication.k8s.io/v1")]
    [InlineData("token: secret-token", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always}", "exec.interactiveMode", "no terminal")]
    [InlineData("clusters:", "clusters: {", "", "is not YAML")]
    [InlineData("kind: Config", "kind: Pod", "kind", "no kubeconfig")]
    public void A_mistake_is_reported_with_its_field_and_a_remedy(string part, string instead, string field, string remedy)
    {
        KubeconfigException e = Assert.Throws<KubeconfigException>(
            () => KubeconfigLoader.Resolve(KubeconfigReader.Parse(Plain.Replace(part, instead, StringComparison.Ordinal), "/etc/k.conf")));
        Assert.Contains("/etc/k.conf", e.Message, StringComparison.Ordinal);
        Assert.Contains(field, e.Field, StringComparison.Ordinal);
        Assert.Contains(remedy, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-token", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        KubeconfigException e = Assert.Throws<KubeconfigException>(() => KubeconfigLoader.Load("/nowhere/kubelet.conf"));
        Assert.Contains("/nowhere/kubelet.conf: does not exist", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Relative_paths_start_at_the_file_and_what_is_written_is_read_again()
    {
        using TemporaryFolder folder = new();
        using TestCertificates certificates = new();
        (string certificate, string key) = certificates.Issue("me");
        Directory.CreateDirectory(Path.Combine(folder.Path, "pki"));
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "pki/me.pem"), certificate + "\n" + key);
        KubeconfigFile file = new(
            "",
            new Dictionary<string, KubeconfigCluster>
            {
                ["a: b"] = new()
                {
                    Server = "https://[::1]:6443",
                    CertificateAuthorityData = Encoding.ASCII.GetBytes(certificates.AuthorityPem),
                    TlsServerName = "api",
                    DisableCompression = true,
                },
            },
            new Dictionary<string, KubeconfigUser>
            {
                ["\"u\""] = new() { ClientCertificate = "pki/me.pem", ClientKey = "pki/me.pem", ActAs = "other", ActAsGroups = ["g1", "g2"] },
            },
            new Dictionary<string, KubeconfigContext> { ["x"] = new("a: b", "\"u\"", null) },
            "x");
        string path = Path.Combine(folder.Path, "kubelet.conf");
        KubeconfigWriter.Write(file, path);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Equal(2, Directory.GetFileSystemEntries(folder.Path).Length);
        ClientConfiguration read = KubeconfigLoader.Load(path);
        Assert.Equal("CN=me", (await read.ClientCertificate!.GetAsync(CancellationToken.None))!.Leaf.Subject);
        Assert.Equal("api", read.TlsServerName);
        Assert.True(read.DisableCompression);
        Assert.Equal(["g1", "g2"], read.Impersonate!.Groups);
        Assert.Equal(certificates.Authority.Thumbprint, read.CertificateAuthority!.Get()[0].Thumbprint);
    }

    [Fact]
    public async Task An_exec_plugin_is_run_once_until_its_credential_expires()
    {
        using TemporaryFolder folder = new();
        string program = Path.Combine(folder.Path, "plugin");
        await File.WriteAllTextAsync(program, """
            #!/bin/sh
            echo run >> "$(dirname "$0")/runs"
            printf '%s' "$KUBERNETES_EXEC_INFO" > "$(dirname "$0")/info"
            echo "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"$1-$EXTRA\",\"expirationTimestamp\":\"2026-01-02T03:05:05Z\"}}"
            """);
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        string text = Plain.Replace("token: secret-token",
            "exec: {command: ./plugin, args: [t], env: [{name: EXTRA, value: e}], apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, provideClusterInfo: true}",
            StringComparison.Ordinal);
        FakeTimeProvider time = new();
        ClientConfiguration configuration = KubeconfigLoader.Resolve(KubeconfigReader.Parse(text, Path.Combine(folder.Path, "k.conf")), time: time);
        for (int i = 0; i < 2; i++)
            Assert.Equal("t-e", (await configuration.Credentials!.GetAsync(CancellationToken.None))!.Parameter);
        Assert.Null(await configuration.ClientCertificate!.GetAsync(CancellationToken.None));
        Assert.Single(await File.ReadAllLinesAsync(Path.Combine(folder.Path, "runs")));
        time.Advance(TimeSpan.FromMinutes(2));
        await configuration.Credentials!.GetAsync(CancellationToken.None);
        Assert.Equal(2, (await File.ReadAllLinesAsync(Path.Combine(folder.Path, "runs"))).Length);
        string info = await File.ReadAllTextAsync(Path.Combine(folder.Path, "info"));
        Assert.Contains("\"server\":\"https://10.0.0.1:6443\"", info, StringComparison.Ordinal);
        Assert.Contains("\"interactive\":false", info, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_exec_plugin_that_gives_the_same_certificate_again_starts_no_new_connections()
    {
        using TemporaryFolder folder = new();
        using TestCertificates certificates = new();
        string program = Path.Combine(folder.Path, "plugin");
        await File.WriteAllTextAsync(program, "#!/bin/sh\ncat \"$(dirname \"$0\")/answer\"\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        void Issue()
        {
            (string certificate, string key) = certificates.Issue("node");
            File.WriteAllText(Path.Combine(folder.Path, "answer"), new JsonObject
            {
                ["kind"] = "ExecCredential",
                ["apiVersion"] = "client.authentication.k8s.io/v1",
                ["status"] = new JsonObject { ["clientCertificateData"] = certificate, ["clientKeyData"] = key, ["expirationTimestamp"] = "2026-01-02T03:05:05Z" },
            }.ToJsonString());
        }

        Issue();
        string text = Plain.Replace("token: secret-token", "exec: {command: ./plugin, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}", StringComparison.Ordinal);
        FakeTimeProvider time = new();
        ClientConfiguration configuration = KubeconfigLoader.Resolve(KubeconfigReader.Parse(text, Path.Combine(folder.Path, "k.conf")), time: time);
        ClientCertificate? first = await configuration.ClientCertificate!.GetAsync(CancellationToken.None);
        Assert.Null(await configuration.Credentials!.GetAsync(CancellationToken.None));
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.Same(first, await configuration.ClientCertificate.GetAsync(CancellationToken.None));
        configuration.Credentials.Rejected(null);
        Issue();
        Assert.NotSame(first, await configuration.ClientCertificate.GetAsync(CancellationToken.None));
    }

    [Fact]
    public async Task A_missing_exec_plugin_is_named_with_its_install_hint()
    {
        string text = Plain.Replace("token: secret-token",
            "exec: {command: /nowhere/plugin, installHint: get it there, apiVersion: client.authentication.k8s.io/v1beta1}", StringComparison.Ordinal);
        ClientConfiguration configuration = KubeconfigLoader.Resolve(KubeconfigReader.Parse(text));
        ApiUnreachableException e = await Assert.ThrowsAsync<ApiUnreachableException>(
            async () => await configuration.Credentials!.GetAsync(CancellationToken.None));
        Assert.Contains("get it there", e.Message, StringComparison.Ordinal);
    }
}
