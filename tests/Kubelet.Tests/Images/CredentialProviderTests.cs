using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Images;
using NodeAgent.Kubelet.Tests.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Images;

public sealed class CredentialProviderTests : IDisposable
{
    private const string Version = "credentialprovider.kubelet.k8s.io/v1";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("provider");
    private readonly FakeTimeProvider _time = new();

    private static CredentialProviderOptions Options(CredentialTokenOptions? token = null) =>
        new("p", Version, ["*.example"], TimeSpan.FromMinutes(10)) { Token = token };

    private static Pod Pod(string name = "web", string? account = null) => TestPods.Pod(name) is var p ? p with { Spec = p.Spec with { ServiceAccountName = account } } : null!;

    private static async Task<string[]> FindAsync(CredentialProvider provider, string image = "r.example/app", Pod? pod = null) =>
        [.. (await provider.FindAsync(pod ?? Pod(), image, default)).Select(c => $"{c.Pattern} {c.Credential.Username}:{c.Credential.Password}")];

    private void Program(string script)
    {
        string file = Path.Combine(_folder.FullName, "p");
        File.WriteAllText(file, "#!/bin/sh\n" + script);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    [Fact]
    public async Task The_program_is_asked_by_the_protocol()
    {
        string seen = Path.Combine(_folder.FullName, "seen");
        Program($$"""
            cat > {{seen}}; echo "$1 $WORD" >> {{seen}}
            echo '{"kind":"CredentialProviderResponse","apiVersion":"{{Version}}","cacheKeyType":"Registry","cacheDuration":"6h","auth":{"r.example":{"username":"u","password":"p"} } }'
            """);
        var program = new CredentialProviderProgram(Options() with { Args = ["get"], Env = [("WORD", "hello")] }, _folder.FullName, TimeProvider.System);
        CredentialAnswer answer = await program.AskAsync(new CredentialRequest("r.example/app", "tok", new Dictionary<string, string> { ["a"] = "b" }), default);
        Assert.Equal(("Registry", TimeSpan.FromHours(6)), (answer.CacheKeyType, answer.CacheDuration));
        Assert.Equal([("r.example", "u", "p")], answer.Auth);
        Assert.Equal(
            "{\"kind\":\"CredentialProviderRequest\",\"apiVersion\":\"" + Version + "\",\"image\":\"r.example/app\",\"serviceAccountToken\":\"tok\",\"serviceAccountAnnotations\":{\"a\":\"b\"}}\nget hello\n",
            File.ReadAllText(seen));
    }

    [Theory]
    [InlineData("echo sorry >&2; exit 3", "ended with code 3: sorry")]
    [InlineData("echo '{\"secret\":\"hush'", "is not JSON")]
    [InlineData("echo '{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1beta1\",\"auth\":{\"x\":{\"password\":\"hush\"}}}'", "is no CredentialProviderResponse of apiVersion " + Version)]
    [InlineData("echo '{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"" + Version + "\",\"cacheKeyType\":\"hush\"}'", "has no valid cacheKeyType")]
    public async Task A_bad_answer_is_named_and_not_shown(string script, string error)
    {
        Program(script);
        var program = new CredentialProviderProgram(Options(), _folder.FullName, TimeProvider.System);
        CredentialProviderException e = await Assert.ThrowsAsync<CredentialProviderException>(() => program.AskAsync(new CredentialRequest("r.example/app", "", new Dictionary<string, string>()), default));
        Assert.Contains(error, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", e.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Image", 2)]
    [InlineData("Registry", 1)]
    [InlineData("Global", 1)]
    public async Task Answers_are_kept_for_their_key_and_time(string key, int asked)
    {
        var program = new Asked(key);
        var provider = new CredentialProvider(Options(), program, new NoAccounts(), _time);
        await FindAsync(provider, "r.example/app");
        await FindAsync(provider, "r.example/app");
        await FindAsync(provider, "r.example/other");
        Assert.Equal(asked, program.Count);
        _time.Advance(TimeSpan.FromMinutes(11));
        await FindAsync(provider, "r.example/app");
        Assert.Equal(asked + 1, program.Count);
    }

    [Fact]
    public async Task A_duration_of_zero_is_not_kept_and_equal_questions_at_once_are_one()
    {
        var program = new Asked("Image") { Duration = TimeSpan.Zero, Gate = new TaskCompletionSource() };
        var provider = new CredentialProvider(Options(), program, new NoAccounts(), _time);
        Task<string[]>[] both = [FindAsync(provider), FindAsync(provider)];
        program.Gate.SetResult();
        await Task.WhenAll(both);
        Assert.Equal(1, program.Count);
        await FindAsync(provider);
        Assert.Equal(2, program.Count);
    }

    [Fact]
    public async Task Other_images_are_not_its_business()
    {
        var program = new Asked("Image");
        Assert.Empty(await FindAsync(new CredentialProvider(Options(), program, new NoAccounts(), _time), "docker.io/library/busybox"));
        Assert.Equal(0, program.Count);
    }

    [Fact]
    public async Task A_service_account_s_token_and_annotations_are_sent_and_the_credentials_are_that_account_s()
    {
        var client = new FakeClient { Tokens = r => r with { Status = new TokenRequestStatus { Token = "jwt-" + r.Spec.BoundObjectRef!.Name, ExpirationTimestamp = _time.GetUtcNow().AddHours(1) } } };
        client.Objects["builder"] = new ServiceAccount
        {
            Metadata = new ObjectMeta { Namespace = "default", Name = "builder", Uid = "sa-uid", Annotations = new Dictionary<string, string> { ["need"] = "1", ["may"] = "2", ["secret"] = "3" } },
        };
        client.Objects["plain"] = new ServiceAccount { Metadata = new ObjectMeta { Namespace = "default", Name = "plain", Uid = "x" } };
        var program = new Asked("Registry");
        var token = new CredentialTokenOptions("registry", false, true) { RequiredAnnotations = ["need"], OptionalAnnotations = ["may", "absent"] };
        var provider = new CredentialProvider(Options(token), program, new PodAccounts(client, _time), _time);
        var found = await provider.FindAsync(Pod("a", "builder"), "r.example/app", default);
        Assert.Equal(new CredentialOwner("sa-uid", "default", "builder"), Assert.Single(found).Credential.ServiceAccount);
        Assert.Equal(("jwt-a", "may=2 need=1"), (program.Last!.Token, string.Join(' ', program.Last.Annotations.Select(p => $"{p.Key}={p.Value}"))));
        Assert.Equal(["registry"], client.TokenRequests.Single().Spec.Audiences);
        await provider.FindAsync(Pod("b", "builder"), "r.example/app", default);
        Assert.Equal(1, program.Count);
        Assert.Empty(await FindAsync(provider, pod: Pod("c", "plain")));
        Assert.Empty(await FindAsync(provider, pod: Pod("d")));
        Assert.Equal(1, program.Count);
    }

    [Fact]
    public async Task A_token_handed_back_as_password_is_refused_where_it_would_be_kept_for_others()
    {
        var client = new FakeClient { Tokens = r => r with { Status = new TokenRequestStatus { Token = "p", ExpirationTimestamp = _time.GetUtcNow().AddHours(1) } } };
        client.Objects["builder"] = new ServiceAccount { Metadata = new ObjectMeta { Namespace = "default", Name = "builder", Uid = "u" } };
        CredentialProvider With(bool perToken) => new(Options(new CredentialTokenOptions("r", perToken, true)), new Asked("Global"), new PodAccounts(client, _time), _time);
        await Assert.ThrowsAsync<CredentialProviderException>(() => FindAsync(With(perToken: false), pod: Pod("a", "builder")));
        Assert.Single(await FindAsync(With(perToken: true), pod: Pod("a", "builder")));
    }

    [Fact]
    public async Task Pull_secrets_come_before_the_node_s_file_and_that_before_providers_and_a_failing_provider_harms_nothing()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "config.json"), """{"auths":{"r.example":{"username":"node","password":"2"}}}""");
        Program("exit 1");
        var credentials = new ImageCredentials(
            new ImageCredentialOptions(_folder.FullName, null) { Providers = [Options()], BinFolder = _folder.FullName }, null, TimeProvider.System, NullLogger<ImageCredentials>.Instance);
        var secret = new Secret
        {
            Metadata = new ObjectMeta { Namespace = "default", Name = "s", Uid = "u" },
            Type = "kubernetes.io/dockercfg",
            Data = new Dictionary<string, byte[]> { [".dockercfg"] = """{"r.example":{"auth":"cG9kOjE="}}"""u8.ToArray() },
        };
        Assert.Equal(["pod", "node"], (await credentials.FindAsync(Pod(), [secret], "r.example/app:1", default)).Select(c => c.Username));
        Assert.Equal("node", Assert.Single(await credentials.FindAsync(Pod(), [], "r.example/app:1", default)).Username);
    }

    [Theory]
    [InlineData("{}", "is no CredentialProviderConfig")]
    [InlineData("apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders: []", "providers is empty")]
    [InlineData("apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- {name: ../p, matchImages: [x], defaultCacheDuration: 1h, apiVersion: credentialprovider.kubelet.k8s.io/v1}", "providers[0].name \"../p\"")]
    [InlineData("apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- {name: p, matchImages: [], defaultCacheDuration: 1h, apiVersion: credentialprovider.kubelet.k8s.io/v1}", "providers[0].matchImages")]
    [InlineData("apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- {name: p, matchImages: [x], apiVersion: credentialprovider.kubelet.k8s.io/v1}", "providers[0].defaultCacheDuration")]
    [InlineData("apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- {name: p, matchImages: [x], defaultCacheDuration: 1h, apiVersion: v9}", "providers[0].apiVersion \"v9\"")]
    [InlineData("apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- {name: p, matchimages: [x], defaultCacheDuration: 1h, apiVersion: credentialprovider.kubelet.k8s.io/v1}", "\"matchimages\" that is not known")]
    [InlineData("apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- {name: p, matchImages: [x], defaultCacheDuration: 1h, apiVersion: credentialprovider.kubelet.k8s.io/v1, tokenAttributes: {cacheType: Token, requireServiceAccount: true}}", "tokenAttributes.serviceAccountTokenAudience")]
    [InlineData("apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- {name: q, matchImages: [x], defaultCacheDuration: 1h, apiVersion: credentialprovider.kubelet.k8s.io/v1}", "make it executable")]
    public void A_bad_configuration_is_refused_with_field_and_remedy(string text, string error)
    {
        Program("exit 0");
        string file = Path.Combine(_folder.FullName, "config.yaml");
        File.WriteAllText(file, text);
        Assert.Contains(error, Assert.Throws<FormatException>(() => CredentialProviderConfig.Load(file, _folder.FullName)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_of_configurations_is_read_in_order_and_names_are_unique_over_all()
    {
        Program("exit 0");
        string folder = _folder.CreateSubdirectory("conf").FullName;
        string text = "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- name: p\n  matchImages: ['*.example']\n  defaultCacheDuration: 12h\n  apiVersion: "
            + Version + "\n  args: [get]\n  env: [{name: A, value: b}]\n  tokenAttributes: {serviceAccountTokenAudience: r, cacheType: ServiceAccount, requireServiceAccount: false}\n";
        File.WriteAllText(Path.Combine(folder, "b.yaml"), text);
        File.WriteAllText(Path.Combine(folder, "ignored.txt"), "no");
        CredentialProviderOptions read = Assert.Single(CredentialProviderConfig.Load(folder, _folder.FullName));
        Assert.Equal(("p", Version, TimeSpan.FromHours(12), "get", ("A", "b")), (read.Name, read.ApiVersion, read.DefaultCacheDuration, read.Args.Single(), read.Env.Single()));
        Assert.Equal(("r", false, false), (read.Token!.Audience, read.Token.CachePerToken, read.Token.RequireServiceAccount));
        File.WriteAllText(Path.Combine(folder, "a.json"), text);
        Assert.Contains("\"p\" is given 2 times", Assert.Throws<FormatException>(() => CredentialProviderConfig.Load(folder, _folder.FullName)).Message, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private sealed class Asked(string key) : ICredentialProviderProgram
    {
        private int _count;

        public int Count => _count;

        public TimeSpan? Duration { get; init; }

        public TaskCompletionSource? Gate { get; init; }

        public CredentialRequest? Last { get; private set; }

        public async Task<CredentialAnswer> AskAsync(CredentialRequest request, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _count);
            Last = request;
            await (Gate?.Task ?? Task.CompletedTask);
            return new CredentialAnswer(key, Duration, [("*.example", "u", "p")]);
        }
    }

    private sealed class NoAccounts : IPodAccounts
    {
        public Task<ServiceAccount> GetAsync(string @namespace, string name, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<string> TokenAsync(Pod pod, ServiceAccount account, string audience, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
