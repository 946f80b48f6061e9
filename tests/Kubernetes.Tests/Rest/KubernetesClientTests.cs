using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Testing;

namespace NodeAgent.Kubernetes.Tests.Rest;

public sealed class KubernetesClientTests
{
    private const string Node = """{"kind":"Node","apiVersion":"v1","metadata":{"name":"a","resourceVersion":"7"}}""";

    [Fact]
    public async Task An_object_is_read_over_http2()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        string protocol = "", agent = "";
        server.Answer = context =>
        {
            (protocol, agent) = (context.Request.Protocol, context.Request.Headers.UserAgent.ToString());
            return ScriptedApiServer.JsonAsync(context, Node);
        };
        using KubernetesClient client = server.Client();
        Node node = await client.GetAsync<Node>(null, "a");
        Assert.Equal("7", node.Metadata.ResourceVersion);
        Assert.Equal("HTTP/2", protocol);
        Assert.StartsWith("node-agent/", agent, StringComparison.Ordinal);
        Assert.Equal(["GET /api/v1/nodes/a"], server.Requests);
    }

    [Fact]
    public async Task An_error_answer_becomes_a_typed_status()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        server.Answer = context => ScriptedApiServer.JsonAsync(context,
            """{"kind":"Status","status":"Failure","message":"pods \"x\" already exists","reason":"AlreadyExists","details":{"name":"x","kind":"pods","causes":[{"reason":"Why"}]},"code":409}""", 409);
        using KubernetesClient client = server.Client();
        ApiException e = await Assert.ThrowsAsync<ApiException>(
            () => client.CreateAsync(new Pod { Metadata = new ObjectMeta { Name = "x", Namespace = "n" } }));
        Assert.True(e.IsAlreadyExists);
        Assert.False(e.IsConflict);
        Assert.True(e.HasCause("Why"));
        Assert.Equal("pods \"x\" already exists", e.Message);
        Assert.Equal("x", e.Status.Details!.Name);
    }

    [Fact]
    public async Task A_plain_text_error_becomes_a_status_with_the_text()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        server.Answer = context =>
        {
            context.Response.StatusCode = 404;
            return context.Response.WriteAsync("404 page not found");
        };
        using KubernetesClient client = server.Client();
        ApiException e = await Assert.ThrowsAsync<ApiException>(() => client.GetAsync<Node>(null, "a"));
        Assert.True(e.IsNotFound);
        Assert.Equal("NotFound", e.Reason);
        Assert.Contains("page not found", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("POST", 429, true)]
    [InlineData("GET", 429, true)]
    [InlineData("GET", 503, true)]
    [InlineData("POST", 503, false)]
    public async Task Only_what_is_safe_is_repeated_after_the_time_the_server_names(string method, int status, bool repeated)
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        FakeTimeProvider time = new();
        int calls = 0;
        server.Answer = context =>
        {
            if (Interlocked.Increment(ref calls) > 1)
                return ScriptedApiServer.JsonAsync(context, Node);
            context.Response.StatusCode = status;
            context.Response.Headers.RetryAfter = "30";
            return Task.CompletedTask;
        };
        using KubernetesClient client = server.Client(new KubernetesClientOptions { Qps = 0, RequestTimeout = TimeSpan.Zero }, time);
        Task<byte[]> call = client.RawAsync(new HttpMethod(method), "/x");
        if (!repeated)
        {
            ApiException e = await Assert.ThrowsAsync<ApiException>(() => call);
            Assert.Equal(TimeSpan.FromSeconds(30), e.RetryAfter);
            Assert.Equal(1, calls);
            return;
        }
        await Eventually.TrueAsync(() => time.Armed == 1);
        time.Advance(TimeSpan.FromSeconds(29));
        Assert.Equal(1, calls);
        time.Advance(TimeSpan.FromSeconds(1));
        await call;
        Assert.Equal(2, calls);
    }

    [Fact]
    public async Task A_server_with_a_foreign_certificate_is_refused_and_the_field_named()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        using TestCertificates other = new();
        using KubernetesClient client = new(server.Configuration with
        {
            CertificateAuthority = FixedCertificateAuthorities.FromPem(other.AuthorityPem),
        });
        ApiUnreachableException e = await Assert.ThrowsAsync<ApiUnreachableException>(() => client.GetAsync<Node>(null, "a"));
        Assert.Contains("certificate-authority of test.conf", e.Message, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task A_server_of_another_name_is_refused_unless_tls_server_name_says_so()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync("api.example");
        server.Answer = context => ScriptedApiServer.JsonAsync(context, Node);
        using KubernetesClient strict = server.Client();
        ApiUnreachableException e = await Assert.ThrowsAsync<ApiUnreachableException>(() => strict.GetAsync<Node>(null, "a"));
        Assert.Contains("tls-server-name", e.Message, StringComparison.Ordinal);
        using KubernetesClient named = new(server.Configuration with { TlsServerName = "api.example" });
        Assert.Equal("a", (await named.GetAsync<Node>(null, "a")).Metadata.Name);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_renewed_client_certificate_is_used_without_a_restart(bool rsa)
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        server.Answer = async context => await ScriptedApiServer.JsonAsync(
            context, $$$"""{"metadata":{"name":"{{{(await context.Connection.GetClientCertificateAsync())?.Subject ?? "none"}}}"}}""");
        using TemporaryFolder folder = new();
        FakeTimeProvider time = new();
        string file = Path.Combine(folder.Path, "current.pem");
        Write("first");
        using KubernetesClient client = new(
            server.Configuration with { ClientCertificate = new FileClientCertificate(file, file, time) }, null, time);
        Assert.Equal("CN=first", (await client.GetAsync<Node>(null, "a")).Metadata.Name);
        Write("second");
        Assert.Equal("CN=first", (await client.GetAsync<Node>(null, "a")).Metadata.Name);
        time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal("CN=second", (await client.GetAsync<Node>(null, "a")).Metadata.Name);
        Assert.Equal(2, server.Connections.Count);

        void Write(string name)
        {
            (string certificate, string key) = server.Certificates.Issue(name, rsa);
            File.WriteAllText(file, certificate + "\n" + key);
            File.SetLastWriteTimeUtc(file, name == "first" ? new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc) : new DateTime(2026, 1, 2, 0, 0, 0, DateTimeKind.Utc));
        }
    }

    [Fact]
    public async Task After_a_401_the_token_file_is_read_again_once()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        using TemporaryFolder folder = new();
        string file = Path.Combine(folder.Path, "token");
        await File.WriteAllTextAsync(file, "old\n");
        server.Answer = async context =>
        {
            if (context.Request.Headers.Authorization == "Bearer new")
            {
                await ScriptedApiServer.JsonAsync(context, Node);
                return;
            }
            await File.WriteAllTextAsync(file, "new\n");
            context.Response.StatusCode = 401;
        };
        using KubernetesClient client = new(server.Configuration with { Credentials = new TokenFileCredentials(file, TimeProvider.System) });
        await client.GetAsync<Node>(null, "a");
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task Dropping_the_connections_ends_requests_and_the_next_one_connects_anew()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Answer = async context =>
        {
            if (!context.Request.Query.ContainsKey("watch"))
            {
                await ScriptedApiServer.JsonAsync(context, Node);
                return;
            }
            await context.Response.Body.FlushAsync();
            arrived.TrySetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        };
        using KubernetesClient client = server.Client();
        Task watch = Drain(client);
        await arrived.Task;
        client.DropConnections();
        ApiUnreachableException e = await Assert.ThrowsAsync<ApiUnreachableException>(() => watch);
        Assert.Contains("dropped", e.Message, StringComparison.Ordinal);
        await client.GetAsync<Node>(null, "a");
        Assert.Equal(2, server.Connections.Count);
    }

    [Fact]
    public async Task A_silent_server_ends_the_request_at_its_limit()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Answer = async context =>
        {
            arrived.TrySetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        };
        FakeTimeProvider time = new();
        using KubernetesClient client = server.Client(new KubernetesClientOptions { Qps = 0, RequestTimeout = TimeSpan.FromSeconds(10) }, time);
        Task call = client.GetAsync<Node>(null, "a");
        await arrived.Task;
        time.Advance(TimeSpan.FromSeconds(10));
        ApiUnreachableException e = await Assert.ThrowsAsync<ApiUnreachableException>(() => call);
        Assert.True(e.TimedOut);
    }

    [Fact]
    public async Task Who_wants_the_version_only_gets_it_and_errors_as_ever()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        server.Answer = context => ScriptedApiServer.JsonAsync(context, Node);
        using KubernetesClient client = server.Client();
        Node node = new() { Metadata = new ObjectMeta { Name = "a" } };
        Assert.Equal("7", await client.CreateForVersionAsync(node));
        Assert.Equal("7", await client.PatchForVersionAsync<Node>(null, "a", Patch.StrategicMerge(new JsonObject()), "status"));
        Assert.Equal(["POST /api/v1/nodes", "PATCH /api/v1/nodes/a/status"], server.Requests);
        server.Answer = context => ScriptedApiServer.JsonAsync(context, """{"kind":"Status","status":"Failure","reason":"NotFound","code":404}""", 404);
        Assert.True((await Assert.ThrowsAsync<ApiException>(() => client.CreateForVersionAsync(node))).IsNotFound);
        server.Answer = context => ScriptedApiServer.JsonAsync(context, "no JSON");
        await Assert.ThrowsAsync<ApiUnreachableException>(() => client.PatchForVersionAsync<Node>(null, "a", Patch.StrategicMerge(new JsonObject())));
    }

    [Fact]
    public async Task A_patch_carries_its_content_type_and_apply_its_manager()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        string type = "";
        server.Answer = context =>
        {
            type = context.Request.ContentType ?? "";
            return ScriptedApiServer.JsonAsync(context, Node);
        };
        using KubernetesClient client = server.Client();
        await client.PatchAsync<Node>(null, "a", Patch.StrategicMerge(new JsonObject()), "status");
        Assert.Equal("application/strategic-merge-patch+json", type);
        await client.PatchAsync<Node>(null, "a", Patch.Apply(new JsonObject(), "me", force: true));
        Assert.Equal("application/apply-patch+yaml", type);
        Assert.Equal(["PATCH /api/v1/nodes/a/status", "PATCH /api/v1/nodes/a?fieldManager=me&force=true"], server.Requests);
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a/../b")]
    [InlineData("a%2fb")]
    [InlineData("")]
    public async Task A_name_cannot_leave_its_place_in_the_path(string name)
    {
        using KubernetesClient client = new(new ClientConfiguration { Server = new Uri("https://127.0.0.1:1") });
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetAsync<Pod>("default", name));
    }

    private static async Task Drain(KubernetesClient client)
    {
        await foreach (WatchEvent<Node> _ in client.WatchAsync<Node>(null, new WatchOptions()))
        {
        }
    }
}

internal sealed class TemporaryFolder : IDisposable
{
    internal string Path { get; } = Directory.CreateTempSubdirectory("krest-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

internal static class Eventually
{
    /// <summary>Waits for a condition that other threads bring about, at most 20 seconds.</summary>
    internal static async Task TrueAsync(Func<bool> condition)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(20));
        while (!condition())
            await Task.Delay(5, limit.Token);
    }
}
