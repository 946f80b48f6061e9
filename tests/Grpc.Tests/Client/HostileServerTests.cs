using System.Text;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using NodeAgent.Grpc.Client;
using NodeAgent.Grpc.Http2;

namespace NodeAgent.Grpc.Tests.Client;

/// <summary>Whatever a server does, a call ends with a status, in time, and the channel lives on.</summary>
public sealed class HostileServerTests : IDisposable
{
    private static readonly (string, string) Grpc = ("content-type", "application/grpc");
    private readonly TemporarySocket _socket = new();

    public void Dispose() => _socket.Dispose();

    [Fact]
    public Task Trailers_only_with_a_status_is_that_status() =>
        Ends(StatusCode.PermissionDenied, [HostileServer.Headers(true, Grpc, ("grpc-status", "7"), ("grpc-message", "no%20way"))], "no way");

    [Fact]
    public Task Status_OK_without_a_message_is_internal() => Ends(StatusCode.Internal, [HostileServer.Headers(true, Grpc, ("grpc-status", "0"))]);

    [Fact]
    public Task Missing_trailers_are_internal() => Ends(StatusCode.Internal,
        [HostileServer.Headers(false, Grpc), HostileServer.Frame(FrameType.Data, FrameHeader.EndStream, 1, 0, 0, 0, 0, 0)], "trailers");

    [Fact]
    public Task A_prefix_that_is_cut_short_is_internal() => Ends(StatusCode.Internal,
        [HostileServer.Headers(false, Grpc), HostileServer.Frame(FrameType.Data, FrameHeader.EndStream, 1, 0, 0, 0)]);

    [Fact]
    public Task A_message_that_is_cut_short_is_internal() => Ends(StatusCode.Internal,
        [HostileServer.Headers(false, Grpc), HostileServer.Frame(FrameType.Data, FrameHeader.EndStream, 1, 0, 0, 0, 0, 9, 1, 2)], "inside a message");

    [Fact]
    public Task A_message_over_the_limit_is_resource_exhausted() => Ends(StatusCode.ResourceExhausted,
        [HostileServer.Headers(false, Grpc), HostileServer.Frame(FrameType.Data, 0, 1, 0, 0xff, 0xff, 0xff, 0xff)]);

    [Fact]
    public Task A_compressed_message_is_unimplemented() => Ends(StatusCode.Unimplemented,
        [HostileServer.Headers(false, Grpc), HostileServer.Frame(FrameType.Data, 0, 1, 1, 0, 0, 0, 0)]);

    [Fact]
    public Task A_message_that_does_not_decode_is_internal() => Ends(StatusCode.Internal,
        [HostileServer.Headers(false, Grpc), HostileServer.Frame(FrameType.Data, 0, 1, 0, 0, 0, 0, 2, 0x0a, 0x7f), HostileServer.Trailers(("grpc-status", "0"))], "decode");

    [Fact]
    public Task Two_messages_to_a_unary_call_are_internal() => Ends(StatusCode.Internal,
        [HostileServer.Headers(false, Grpc), HostileServer.Frame(FrameType.Data, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), HostileServer.Trailers(("grpc-status", "0"))], "more than one");

    [Fact]
    public Task An_unknown_status_number_is_unknown() => Ends(StatusCode.Unknown, [HostileServer.Headers(true, Grpc, ("grpc-status", "77"))]);

    [Fact]
    public Task A_status_that_is_no_number_is_unknown() => Ends(StatusCode.Unknown, [HostileServer.Headers(true, Grpc, ("grpc-status", "x"))]);

    [Fact]
    public Task A_web_page_is_no_gRPC() => Ends(StatusCode.Unknown, [HostileServer.Headers(false, ("content-type", "text/html"))], "no gRPC server");

    [Fact]
    public Task A_reset_inside_a_message_is_cancelled() => Ends(StatusCode.Cancelled,
        [HostileServer.Headers(false, Grpc), HostileServer.Frame(FrameType.Data, 0, 1, 0, 0, 0, 0, 9, 1), HostileServer.Frame(FrameType.RstStream, 0, 1, 0, 0, 0, 8)]);

