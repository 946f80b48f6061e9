using System.Net.Sockets;
using NodeAgent.Grpc.Client;
using NodeAgent.Grpc.Http2;
using NodeAgent.Grpc.Server;
using static NodeAgent.Grpc.Tests.Client.HostileServer;

namespace NodeAgent.Grpc.Tests.Server;

/// <summary>Whatever one client sends, it is told by the right HTTP/2 error, and others are served on.</summary>
public sealed class HostileClientTests : IDisposable
{
    private static readonly byte[] Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();
    private readonly TemporarySocket _socket = new();

    public void Dispose() => _socket.Dispose();

    public static TheoryData<string, byte[], int> Offences => new()
    {
        { "a frame larger than allowed", [0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1], 6 },
        { "DATA on an idle stream", Frame(FrameType.Data, 0, 1, 0), 1 },
        { "DATA on stream 0", Frame(FrameType.Data, 0, 0, 0), 1 },
        { "CONTINUATION without HEADERS", Frame(FrameType.Continuation, 0, 1, 0), 1 },
        { "HEADERS on an even stream", Frame(FrameType.Headers, FrameHeader.EndHeaders, 2, 0x88), 1 },
        { "a wrong HPACK index", Frame(FrameType.Headers, FrameHeader.EndHeaders, 1, 0xff, 0xff, 0x7f), 9 },
        { "a PING of a wrong length", Frame(FrameType.Ping, 0, 0, 1, 2, 3), 6 },
        { "a WINDOW_UPDATE of 0", Frame(FrameType.WindowUpdate, 0, 0, 0, 0, 0, 0), 1 },
        { "a window past the most", Frame(FrameType.WindowUpdate, 0, 0, 0x7f, 0xff, 0xff, 0xff), 3 },
        { "SETTINGS of a wrong length", Frame(FrameType.Settings, 0, 0, 1), 6 },
        { "padding longer than the frame", Frame(FrameType.Headers, FrameHeader.EndHeaders | FrameHeader.Padded, 1, 9, 0x88), 1 },
        { "RST_STREAM on an idle stream", Frame(FrameType.RstStream, 0, 9, 0, 0, 0, 8), 1 },
        { "PUSH_PROMISE", Frame(FrameType.PushPromise, 0, 1, 0, 0, 0, 2), 1 },
    };

    [Theory]
    [MemberData(nameof(Offences))]
    public async Task An_offence_ends_the_connection_with_its_error_and_nobody_elses(string what, byte[] frame, int code)
    {
        await using GrpcServer server = Echo.Serve(_socket.Path);
        using GrpcChannel other = GrpcChannel.ForUnixSocket(_socket.Path);
        await other.CallAsync(Echo.Context, "");
        byte[] answer = await SendAsync([.. Preface, .. Frame(FrameType.Settings, 0, 0), .. frame]);
        Assert.Equal((what, code), (what, GoAwayCode(answer)));
        await other.CallAsync(Echo.Context, "");
    }

    [Fact]
    public async Task A_client_without_preface_is_dropped()
    {
        await using GrpcServer server = Echo.Serve(_socket.Path);
        Assert.Empty(await SendAsync("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray()));
    }

    [Fact]
    public async Task Random_octets_after_the_preface_end_the_connection_and_nobody_elses()
    {
        await using GrpcServer server = Echo.Serve(_socket.Path);
        using GrpcChannel other = GrpcChannel.ForUnixSocket(_socket.Path);
        var random = new Random(11);
        for (int i = 0; i < 200; i++)
        {
            var garbage = new byte[random.Next(1, 400)];
            random.NextBytes(garbage);
            await SendAsync([.. Preface, .. garbage]);
        }
        await other.CallAsync(Echo.Context, "");
    }

    [Fact]
    public async Task A_socket_path_as_authority_is_taken_with_Huffman_coding_and_the_dynamic_table()
    {
        await using GrpcServer server = Echo.Serve(_socket.Path);
        var block = new HpackWriter();
        block.Add(":method", "POST");
        block.Add(":scheme", "http");
        block.Add(":path", "/test.Echo/Context");
        block.Add(":authority", "/var/lib/kubelet/device-plugins/kubelet.sock");
        block.Add("content-type", "application/grpc");
        byte[] xa = [0x40, 0x03, (byte)'x', (byte)'-', (byte)'a', 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        byte[] second = [.. block.Written, 0xbe];   // 62: what the first request put into the dynamic table
        byte[] answer = await SendAsync([
            .. Preface, .. Frame(FrameType.Settings, 0, 0),
            .. Frame(FrameType.Headers, FrameHeader.EndHeaders, 1, [.. block.Written, .. xa]), .. Frame(FrameType.Data, FrameHeader.EndStream, 1, 0, 0, 0, 0, 0),
            .. Frame(FrameType.Headers, 0, 3, second[..10]), .. Frame(FrameType.Continuation, FrameHeader.EndHeaders, 3, second[10..]),
            .. Frame(FrameType.Data, FrameHeader.EndStream, 3, 0, 0, 0, 0, 0)]);
        string text = System.Text.Encoding.Latin1.GetString(answer);
        const string Expected = "/var/lib/kubelet/device-plugins/kubelet.sock|www.example.com|";
        Assert.Equal(2, text.Split(Expected).Length - 1);
    }

    private static int? GoAwayCode(byte[] answer)
    {
        for (int at = 0; at + FrameHeader.Size <= answer.Length;)
        {
            FrameHeader frame = FrameHeader.Read(answer.AsSpan(at));
            if (frame.Type == FrameType.GoAway) return answer[at + FrameHeader.Size + 7];
            at += FrameHeader.Size + frame.Length;
        }
        return null;
    }

    private async Task<byte[]> SendAsync(byte[] octets)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_socket.Path));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var answer = new MemoryStream();
        try
        {
            await socket.SendAsync(octets, limit.Token);
            var part = new byte[4096];
            bool done = false;
            for (int read; (read = await socket.ReceiveAsync(part, limit.Token)) > 0;)
            {
                answer.Write(part, 0, read);
                if (!done && Statuses(answer.ToArray()) == 2)
                {
                    done = true;
                    socket.Shutdown(SocketShutdown.Send);
                }
                else if (!done && octets.Length < 600 && !HasCalls(octets)) done = ShutdownSend(socket);
            }
        }
        catch (SocketException)
        {
            // The server closed while we still wrote.
        }
        return answer.ToArray();
    }

    private static bool HasCalls(byte[] octets) => System.Text.Encoding.Latin1.GetString(octets).Contains("/test.Echo/", StringComparison.Ordinal);

    private static int Statuses(byte[] answer) => System.Text.Encoding.Latin1.GetString(answer).Split("grpc-status").Length - 1;

    private static bool ShutdownSend(Socket socket)
    {
        socket.Shutdown(SocketShutdown.Send);
        return true;
    }
}
