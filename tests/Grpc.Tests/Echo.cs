using Google.Protobuf.WellKnownTypes;
using NodeAgent.Grpc.Client;
using NodeAgent.Grpc.Server;

namespace NodeAgent.Grpc.Tests;

/// <summary>A service for tests, with well-known types as messages.</summary>
internal static class Echo
{
    public static readonly Method<BytesValue, BytesValue> Unary = new("test.Echo", "Unary", BytesValue.Parser, BytesValue.Parser);
    public static readonly Method<Int32Value, Int32Value> Count = new("test.Echo", "Count", Int32Value.Parser, Int32Value.Parser);
    public static readonly Method<StringValue, StringValue> Fail = new("test.Echo", "Fail", StringValue.Parser, StringValue.Parser);
    public static readonly Method<StringValue, StringValue> Hang = new("test.Echo", "Hang", StringValue.Parser, StringValue.Parser);
    public static readonly Method<StringValue, StringValue> Unknown = new("test.Echo", "Unknown", StringValue.Parser, StringValue.Parser);
    public static readonly Method<StringValue, StringValue> Context = new("test.Echo", "Context", StringValue.Parser, StringValue.Parser);

    public static GrpcServer Serve(string path, GrpcServerOptions? options = null, TaskCompletionSource? cancelled = null)
    {
        var server = new GrpcServer(options);
        server.AddUnary(Unary, (r, _) => Task.FromResult(r));
        server.AddUnary(Fail, (r, _) =>
        {
            Metadata trailers = Metadata.Empty;
            trailers.Add("grpc-status-details-bin", new byte[] { 1, 2, 3, 255 });
            trailers.Add("x-more", "yes");
            throw new RpcException(new Status(StatusCode.NotFound, r.Value), trailers);
        });
        server.AddUnary(Context, (_, c) => Task.FromResult(new StringValue { Value = $"{c.Authority}|{c.RequestHeaders.Get("x-a")}|{c.Timeout?.TotalSeconds}" }));
        server.AddUnary(Hang, async (r, c) =>
        {
            using CancellationTokenRegistration registration = c.CancellationToken.Register(() => cancelled?.TrySetResult());
            await Task.Delay(System.Threading.Timeout.InfiniteTimeSpan, c.CancellationToken);
            return r;
        });
        server.AddServerStreaming(Count, async (r, writer, _) =>
        {
            for (int i = 0; i < r.Value; i++) await writer.WriteAsync(new Int32Value { Value = i });
        });
        server.Start(path);
        return server;
    }

    public static Task<StringValue> CallAsync(this GrpcChannel channel, Method<StringValue, StringValue> method, string text, TimeSpan? timeout = null, CancellationToken token = default) =>
        channel.UnaryCallAsync(method, new StringValue { Value = text }, new CallOptions(timeout), token);
}
