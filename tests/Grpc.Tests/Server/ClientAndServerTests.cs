using System.Collections.Concurrent;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using NodeAgent.Grpc.Client;
using NodeAgent.Grpc.Server;

namespace NodeAgent.Grpc.Tests.Server;

public sealed class ClientAndServerTests : IDisposable
{
    private readonly TemporarySocket _socket = new();

    public void Dispose() => _socket.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16384)]
    [InlineData(70_000)]
    [InlineData(5_000_000)]
    [InlineData(16 * 1024 * 1024 - 16)]
    public async Task A_message_of_any_size_below_the_limit_comes_back_as_it_was(int size)
    {
        await using GrpcServer server = Echo.Serve(_socket.Path);
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        var bytes = new byte[size];
        new Random(size).NextBytes(bytes);
        BytesValue answer = await channel.UnaryCallAsync(Echo.Unary, new BytesValue { Value = ByteString.CopyFrom(bytes) }, default, default);
        Assert.True(answer.Value.Span.SequenceEqual(bytes));
    }

    [Fact]
    public async Task A_stream_gives_all_messages_in_order_and_ends()
    {
        await using GrpcServer server = Echo.Serve(_socket.Path);
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        var seen = new List<int>();
        await foreach (Int32Value value in channel.ServerStreaming(Echo.Count, new Int32Value { Value = 5000 }, default, default)) seen.Add(value.Value);
        Assert.Equal(Enumerable.Range(0, 5000), seen);
    }

    [Fact]
    public async Task A_failure_carries_code_message_details_and_trailers()
    {
        await using GrpcServer server = Echo.Serve(_socket.Path);
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(Echo.Fail, "50 % ü\nnext 日本"));
        Assert.Equal(new Status(StatusCode.NotFound, "50 % ü\nnext 日本"), e.Status);
        Assert.Equal([1, 2, 3, 255], e.StatusDetails!);
        Assert.Equal("yes", e.Trailers.Get("x-more"));
    }

    [Fact]
    public async Task A_method_that_is_not_served_is_unimplemented()
    {
        await using GrpcServer server = Echo.Serve(_socket.Path);
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        for (int i = 0; i < 100; i++)
        {
            RpcException e = await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(Echo.Unknown, new string('x', i * 1000)));
            Assert.Equal(StatusCode.Unimplemented, e.StatusCode);
        }
    }

    [Fact]
    public async Task A_deadline_is_an_outcome_of_its_own_and_cancels_the_handler()
    {
        var cancelled = new TaskCompletionSource();
        await using GrpcServer server = Echo.Serve(_socket.Path, cancelled: cancelled);
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(Echo.Hang, "", TimeSpan.FromMilliseconds(100)));
        Assert.Equal(StatusCode.DeadlineExceeded, e.StatusCode);
        await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task A_callers_cancellation_is_no_deadline_and_cancels_the_handler()
    {
        var cancelled = new TaskCompletionSource();
        await using GrpcServer server = Echo.Serve(_socket.Path, cancelled: cancelled);
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        OperationCanceledException e = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => channel.CallAsync(Echo.Hang, "", TimeSpan.FromSeconds(30), stop.Token));
        Assert.Equal(stop.Token, e.CancellationToken);
        await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("plugin.example:1234")]
    public async Task Authority_headers_and_timeout_reach_the_handler(string authority)
    {
        await using GrpcServer server = Echo.Serve(_socket.Path);
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path, new GrpcChannelOptions { Authority = authority });
        StringValue answer = await channel.UnaryCallAsync(
            Echo.Context, new StringValue(), new CallOptions(TimeSpan.FromSeconds(7), new Metadata { { "x-a", "b" } }), default);
        Assert.Equal($"{authority}|b|7", answer.Value);
    }

    [Fact]
    public async Task Messages_over_the_limit_are_refused_on_either_side()
    {
        await using GrpcServer server = Echo.Serve(_socket.Path, new GrpcServerOptions { MaxMessageSize = 1000 });
        using GrpcChannel small = GrpcChannel.ForUnixSocket(_socket.Path, new GrpcChannelOptions { MaxMessageSize = 100 });
        using GrpcChannel large = GrpcChannel.ForUnixSocket(_socket.Path);
        var message = new BytesValue { Value = ByteString.CopyFrom(new byte[5000]) };
        foreach (GrpcChannel channel in (GrpcChannel[])[small, large])
        {
            RpcException e = await Assert.ThrowsAsync<RpcException>(() => channel.UnaryCallAsync(Echo.Unary, message, default, default));
            Assert.Equal(StatusCode.ResourceExhausted, e.StatusCode);
        }
        RpcException received = await Assert.ThrowsAsync<RpcException>(() =>
            small.UnaryCallAsync(Echo.Context, new StringValue(), new CallOptions(null, new Metadata { { "x-a", new string('a', 500) } }), default));
        Assert.Equal(StatusCode.ResourceExhausted, received.StatusCode);
    }

    [Fact]
    public async Task More_calls_at_once_than_the_servers_stream_limit_all_succeed()
    {
        await using GrpcServer server = Echo.Serve(_socket.Path, new GrpcServerOptions { MaxConcurrentStreams = 5 });
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        var answers = new ConcurrentBag<int>();
        await Parallel.ForAsync(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 50 }, async (i, token) =>
        {
            int count = 0;
            await foreach (Int32Value _ in channel.ServerStreaming(Echo.Count, new Int32Value { Value = i }, default, token)) count++;
            answers.Add(count);
        });
        Assert.Equal(Enumerable.Range(0, 200), answers.Order());
    }

    [Fact]
    public async Task A_server_that_comes_back_is_found_again_after_the_back_off()
    {
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path, new GrpcChannelOptions { InitialBackoff = TimeSpan.FromMilliseconds(1), MaxBackoff = TimeSpan.FromMilliseconds(5) });
        RpcException absent = await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(Echo.Context, ""));
        Assert.Equal(StatusCode.Unavailable, absent.StatusCode);
        Assert.Contains(_socket.Path, absent.Status.Detail, StringComparison.Ordinal);
        for (int round = 0; round < 3; round++)
        {
            await using GrpcServer server = Echo.Serve(_socket.Path);
            await Eventually(() => channel.CallAsync(Echo.Context, ""));
        }
        RpcException gone = await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(Echo.Context, ""));
        Assert.Equal(StatusCode.Unavailable, gone.StatusCode);
    }

    [Fact]
    public async Task A_call_under_way_when_the_server_ends_is_unavailable_or_cancelled_and_does_not_hang()
    {
        GrpcServer server = Echo.Serve(_socket.Path);
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        await channel.CallAsync(Echo.Context, "");
        Task<StringValue> call = channel.CallAsync(Echo.Hang, "");
        await server.DisposeAsync();
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => call.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Contains(e.StatusCode, (StatusCode[])[StatusCode.Unavailable, StatusCode.Cancelled]);
        Assert.False(File.Exists(_socket.Path));
    }

    [Fact]
    public async Task Calls_that_come_together_on_a_new_channel_all_succeed()
    {
        await using GrpcServer server = Echo.Serve(_socket.Path);
        for (int round = 0; round < 200; round++)
        {
            using GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
            await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => channel.CallAsync(Echo.Context, "", TimeSpan.FromSeconds(20)))));
        }
    }

    [Fact]
    public async Task A_channel_that_is_closed_cancels_what_is_under_way_and_takes_no_more()
    {
        await using GrpcServer server = Echo.Serve(_socket.Path);
        GrpcChannel channel = GrpcChannel.ForUnixSocket(_socket.Path);
        await channel.CallAsync(Echo.Context, "");
        Task<StringValue> call = channel.CallAsync(Echo.Hang, "");
        channel.Dispose();
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => call.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Equal(StatusCode.Cancelled, e.StatusCode);
        Assert.Equal(StatusCode.Cancelled, (await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(Echo.Context, ""))).StatusCode);
    }

    [Fact]
    public async Task A_file_that_is_no_socket_is_not_replaced()
    {
        await File.WriteAllTextAsync(_socket.Path, "precious");
        await using var server = new GrpcServer();
        Assert.Throws<IOException>(() => server.Start(_socket.Path));
        Assert.Equal("precious", await File.ReadAllTextAsync(_socket.Path));
    }

    private static async Task Eventually(Func<Task> call)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (true)
        {
            try
            {
                await call();
                return;
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.Unavailable)
            {
                limit.Token.ThrowIfCancellationRequested();
                await Task.Yield();
            }
        }
    }
}
