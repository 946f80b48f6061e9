using System.Net;
using System.Net.Sockets;
using System.Text;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Tests.Probes;

public sealed class ProberTests : IDisposable
{
    private readonly BlockingWork _work = new();
    private readonly HttpProber _http;
    private readonly TcpProber _tcp;
    private readonly GrpcProber _grpc;

    public ProberTests()
    {
        var connector = new ProbeConnector(_work);
        (_http, _tcp, _grpc) = (new HttpProber(connector, TimeProvider.System), new TcpProber(connector, TimeProvider.System), new GrpcProber(connector, TimeProvider.System));
    }

    private static ProbeAttempt Attempt(Probe probe, double seconds = 10) => new(
        probe, new Container { Name = "main", Ports = [new ContainerPort { Name = "web", ContainerPortValue = 8080 }] }, new ContainerId("c", "1"), "127.0.0.1", TimeSpan.FromSeconds(seconds));

    private static Probe Get(int port, string path = "/", params HTTPHeader[] headers)
        => new() { HttpGet = new HTTPGetAction { Port = port, Path = path, HttpHeaders = [.. headers] } };

    private static string Answer(string status, string body = "", string more = "") => $"HTTP/1.1 {status}\r\n{more}Content-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}";

    [Theory]
    [InlineData("200 OK", "Success")]
    [InlineData("204 No Content", "Success")]
    [InlineData("304 Not Modified", "Warning")]
    [InlineData("404 Not Found", "Failure")]
    [InlineData("500 Broken", "Failure")]
    public async Task Status_codes_decide(string status, string outcome)
    {
        using var server = new ScriptedServer(_ => Answer(status));
        AttemptResult result = await _http.ProbeAsync(Attempt(Get(server.Port)), default);
        Assert.Equal(outcome, result.Outcome.ToString());
        if (outcome == "Failure")
        {
            Assert.Equal($"HTTP probe failed with statuscode: {status[..3]}", result.Text);
        }
    }

