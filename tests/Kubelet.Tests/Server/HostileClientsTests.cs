using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using NodeAgent.Kubelet.Server;
using NodeAgent.Kubelet.Tests.Volumes;

namespace NodeAgent.Kubelet.Tests.Server;

/// <summary>Peers that hold connections, heads, answers or reviews: what they can hold is bounded, and others are served.</summary>
public sealed class HostileClientsTests
{
    private const byte Settings = 4, Headers = 1;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60), Soon = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task Of_connections_that_say_nothing_the_oldest_are_closed_and_others_are_served()
    {
        await using ServerRig rig = await ServerRig.StartAsync();
        List<TcpClient> silent = [];
        for (int number = 0; number < ConnectionAdmission.PerAddress + 20; number++)
            silent.Add(await rig.DialAsync());
        foreach (TcpClient first in silent.Take(20))
            await EndsAsync(first.GetStream());
        await rig.ServesAsync();
        Assert.InRange(rig.Server.Strangers, 1, ConnectionAdmission.PerAddress);
        silent.ForEach(client => client.Dispose());
    }

    [Fact]
    public async Task Thousands_of_connections_do_not_end_one_whose_peer_has_shown_who_it_is()
    {
        await using ServerRig rig = await ServerRig.StartAsync();
        await using SslStream trusted = await rig.DialTlsAsync(withCertificate: true, SslApplicationProtocol.Http11);
        Assert.Equal("HTTP/1.1 200 OK", await AskAsync(trusted));
        for (int round = 0; round < 10; round++)
        {
            TcpClient[] flood = await Task.WhenAll(Enumerable.Range(0, 300).Select(_ => rig.DialAsync()));
            await rig.ServesAsync();
            Assert.InRange(rig.Server.Strangers, 0, ConnectionAdmission.PerAddress);
            if (round % 2 == 0)
                Array.ForEach(flood, client => client.Dispose());
        }
        Assert.Equal("HTTP/1.1 200 OK", await AskAsync(trusted));
    }

    [Fact]
    public async Task A_handshake_or_a_head_that_does_not_come_ends_the_connection()
    {
        await using ServerRig rig = await ServerRig.StartAsync(options => options with { HeadLimit = Soon });
        using TcpClient mute = await rig.DialAsync();
        await using SslStream slow = await rig.DialTlsAsync(withCertificate: false, SslApplicationProtocol.Http11);
        await slow.WriteAsync("GET /pods HTTP/1.1\r\nHost: localhost\r\nX-Slow: "u8.ToArray());
        await EndsAsync(mute.GetStream());
        await EndsAsync(slow);
        await rig.ServesAsync();
    }

    [Fact]
    public async Task A_head_without_end_is_refused()
    {
        await using ServerRig rig = await ServerRig.StartAsync();
        await using SslStream giant = await rig.DialTlsAsync(withCertificate: false, SslApplicationProtocol.Http11);
        await giant.WriteAsync("GET /pods HTTP/1.1\r\nHost: localhost\r\nX-Giant: "u8.ToArray());
        Assert.InRange(await PourAsync(giant, 1L << 30), 0, 64L << 20);
        await rig.ServesAsync();
    }

    [Fact]
    public async Task A_body_that_nobody_asked_for_is_not_kept()
    {
        await using ServerRig rig = await ServerRig.StartAsync();
        await using SslStream giant = await rig.DialTlsAsync(withCertificate: false, SslApplicationProtocol.Http11);
        await giant.WriteAsync("POST /exec/default/web/main?command=sh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\n\r\n"u8.ToArray());
        Assert.Equal("HTTP/1.1 401 Unauthorized", await HeadAsync(giant));
        await PourAsync(giant, 1L << 30);
        await rig.ServesAsync();
    }

    [Fact]
    public async Task An_upgrade_without_credentials_is_refused_and_leads_to_nothing()
    {
        await using ServerRig rig = await ServerRig.StartAsync();
        await using SslStream stranger = await rig.DialTlsAsync(withCertificate: false, SslApplicationProtocol.Http11);
        await stranger.WriteAsync("POST /exec/default/web/main?command=sh&output=1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
        Assert.Equal("HTTP/1.1 401 Unauthorized", await HeadAsync(stranger));
    }

    [Theory]
    [InlineData("a frame larger than any allowed", "ff ff ff 00 00 00 00 00 01")]
    [InlineData("data on a stream that was never opened", "00 00 01 00 00 00 00 00 01 00")]
    [InlineData("settings with half an entry", "00 00 05 04 00 00 00 00 00 00 01 00 00 00")]
    [InlineData("a head whose compression is broken", "00 00 02 01 05 00 00 00 01 ff ff")]
    [InlineData("a window update of zero", "00 00 04 08 00 00 00 00 00 00 00 00 00")]
    [InlineData("a continuation of nothing", "00 00 01 09 04 00 00 00 01 82")]
    [InlineData("a push", "00 00 04 05 04 00 00 00 01 00 00 00 02")]
    public async Task Broken_HTTP2_ends_its_connection_and_no_other(string what, string frame)
    {
        await using ServerRig rig = await ServerRig.StartAsync();
        await using SslStream broken = await rig.DialTlsAsync(withCertificate: true, SslApplicationProtocol.Http2);
        await broken.WriteAsync(Preface([]));
        await broken.WriteAsync(Convert.FromHexString(frame.Replace(" ", "", StringComparison.Ordinal)));
        try
        {
            await EndsAsync(broken);
        }
        catch (TimeoutException)
        {
            Assert.Fail(what);
        }
        await rig.ServesAsync();
    }

    [Fact]
    public async Task An_HTTP2_peer_that_asks_without_end_and_takes_no_answer_is_cut_off()
    {
        await using ServerRig rig = await ServerRig.StartAsync();
        await using SslStream closed = await rig.DialTlsAsync(withCertificate: false, SslApplicationProtocol.Http2);
        // SETTINGS_INITIAL_WINDOW_SIZE 0: no byte of any body may be sent.
        await closed.WriteAsync(Preface([0, 4, 0, 0, 0, 0]));
        Task ended = EndsAsync(closed);
        try
        {
            for (int number = 0; number < 3 * ConnectionAdmission.RequestsInAll; number++)
                await closed.WriteAsync(Frame(Headers, 5, 2 * number + 1, [0x82, 0x87, 0x04, 5, .. "/pods"u8, 0x01, 9, .. "localhost"u8]));
        }
        catch (IOException)
        {
            // Cut off before all were sent.
        }
        await ended;
        await rig.ServesAsync();
    }

    [Fact]
    public async Task A_stranger_may_ask_again_and_again_on_connections_that_are_closed_in_order()
    {
        await using ServerRig rig = await ServerRig.StartAsync();
        foreach (Version version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            using HttpClient client = rig.Client(withCertificate: false, version);
            for (int number = 0; number < 3 * ConnectionAdmission.RequestsInAll; number++)
                Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync(new Uri("/pods", UriKind.Relative))).StatusCode);
        }
    }

    [Fact]
    public async Task An_answer_that_does_not_come_to_its_end_is_given_up()
    {
        await using ServerRig rig = await ServerRig.StartAsync(options => options with { AnswerLimit = Soon }, new FakeClient { Creates = Task.Delay(Timeout.InfiniteTimeSpan) });
        await using SslStream waiting = await rig.DialTlsAsync(withCertificate: false, SslApplicationProtocol.Http11);
        await waiting.WriteAsync("GET /pods HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer abc\r\n\r\n"u8.ToArray());
        await EndsAsync(waiting);
        await rig.ServesAsync();
    }

    [Theory]
    [InlineData(false, 140, 128)]
    [InlineData(true, 20, ConnectionAdmission.RequestsOfStranger)]
    public async Task Tokens_that_wait_for_their_review_are_few_and_who_has_a_certificate_is_served(bool oneConnection, int requests, int waiting)
    {
        TaskCompletionSource reviewed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using ServerRig rig = await ServerRig.StartAsync(reviews: new FakeClient { Creates = reviewed.Task });
        using HttpClient shared = rig.Client(withCertificate: false, HttpVersion.Version20);
        if (oneConnection)
            Assert.Equal(HttpStatusCode.Unauthorized, (await shared.GetAsync(new Uri("/pods", UriKind.Relative))).StatusCode);
        List<Task<HttpStatusCode>> answers = [.. Enumerable.Range(0, requests).Select(async number =>
        {
            HttpClient client = oneConnection ? shared : rig.Client(withCertificate: false);
            using HttpRequestMessage request = new(HttpMethod.Get, "/pods") { Version = client.DefaultRequestVersion, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            request.Headers.Authorization = new("Bearer", $"token-{number}");
            using HttpResponseMessage response = await client.SendAsync(request);
            return response.StatusCode;
        })];
        List<Task<HttpStatusCode>> open = [.. answers];
        for (int refused = 0; refused < requests - waiting; refused++)
        {
            Task<HttpStatusCode> answered = await Task.WhenAny(open).WaitAsync(Patience);
            open.Remove(answered);
            Assert.Equal(HttpStatusCode.TooManyRequests, await answered);
        }
        await rig.ServesAsync();
        Assert.DoesNotContain(open, answer => answer.IsCompleted);
        reviewed.SetResult();
        Assert.All(await Task.WhenAll(open).WaitAsync(Patience), code => Assert.Equal(HttpStatusCode.Unauthorized, code));
    }

    private static async Task EndsAsync(Stream stream)
    {
        byte[] buffer = new byte[4096];
        try
        {
            while (await stream.ReadAsync(buffer).AsTask().WaitAsync(Patience) > 0)
            {
            }
        }
        catch (IOException)
        {
            // Reset: ended as well.
        }
    }

    // Sends until the server does not take it any more; answers how much that was.
    private static async Task<long> PourAsync(Stream stream, long most)
    {
        byte[] block = new byte[64 * 1024];
        Array.Fill(block, (byte)'a');
        long sent = 0;
        try
        {
            for (; sent < most; sent += block.Length)
                await stream.WriteAsync(block).AsTask().WaitAsync(Patience);
        }
        catch (IOException)
        {
            return sent;
        }
        Assert.Fail($"all {most} bytes were taken");
        return sent;
    }

    private static async Task<string> AskAsync(Stream stream)
    {
        await stream.WriteAsync("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
        string status = await HeadAsync(stream);
        await stream.ReadExactlyAsync(new byte[2]);
        return status;
    }

    // Reads a head; answers its first line.
    private static async Task<string> HeadAsync(Stream stream)
    {
        List<byte> head = [];
        byte[] one = new byte[1];
        while (head is not [.., (byte)'\r', (byte)'\n', (byte)'\r', (byte)'\n'])
        {
            await stream.ReadExactlyAsync(one).AsTask().WaitAsync(Patience);
            head.Add(one[0]);
        }
        return Encoding.ASCII.GetString([.. head]).Split("\r\n")[0];
    }

    private static byte[] Preface(byte[] settings) => [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(Settings, 0, 0, settings)];

    private static byte[] Frame(byte type, byte flags, int stream, byte[] payload) =>
        [(byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags, (byte)(stream >> 24), (byte)(stream >> 16), (byte)(stream >> 8), (byte)stream, .. payload];
}
