using System.Net;
using System.Net.Http.Headers;
using System.Text;
using NodeAgent.Kubelet.Server.SystemLogs;
using NodeAgent.Linux.Files;

namespace NodeAgent.Kubelet.Tests.Server.SystemLogs;

/// <summary>/logs/ over a real connection, with a folder of its own for /var/log.</summary>
public sealed class SystemLogsTests : IAsyncLifetime
{
    private readonly string _root = Directory.CreateTempSubdirectory("system-logs-").FullName;
    private ServerRig _rig = null!;
    private HttpClient _client = null!;

    private string Logs => _root + "/log";

    public async Task InitializeAsync()
    {
        Directory.CreateDirectory(Logs + "/app");
        Directory.CreateDirectory(_root + "/pods");
        File.WriteAllText(Logs + "/syslog", "one\ntwo\nthree\n");
        File.WriteAllText(Logs + "/app/app.log", "from app\n");
        File.WriteAllText(_root + "/secret", "nobody's business");
        File.WriteAllText(_root + "/pods/0.log", "a container's\n");
        _rig = await ServerRig.StartAsync(systemLogs: work => new SystemLogSources(Logs, [_root + "/pods"], work, TimeProvider.System));
        _client = _rig.Client(withCertificate: true);
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _rig.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task A_folder_is_listed_as_by_gos_file_server()
    {
        File.WriteAllText(Logs + "/a <b>&'c'?#.log", "");
        File.WriteAllText(Logs + "/12:30", "");
        using HttpResponseMessage answer = await _client.GetAsync("/logs/");
        Assert.Equal("text/html; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        Assert.NotNull(answer.Content.Headers.LastModified);
        Assert.Equal(
            """
            <!doctype html>
            <meta name="viewport" content="width=device-width">
            <pre>
            <a href="./12:30">12:30</a>
            <a href="a%20%3Cb%3E&%27c%27%3F%23.log">a &lt;b&gt;&amp;&#39;c&#39;?#.log</a>
            <a href="app/">app/</a>
            <a href="syslog">syslog</a>
            </pre>

            """, await answer.Content.ReadAsStringAsync());
        Assert.Equal("", await GetAsync("/logs/a%20%3Cb%3E&%27c%27%3F%23.log"));
    }

    [Theory]
    [InlineData("/logs", 307, "/logs/")]
    [InlineData("/logs?a=1", 307, "/logs/?a=1")]
    [InlineData("/logs/app", 301, "app/")]
    [InlineData("/logs/app?x=y", 301, "app/?x=y")]
    [InlineData("/logs/syslog/", 301, "../syslog")]
    [InlineData("/logs/app/index.html", 301, "./")]
    public async Task Paths_that_are_not_the_canonical_ones_are_redirected(string path, int status, string location)
    {
        using HttpResponseMessage answer = await _client.GetAsync(path);
        Assert.Equal((status, location), ((int)answer.StatusCode, answer.Headers.Location!.OriginalString));
    }

    [Fact]
    public async Task An_index_page_stands_for_its_folder()
    {
        File.WriteAllText(Logs + "/app/index.html", "<p>here</p>");
        Assert.Equal("<p>here</p>", await GetAsync("/logs/app/"));
    }

    [Fact]
    public async Task A_file_is_whole_and_of_its_type()
    {
        File.WriteAllBytes(Logs + "/core", [0, 1, 2, 3]);
        byte[] large = new byte[1_000_003];
        new Random(1).NextBytes(large);
        File.WriteAllBytes(Logs + "/large", large);
        using HttpResponseMessage text = await _client.GetAsync("/logs/syslog"), core = await _client.GetAsync("/logs/core");
        Assert.Equal(("text/plain; charset=utf-8", 14L, "bytes"),
            (text.Content.Headers.ContentType!.ToString(), text.Content.Headers.ContentLength, text.Headers.AcceptRanges.ToString()));
        Assert.Equal("application/octet-stream", core.Content.Headers.ContentType!.ToString());
        Assert.Equal(large, await _client.GetByteArrayAsync("/logs/large"));
        Assert.Equal("from app\n", await GetAsync("/logs/app%2Fapp.log"));
    }

    [Theory]
    [InlineData("/logs/none", 404, "404 page not found\n")]
    [InlineData("/logs/syslog/below", 404, "404 page not found\n")]
    [InlineData("/logs/%2E%2E%2Fsecret", 404, "404 page not found\n")]
    [InlineData("/logs/..%2f..%2fsecret", 404, "404 page not found\n")]
    public async Task What_is_not_there_is_404(string path, int status, string text)
    {
        using HttpResponseMessage answer = await _client.GetAsync(path);
        Assert.Equal((status, text, "nosniff"), ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Headers.GetValues("X-Content-Type-Options").Single()));
    }

    [Fact]
    public async Task Links_lead_only_to_where_logs_are()
    {
        File.CreateSymbolicLink(Logs + "/inside", Logs + "/syslog");
        File.CreateSymbolicLink(Logs + "/container", _root + "/pods/0.log");
        File.CreateSymbolicLink(Logs + "/out", _root + "/secret");
        File.CreateSymbolicLink(Logs + "/folder", _root);
        File.CreateSymbolicLink(Logs + "/loop", Logs + "/loop");
        Directory.CreateDirectory(Logs + "-beside");
        File.WriteAllText(Logs + "-beside/x", "");
        File.CreateSymbolicLink(Logs + "/beside", Logs + "-beside/x");
        Assert.Equal("one\ntwo\nthree\n", await GetAsync("/logs/inside"));
        Assert.Equal("a container's\n", await GetAsync("/logs/container"));
        Assert.Equal([HttpStatusCode.Forbidden, HttpStatusCode.Forbidden, HttpStatusCode.Forbidden, HttpStatusCode.InternalServerError],
            [await StatusAsync("/logs/out"), await StatusAsync("/logs/folder/secret"), await StatusAsync("/logs/beside"), await StatusAsync("/logs/loop")]);
    }

    [Fact]
    public async Task A_named_pipe_without_a_writer_holds_nobody_up()
    {
        Assert.Equal(0, System.Diagnostics.Process.Start("mkfifo", [Logs + "/pipe"]) is { } made && made.WaitForExit(30_000) ? made.ExitCode : -1);
        Assert.Equal(FileKind.Fifo, FileAt.Status(Logs + "/pipe", followLinks: false)!.Value.Kind);
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync("/logs/pipe"));
    }

