using System.Net;
using System.Net.Sockets;
using System.Text;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Tests.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Containers;

public sealed class LifecycleHooksTests : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly List<string> _requests = [];
    private readonly RecordedEvents _events = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly LifecycleHooks _hooks;
    private Func<string, string> _answer = _ => "HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    public LifecycleHooksTests()
    {
        _hooks = new LifecycleHooks(null!, _events, TimeProvider.System);
        _listener.Start();
        _ = ServeAsync();
    }

    private int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    private async Task ServeAsync()
    {
        while (true)
        {
            using TcpClient client = await _listener.AcceptTcpClientAsync(_stop.Token);
            byte[] buffer = new byte[4096];
            int read = await client.GetStream().ReadAsync(buffer);
            string text = Encoding.Latin1.GetString(buffer, 0, read);
            _requests.Add(text);
            // What is no HTTP gets what Go's and nginx's servers say to a TLS hello.
            string answer = text.StartsWith("GET", StringComparison.Ordinal) ? _answer(text) : "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n";
            await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(answer));
        }
    }

    private Task<string?> RunAsync(HTTPGetAction action) =>
        _hooks.RunAsync(new LifecycleCall(TestPods.Pod(), new Container { Name = "main" }, new LifecycleHandler { HttpGet = action }, "id", "127.0.0.1"), default);

    [Fact]
    public async Task Any_status_will_do_and_the_request_says_who_asks()
    {
        Assert.Null(await RunAsync(new HTTPGetAction { Port = Port, Path = "/bye?x=1" }));
        string request = Assert.Single(_requests);
        Assert.StartsWith("GET /bye?x=1 HTTP/1.1\r\n", request, StringComparison.Ordinal);
        Assert.Contains("User-Agent: kube-lifecycle/1.36\r\n", request, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_HTTPS_hook_of_a_server_that_speaks_HTTP_is_sent_again_without_its_authorization()
    {
        Assert.Null(await RunAsync(new HTTPGetAction
        {
            Port = Port,
            Scheme = "HTTPS",
            Path = "/bye",
            HttpHeaders = [new HTTPHeader { Name = "Authorization", Value = "Bearer hush" }, new HTTPHeader { Name = "X-Kept", Value = "yes" }],
        }));
        Assert.Equal(2, _requests.Count);
        Assert.Contains("X-Kept: yes\r\n", _requests[1], StringComparison.Ordinal);
        Assert.DoesNotContain("hush", _requests[1], StringComparison.Ordinal);
        Assert.Equal([("web", "LifecycleHTTPFallback", $"request to HTTPS lifecycle hook 127.0.0.1:{Port} got HTTP response, retry with HTTP succeeded")], _events.All);
    }

    [Fact]
    public async Task A_redirect_on_the_same_host_is_followed_and_one_to_another_is_the_answer()
    {
        _answer = request => request.StartsWith("GET /first ", StringComparison.Ordinal)
            ? "HTTP/1.1 302 Found\r\nLocation: /second\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            : "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        Assert.Null(await RunAsync(new HTTPGetAction { Port = Port, Path = "/first" }));
        Assert.Equal(["GET /first HTTP/1.1", "GET /second HTTP/1.1"], _requests.Select(r => r.Split("\r\n")[0]));
    }

    [Fact]
    public async Task A_server_that_is_not_there_fails_the_hook()
    {
        int port = Port;
        _listener.Stop();
        Assert.NotNull(await RunAsync(new HTTPGetAction { Port = port, Scheme = "HTTPS" }));
        Assert.Empty(_events.All);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        _hooks.Dispose();
        _stop.Dispose();
    }
}
