using System.IO.Compression;
using System.Net;
using System.Text;
using NodeAgent.Kubelet.Server.SystemLogs;

namespace NodeAgent.Kubelet.Tests.Server.SystemLogs;

/// <summary>A server with enableSystemLogQuery; journalctl is a script that shows its arguments.</summary>
public sealed class NodeLogQueryServer : IAsyncLifetime
{
    private readonly string _root = Directory.CreateTempSubdirectory("node-log-query-").FullName;
    private ServerRig _rig = null!;
    private HttpClient _client = null!;

    public async Task InitializeAsync()
    {
        Directory.CreateDirectory(_root + "/log/dir");
        File.WriteAllText(_root + "/log/plain.log", "a file's line\n");
        File.WriteAllText(_root + "/log/dir/dir.log", "a folder's line\n");
        File.WriteAllText(_root + "/secret", "");
        File.CreateSymbolicLink(_root + "/log/out.log", _root + "/secret");
        (_rig, _client) = await StartAsync(Path.Combine(AppContext.BaseDirectory, "TestData", "journalctl"));
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _rig.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    internal HttpClient Client => _client;

    internal async Task<(ServerRig Rig, HttpClient Client)> StartAsync(string journal)
    {
        ServerRig rig = await ServerRig.StartAsync(
            o => o with { SystemLogQuery = true }, systemLogs: work => new SystemLogSources(_root + "/log", [], work, TimeProvider.System) { JournalProgram = journal });
        return (rig, rig.Client(withCertificate: true));
    }
}

/// <summary>/logs/?query=… over a real connection.</summary>
/// <param name="server">Serves all of these tests, which leave it as it is.</param>
public sealed class NodeLogQueryTests(NodeLogQueryServer server) : IClassFixture<NodeLogQueryServer>
{
    private readonly HttpClient _client = server.Client;

    [Fact]
    public async Task A_unit_is_read_from_the_journal_with_each_limit_an_argument_of_its_own()
    {
        string answer = await GetAsync(
            "?query=kubelet&query=my-app@1&sinceTime=2026-01-02T03:04:05%2B01:00&untilTime=2026-01-02T04:04:05Z&tailLines=7&boot=-1&pattern=" + Uri.EscapeDataString("x'; touch /tmp/y $(id)"));
        Assert.Contains(
            """
            [--utc]
            [--no-pager]
            [--output=short-precise]
            [--since=2026-01-02 02:04:05 UTC]
            [--until=2026-01-02 04:04:05 UTC]
            [--pager-end]
            [--lines=7]
            [--unit=kubelet]
            [--unit=my-app@1]
            [--grep=x'; touch /tmp/y $(id)]
            [--boot]
            [-1]

            """, answer, StringComparison.Ordinal);
        Assert.Contains("a word on stderr\n", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("?query=plain", "a file's line\n")]
    [InlineData("?query=plain.log", "a file's line\n")]
    [InlineData("?query=dir", "a folder's line\n")]
    [InlineData("?query=plain&query=dir", "a file's line\na folder's line\n")]
    [InlineData("?query=none", "\nlog not found for none\n")]
    [InlineData("?query=out", "\nerror getting log for out: /out.log cannot be read\n")]
    [InlineData("?query=plain&query=kubelet&tailLines=1", "\noptions present and query resolved to log files for [plain]\ntry without specifying options\n")]
    [InlineData("?query=/plain.log", "a file's line\n")]
    [InlineData("?query=dir/dir.log", "a folder's line\n")]
    [InlineData("plain.log", "a file's line\n")]
    public async Task Who_is_not_in_the_journal_has_files(string query, string text) => Assert.Equal(text, await GetAsync(query));

    [Theory]
    [InlineData("?query=", 400, "query: Invalid value: [\"\"]: query cannot be empty")]
    [InlineData("?query=kubelet&sinceTime=yesterday", 400, "sinceTime: Invalid value: \"yesterday\": invalid time format")]
    [InlineData("?query=kubelet&untilTime=2026-01-02T03:04:05", 400, "untilTime: Invalid value: \"2026-01-02T03:04:05\": invalid time format")]
    [InlineData("?query=kubelet&tailLines=x&boot=y", 400,
        "[tailLines: Invalid value: \"x\": strconv.Atoi: parsing \"x\": invalid syntax, boot: Invalid value: \"y\": strconv.Atoi: parsing \"y\": invalid syntax]")]
    [InlineData("?tailLines=5", 406, "query: Required value: cannot be empty with options")]
    [InlineData("?query=a%3B%20id", 406, "query: Invalid value: \"a; id\": input contains unsupported characters")]
    [InlineData("?query=a&query=b&query=c&query=d&query=e", 406, "query: Too many: 5: must have at most 4 items")]
    [InlineData("?query=a&query=/b", 406, "query: Invalid value: \"[/b], [a]\": cannot specify a file and service")]
    [InlineData("?query=/a&query=/b", 406, "query: Invalid value: [\"/a\",\"/b\"]: cannot specify more than one file")]
    [InlineData("?query=/plain.log&boot=0", 406, "query: Invalid value: [\"/plain.log\"]: cannot specify file with options")]
    [InlineData("?query=/none.log", 406, "query: Invalid value: [\"/none.log\"]: no such file")]
    [InlineData("?query=kubelet&boot=1", 406, "boot: Invalid value: 1: must be less than 1")]
    [InlineData("?query=kubelet&tailLines=100001", 406, "tailLines: Invalid value: 100001: must be between 0 and 100000, inclusive")]
    [InlineData("?query=kubelet&sinceTime=2026-01-02T03:04:05Z&untilTime=2025-01-02T03:04:05Z", 406,
        "untilTime: Invalid value: \"2025-01-02T03:04:05Z\": must be after `sinceTime`")]
    public async Task What_cannot_be_asked_is_refused(string query, int status, string text)
    {
        using HttpResponseMessage answer = await _client.GetAsync("/logs/" + query);
        Assert.Equal((status, text + "\n"), ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync()));
    }