    [Fact]
    public async Task Headers_and_path_are_sent_as_given_with_upstreams_defaults()
    {
        using var server = new ScriptedServer(_ => Answer("200 OK", "fine"));
        await _http.ProbeAsync(Attempt(Get(server.Port, "/a/../b%2Fc?q=1 2#f")), default);
        await _http.ProbeAsync(Attempt(Get(
            server.Port, "x", new HTTPHeader { Name = "Host", Value = "example.org" }, new HTTPHeader { Name = "User-Agent", Value = "mine" },
            new HTTPHeader { Name = "Accept", Value = "" }, new HTTPHeader { Name = "X-Twice", Value = "1" }, new HTTPHeader { Name = "X-Twice", Value = "2" })), default);
        string first = server.Requests[0], second = server.Requests[1];
        Assert.StartsWith("GET /a/../b%2Fc?q=1%202 HTTP/1.1\r\n", first, StringComparison.Ordinal);
        Assert.Contains("User-Agent: kube-probe/1.36\r\n", first, StringComparison.Ordinal);
        Assert.Contains("Accept: */*\r\n", first, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", first, StringComparison.Ordinal);
        Assert.DoesNotContain("Accept-Encoding", first, StringComparison.Ordinal);
        Assert.StartsWith("GET /x HTTP/1.1\r\n", second, StringComparison.Ordinal);
        Assert.Contains("Host: example.org\r\n", second, StringComparison.Ordinal);
        Assert.Contains("User-Agent: mine\r\n", second, StringComparison.Ordinal);
        Assert.DoesNotContain("Accept", second, StringComparison.Ordinal);
        Assert.DoesNotContain("kube-probe", second, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Redirects_on_the_same_host_are_followed_ten_times_and_to_another_host_are_a_warning()
    {
        using var server = new ScriptedServer(r => r.Contains(" /start ", StringComparison.Ordinal) ? Answer("302 Found", "", "Location: /end\r\n") : Answer("200 OK", "end"));
        Assert.Equal(new AttemptResult(AttemptOutcome.Success, "end"), await _http.ProbeAsync(Attempt(Get(server.Port, "/start")), default));
        using var loop = new ScriptedServer(_ => Answer("302 Found", "", "Location: /again\r\n"));
        AttemptResult stopped = await _http.ProbeAsync(Attempt(Get(loop.Port)), default);
        Assert.Equal((AttemptOutcome.Failure, 10), (stopped.Outcome, loop.Requests.Count));
        Assert.EndsWith("stopped after 10 redirects", stopped.Text, StringComparison.Ordinal);
        using var away = new ScriptedServer(_ => Answer("302 Found", "body", "Location: http://192.0.2.1/\r\n"));
        Assert.Equal(new AttemptResult(AttemptOutcome.Warning, "Probe terminated redirects, Response body: body"), await _http.ProbeAsync(Attempt(Get(away.Port)), default));
    }

    [Fact]
    public async Task A_body_is_read_to_ten_kibibytes_only()
    {
        using var server = new ScriptedServer(_ => Answer("200 OK", new string('x', 100_000)));
        Assert.Equal(10 * 1024, (await _http.ProbeAsync(Attempt(Get(server.Port)), default)).Text.Length);
    }

    [Fact]
    public async Task A_server_that_does_not_answer_or_does_not_listen_is_a_failure()
    {
        using var silent = new ScriptedServer(null);
        AttemptResult late = default;
        // On a machine that is short of CPU a try may be given up as the agent's own lateness; that is not what is tested here.
        for (int i = 0; i < 20 && late.Outcome != AttemptOutcome.Failure; i++)
        {
            late = await _http.ProbeAsync(Attempt(Get(silent.Port), 0.3), default);
        }

        Assert.Equal((AttemptOutcome.Failure, $"Get \"http://127.0.0.1:{silent.Port}/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"), (late.Outcome, late.Text));
        int closed = FreePort();
        AttemptResult refused = await _http.ProbeAsync(Attempt(Get(closed)), default);
        Assert.Equal((AttemptOutcome.Failure, $"Get \"http://127.0.0.1:{closed}/\": dial tcp 127.0.0.1:{closed}: connect: connection refused"), (refused.Outcome, refused.Text));
    }

    [Fact]
    public async Task A_tcp_probe_succeeds_where_something_listens()
    {
        using var server = new ScriptedServer(null);
        Assert.Equal(AttemptOutcome.Success, (await _tcp.ProbeAsync(Attempt(new Probe { TcpSocket = new TCPSocketAction { Port = server.Port } }), default)).Outcome);
        int closed = FreePort();
        AttemptResult refused = await _tcp.ProbeAsync(Attempt(new Probe { TcpSocket = new TCPSocketAction { Port = closed, Host = "localhost" } }), default);
        Assert.Equal((AttemptOutcome.Failure, $"dial tcp localhost:{closed}: connect: connection refused"), (refused.Outcome, refused.Text));
    }

    [Fact]
    public async Task A_grpc_probe_tells_no_connection_from_no_answer()
    {
        int closed = FreePort();
        AttemptResult refused = await _grpc.ProbeAsync(Attempt(new Probe { Grpc = new GRPCAction { Port = closed } }, 1), default);
        Assert.Equal(AttemptOutcome.Failure, refused.Outcome);
        Assert.StartsWith($"timeout: failed to connect service \"127.0.0.1:{closed}\" within 1s: ", refused.Text, StringComparison.Ordinal);
        using var silent = new ScriptedServer(null);
        AttemptResult late = default;
        for (int i = 0; i < 20 && late.Outcome != AttemptOutcome.Failure; i++)
        {
            late = await _grpc.ProbeAsync(Attempt(new Probe { Grpc = new GRPCAction { Port = silent.Port } }, 1), default);
        }

        Assert.Equal((AttemptOutcome.Failure, "timeout: health rpc did not complete within 1s"), (late.Outcome, late.Text));
    }

    [Theory]
    [InlineData("web", 8080)]
    [InlineData("9090", 9090)]
    [InlineData("none", null)]
    public void Ports_are_found_by_name_or_number(string port, int? expected)
        => Assert.Equal(expected, ProbeSupport.Port(port, Attempt(Get(1)).Container, out _));

    [Theory]
    [InlineData("$(A)-$$(A)-$(B)-$", "1-$(A)-$(B)-$")]
    [InlineData("$(REF)", "$(REF)")]
    [InlineData("$(open", "$(open")]
    public void Commands_expand_plain_variables_only(string text, string expected)
        => Assert.Equal(expected, ExecProber.Expand(text, [new EnvVar { Name = "A", Value = "1" }, new EnvVar { Name = "REF", ValueFrom = new EnvVarSource() }]));

    public void Dispose()
    {
        _http.Dispose();
        _work.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Answers each connection's request with a text, or never.</summary>
    private sealed class ScriptedServer : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly List<TcpClient> _held = [];

        public ScriptedServer(Func<string, string>? answer)
        {
            _listener.Start();
            _ = AcceptAsync(answer);
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;
        public List<string> Requests { get; } = [];

        public void Dispose()
        {
            _listener.Dispose();
            _held.ForEach(static c => c.Dispose());
        }

        private async Task AcceptAsync(Func<string, string>? answer)
        {
            try
            {
                while (true)
                {
                    TcpClient client = await _listener.AcceptTcpClientAsync();
                    _held.Add(client);
                    if (answer is not null)
                    {
                        await AnswerAsync(client, answer);
                    }
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Disposed.
            }
        }

        private async Task AnswerAsync(TcpClient client, Func<string, string> answer)
        {
            try
            {
                byte[] buffer = new byte[16 * 1024];
                int length = 0;
                while (!Encoding.ASCII.GetString(buffer, 0, length).Contains("\r\n\r\n", StringComparison.Ordinal))
                {
                    length += await client.GetStream().ReadAsync(buffer.AsMemory(length));
                }

                string request = Encoding.ASCII.GetString(buffer, 0, length);
                Requests.Add(request);
                await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(answer(request)));
                client.Close();
            }
            catch (IOException)
            {
                // The prober had read enough.
            }
        }
    }
}