    [Fact]
    public Task A_reset_with_internal_error_is_internal() => Ends(StatusCode.Internal, [HostileServer.Frame(FrameType.RstStream, 0, 1, 0, 0, 0, 2)]);

    [Fact]
    public Task A_frame_on_stream_0_is_a_protocol_error() => Ends(StatusCode.Internal, [HostileServer.Frame(FrameType.Data, 0, 0, 1)]);

    [Fact]
    public Task A_frame_larger_than_allowed_ends_the_call() => Ends(StatusCode.Internal, [[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]]);

    [Fact]
    public Task A_header_block_of_nonsense_ends_the_call() => EndsAnyhow([HostileServer.Frame(FrameType.Headers, FrameHeader.EndHeaders, 1, 0xff, 0xff, 0xff, 0xff, 0xff)]);

    [Fact]
    public async Task A_connection_that_closes_after_the_request_is_unavailable()
    {
        await using var server = new HostileServer(_socket.Path, stream =>
        {
            stream.Close();
            return Task.CompletedTask;
        });
        Assert.Equal(StatusCode.Unavailable, (await CallAsync()).StatusCode);
    }

    [Fact]
    public async Task A_going_away_that_excludes_the_call_ends_it()
    {
        await using var server = new HostileServer(_socket.Path, async stream =>
        {
            await stream.WriteAsync(HostileServer.Frame(FrameType.GoAway, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
            stream.Close();
        });
        Assert.Contains((await CallAsync(TimeSpan.FromSeconds(5))).StatusCode, (StatusCode[])[StatusCode.Unavailable, StatusCode.DeadlineExceeded]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_call_that_the_peer_did_not_begin_is_made_again(bool goesAway)
    {
        int clients = 0;
        await using var server = new HostileServer(_socket.Path, async (stream, id) =>
        {
            bool first = Interlocked.Increment(ref clients) == 1;
            if (!first || id > 1) await stream.WriteAsync(Answer(id, "second try"));
            else if (goesAway) await stream.WriteAsync(HostileServer.Frame(FrameType.GoAway, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
            else await stream.WriteAsync(HostileServer.Frame(FrameType.RstStream, 0, id, 0, 0, 0, 7));
        });
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        Assert.Equal("second try", (await channel.CallAsync(Echo.Context, "", TimeSpan.FromSeconds(20))).Value);
    }

    [Fact]
    public async Task A_peer_that_refuses_every_time_is_unavailable()
    {
        await using var server = new HostileServer(_socket.Path, async (stream, id) =>
            await stream.WriteAsync(HostileServer.Frame(FrameType.RstStream, 0, id, 0, 0, 0, 7)));
        RpcException e = await CallAsync();
        Assert.Equal(StatusCode.Unavailable, e.StatusCode);
        Assert.Contains("REFUSED_STREAM", e.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_peer_that_takes_no_calls_at_all_is_unavailable_and_not_connected_to_again_and_again()
    {
        await using var server = new HostileServer(_socket.Path, async (stream, id) =>
        {
            await stream.WriteAsync(HostileServer.Frame(FrameType.Settings, 0, 0, 0, 3, 0, 0, 0, 0));
            await stream.WriteAsync(HostileServer.Frame(FrameType.RstStream, 0, id, 0, 0, 0, 7));
        });
        RpcException e = await CallAsync();
        Assert.Equal(StatusCode.Unavailable, e.StatusCode);
        Assert.InRange(server.Clients, 1, 4);
    }

    [Fact]
    public async Task A_stream_that_is_refused_after_it_began_to_answer_is_not_begun_again()
    {
        await using var server = new HostileServer(_socket.Path, async (stream, id) =>
        {
            await stream.WriteAsync(HostileServer.Headers(id, false, Grpc));
            await stream.WriteAsync(HostileServer.Frame(FrameType.RstStream, 0, id, 0, 0, 0, 7));
        });
        Assert.Equal(StatusCode.Internal, (await CallAsync()).StatusCode);
        Assert.Equal(1, server.Clients);
    }

    [Fact]
    public async Task What_the_peer_said_before_it_left_is_heard_though_sending_to_it_fails()
    {
        await using var server = new HostileServer(_socket.Path, async (stream, id) =>
        {
            // More pings than its buffer holds answers of, then the answer, then it is gone.
            for (int i = 0; i < 1000; i++) await stream.WriteAsync(HostileServer.Frame(FrameType.Ping, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8));
            await stream.WriteAsync(Answer(id, "last word"));
            stream.Close();
        });
        for (int i = 0; i < 50; i++)
        {
            // A call that is sent just as the peer leaves has no answer: each begins on a connection of its own.
            using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
            Assert.Equal("last word", (await channel.CallAsync(Echo.Context, "", TimeSpan.FromSeconds(20))).Value);
        }
    }

    [Theory]
    [InlineData(FrameTypes.Ping)]
    [InlineData(FrameTypes.Settings)]
    public async Task A_peer_that_wants_answers_and_takes_none_is_left_before_they_fill_the_memory(int type)
    {
        long written = 0;
        await using var server = new HostileServer(_socket.Path, async stream =>
        {
            byte[] frame = HostileServer.Frame((FrameType)type, 0, 0, new byte[type == FrameTypes.Ping ? 8 : 0]);
            byte[] many = [.. Enumerable.Repeat(frame, 1000).SelectMany(f => f)];
            for (; written < 1_000_000; written += 1000) await stream.WriteAsync(many);
        });
        RpcException e = await CallAsync();
        Assert.Contains("HTTP/2 error 11", e.Status.Detail, StringComparison.Ordinal);
        Assert.InRange(Volatile.Read(ref written), 0, 200_000);
    }

    [Fact]
    public async Task A_call_under_way_ends_in_order_where_the_peer_goes_away_after_it()
    {
        await using var server = new HostileServer(_socket.Path, async (stream, id) =>
        {
            await stream.WriteAsync(HostileServer.Frame(FrameType.GoAway, 0, 0, 0, 0, 0, (byte)id, 0, 0, 0, 0));
            await stream.WriteAsync(Answer(id, "to the end"));
        });
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        for (int i = 0; i < 3; i++) Assert.Equal("to the end", (await channel.CallAsync(Echo.Context, "", TimeSpan.FromSeconds(20))).Value);
    }

    [Fact]
    public async Task An_answer_in_the_smallest_pieces_with_padding_and_frames_between_is_read()
    {
        await using var server = new HostileServer(_socket.Path, async (stream, id) =>
        {
            var block = new HpackWriter();
            block.Status200();
            block.Add("content-type", "application/grpc");
            byte[] head = block.Written.ToArray();
            await stream.WriteAsync(HostileServer.Frame(FrameType.Headers, 0, id, head[..1]));
            await stream.WriteAsync(HostileServer.Frame(FrameType.Continuation, FrameHeader.EndHeaders, id, head[1..]));
            await stream.WriteAsync(HostileServer.Frame(FrameType.Ping, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8));
            await stream.WriteAsync(HostileServer.Frame((FrameType)0x77, 0, 0, 1));
            foreach (byte octet in (byte[])[0, 0, 0, 0, 4, 0x0a, 2, (byte)'o', (byte)'k'])
            {
                byte[] frame = HostileServer.Frame(FrameType.Data, FrameHeader.Padded, id, 3, octet, 0, 0, 0);
                await stream.WriteAsync(frame.AsMemory(0, 5));
                await stream.WriteAsync(frame.AsMemory(5));
            }
            await stream.WriteAsync(HostileServer.Trailers(id, ("grpc-status", "0")));
        });
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        Assert.Equal("ok", (await channel.CallAsync(Echo.Context, "", TimeSpan.FromSeconds(20))).Value);
    }

    [Fact]
    public async Task A_caller_that_gives_up_resets_its_stream_and_the_connection_serves_the_next()
    {
        var resets = new TaskCompletionSource<int>();
        await using var server = new HostileServer(_socket.Path, async (stream, id) =>
        {
            if (id > 1) await stream.WriteAsync(Answer(id, "next"));
        }, reset: id => resets.TrySetResult(id));
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(Echo.Context, "", TimeSpan.FromMilliseconds(100)));
        Assert.Equal(StatusCode.DeadlineExceeded, e.StatusCode);
        Assert.Equal(1, await resets.Task.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Equal("next", (await channel.CallAsync(Echo.Context, "", TimeSpan.FromSeconds(20))).Value);
        Assert.Equal(1, server.Clients);
    }

    [Fact]
    public async Task A_stream_that_nobody_reads_holds_no_more_than_its_window()
    {
        long sent = 0;
        await using var server = new HostileServer(_socket.Path, async (stream, id) =>
        {
            await stream.WriteAsync(HostileServer.Headers(id, false, Grpc));
            var message = new byte[5 + 1000];
            message[3] = 1000 >> 8;
            message[4] = 1000 & 0xff;
            message[5] = 0x0a;   // field 1, the rest of the message as text
            message[6] = 0xe5;
            message[7] = 0x07;
            for (; sent <= 4 * 1024 * 1024; sent += message.Length) await stream.WriteAsync(HostileServer.Frame(FrameType.Data, 0, id, message));
        });
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        await using IAsyncEnumerator<StringValue> values = channel.ServerStreaming(Echo.Fail, new StringValue(), default, default).GetAsyncEnumerator();
        Assert.True(await values.MoveNextAsync());
        await Eventually(() => Volatile.Read(ref sent) > 4 * 1024 * 1024);
        RpcException e = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await values.MoveNextAsync())
            {
            }
        });
        Assert.Contains("window", e.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_that_never_answers_ends_by_the_deadline()
    {
        await using var server = new HostileServer(_socket.Path, _ => Task.CompletedTask, readRequest: false);
        Assert.Equal(StatusCode.DeadlineExceeded, (await CallAsync(TimeSpan.FromMilliseconds(200))).StatusCode);
    }

    [Fact]
    public async Task An_HTTP_1_answer_is_an_error()
    {
        await using var server = new HostileServer(_socket.Path,
            async stream => await stream.WriteAsync(Encoding.ASCII.GetBytes("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")), readRequest: false);
        Assert.NotEqual(StatusCode.OK, (await CallAsync(TimeSpan.FromSeconds(5))).StatusCode);
    }

    [Fact]
    public async Task Random_octets_never_hang_a_call_or_break_the_channel()
    {
        var random = new Random(7);
        await using var server = new HostileServer(_socket.Path, async stream =>
        {
            var garbage = new byte[random.Next(1, 300)];
            random.NextBytes(garbage);
            await stream.WriteAsync(garbage);
            stream.Close();
        });
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        for (int i = 0; i < 100; i++)
            await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(Echo.Context, "", TimeSpan.FromSeconds(5)));
    }

    // FrameType is not to be seen in a public signature.
    private static class FrameTypes
    {
        public const int Ping = (int)FrameType.Ping, Settings = (int)FrameType.Settings;
    }

    private static byte[] Answer(int id, string text)
    {
        byte[] message = new StringValue { Value = text }.ToByteArray();
        return [.. HostileServer.Headers(id, false, Grpc), .. HostileServer.Frame(FrameType.Data, 0, id, [0, 0, 0, 0, (byte)message.Length, .. message]), .. HostileServer.Trailers(id, ("grpc-status", "0"))];
    }

    private static async Task Eventually(Func<bool> holds)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!holds())
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private async Task<RpcException> CallAsync(TimeSpan? timeout = null)
    {
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        return await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(Echo.Context, "", timeout ?? TimeSpan.FromSeconds(20)).WaitAsync(TimeSpan.FromSeconds(30)));
    }

    private async Task Ends(StatusCode expected, byte[][] frames, string inDetail = "")
    {
        RpcException e = await EndsAnyhow(frames);
        Assert.Equal(expected, e.StatusCode);
        Assert.Contains(inDetail, e.Status.Detail, StringComparison.Ordinal);
    }

    private async Task<RpcException> EndsAnyhow(byte[][] frames)
    {
        await using var server = new HostileServer(_socket.Path, async stream =>
        {
            foreach (byte[] frame in frames) await stream.WriteAsync(frame);
        });
        RpcException e = await CallAsync();
        Assert.NotEqual(StatusCode.DeadlineExceeded, e.StatusCode);
        return e;
    }
}