    [Theory]
    [InlineData("?query=kubelet&pattern=%28")]
    [InlineData("?query=../secret")]
    [InlineData("?query=/out.log")]
    [InlineData("?query=-x/y")]
    public async Task Patterns_that_are_none_and_paths_that_lead_out_are_406(string query)
    {
        using HttpResponseMessage answer = await _client.GetAsync("/logs/" + query);
        Assert.Equal(HttpStatusCode.NotAcceptable, answer.StatusCode);
    }

    [Fact]
    public async Task Who_takes_gzip_gets_gzip()
    {
        using HttpRequestMessage request = new(HttpMethod.Get, "/logs/?query=plain") { Headers = { { "Accept-Encoding", "gzip" } } };
        using HttpResponseMessage answer = await _client.SendAsync(request);
        Assert.Equal(("gzip", "text/plain;charset=UTF-8"), (answer.Content.Headers.ContentEncoding.Single(), answer.Content.Headers.NonValidated["Content-Type"].ToString()));
        using StreamReader reader = new(new GZipStream(await answer.Content.ReadAsStreamAsync(), CompressionMode.Decompress));
        Assert.Equal("a file's line\n", await reader.ReadToEndAsync());
    }

    [Fact]
    public async Task A_host_without_a_journal_still_has_files()
    {
        (ServerRig rig, HttpClient client) = await server.StartAsync("/no-such-program");
        await using (rig)
        {
            using (client)
            {
                Assert.Equal("a file's line\n", await client.GetStringAsync("/logs/?query=plain"));
                Assert.Equal("\nlog not found for kubelet\n", await client.GetStringAsync("/logs/?query=kubelet"));
            }
        }
    }

    private async Task<string> GetAsync(string rest)
    {
        using HttpResponseMessage answer = await _client.GetAsync("/logs/" + rest);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return Encoding.UTF8.GetString(await answer.Content.ReadAsByteArrayAsync());
    }
}