    [Fact]
    public async Task What_the_client_has_already_is_not_sent_again()
    {
        using HttpResponseMessage first = await _client.GetAsync("/logs/syslog");
        foreach (string path in (string[])["/logs/syslog", "/logs/"])
        {
            using HttpRequestMessage again = new(HttpMethod.Get, path) { Headers = { IfModifiedSince = DateTimeOffset.UtcNow.AddDays(1) } };
            using HttpResponseMessage answer = await _client.SendAsync(again);
            Assert.Equal((HttpStatusCode.NotModified, 0), (answer.StatusCode, (await answer.Content.ReadAsByteArrayAsync()).Length));
        }

        using HttpRequestMessage older = new(HttpMethod.Get, "/logs/syslog") { Headers = { IfModifiedSince = first.Content.Headers.LastModified!.Value.AddSeconds(-1) } };
        using HttpResponseMessage whole = await _client.SendAsync(older);
        Assert.Equal(HttpStatusCode.OK, whole.StatusCode);
    }

    [Fact]
    public async Task Parts_of_a_file()
    {
        using HttpResponseMessage one = await RangeAsync(new RangeHeaderValue(4, 6));
        Assert.Equal((HttpStatusCode.PartialContent, "two", "bytes 4-6/14"), (one.StatusCode, await one.Content.ReadAsStringAsync(), one.Content.Headers.ContentRange!.ToString()));
        RangeHeaderValue two = new(0, 2);
        two.Ranges.Add(new RangeItemHeaderValue(null, 6));
        using HttpResponseMessage both = await RangeAsync(two);
        string boundary = both.Content.Headers.ContentType!.Parameters.Single().Value!;
        Assert.Equal(
            $"--{boundary}\r\nContent-Range: bytes 0-2/14\r\nContent-Type: text/plain; charset=utf-8\r\n\r\none\r\n" +
            $"--{boundary}\r\nContent-Range: bytes 8-13/14\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nthree\n\r\n--{boundary}--\r\n",
            await both.Content.ReadAsStringAsync());
        using HttpResponseMessage behind = await RangeAsync(new RangeHeaderValue(14, null));
        Assert.Equal((HttpStatusCode.RequestedRangeNotSatisfiable, "bytes */14", "invalid range: failed to overlap\n"),
            (behind.StatusCode, behind.Content.Headers.ContentRange!.ToString(), await behind.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task Only_GET_is_answered()
    {
        foreach (HttpMethod method in (HttpMethod[])[HttpMethod.Post, HttpMethod.Delete, HttpMethod.Head])
        {
            using HttpRequestMessage request = new(method, "/logs/syslog");
            using HttpResponseMessage answer = await _client.SendAsync(request);
            Assert.Equal((HttpStatusCode.MethodNotAllowed, "GET"), (answer.StatusCode, answer.Content.Headers.Allow.Single()));
        }
    }

    [Fact]
    public async Task A_query_means_nothing_unless_it_is_switched_on() =>
        Assert.Contains("syslog</a>", await GetAsync("/logs/?query=kubelet"), StringComparison.Ordinal);

    [Fact]
    public async Task Switched_off_handlers_answer_405_with_upstreams_texts()
    {
        SystemLogSources Sources(Linux.Syscalls.BlockingWork work) => new(Logs, [], work, TimeProvider.System);
        await using ServerRig off = await ServerRig.StartAsync(o => o with { SystemLogHandler = false }, systemLogs: Sources);
        await using ServerRig bare = await ServerRig.StartAsync(o => o with { DebuggingHandlers = false }, systemLogs: Sources);
        foreach ((ServerRig rig, string text) in ((ServerRig, string)[])[(off, "logs endpoint is disabled.\n"), (bare, "Debug endpoints are disabled.\n")])
        {
            using HttpClient client = rig.Client(withCertificate: true);
            using HttpResponseMessage answer = await client.GetAsync("/logs/syslog");
            Assert.Equal((HttpStatusCode.MethodNotAllowed, text), (answer.StatusCode, await answer.Content.ReadAsStringAsync()));
        }
    }

    private async Task<string> GetAsync(string path)
    {
        using HttpResponseMessage answer = await _client.GetAsync(path);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return Encoding.UTF8.GetString(await answer.Content.ReadAsByteArrayAsync());
    }

    private async Task<HttpStatusCode> StatusAsync(string path)
    {
        using HttpResponseMessage answer = await _client.GetAsync(path);
        return answer.StatusCode;
    }

    private async Task<HttpResponseMessage> RangeAsync(RangeHeaderValue range)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, "/logs/syslog") { Headers = { Range = range } };
        return await _client.SendAsync(request);
    }
}
