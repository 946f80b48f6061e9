using System.Text;
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
