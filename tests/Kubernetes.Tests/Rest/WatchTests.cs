using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Tests.Rest;

public sealed class WatchTests
{
    [Fact]
    public async Task Frames_cut_anywhere_are_put_together()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        string big = new('x', 50_000);
        server.Answer = async context =>
        {
            byte[] all = Encoding.UTF8.GetBytes(
                Frame("ADDED", "a", "1") + Frame("MODIFIED", "a", "2", big) + "\n" + """{"object":{"metadata":{"name":"b","resourceVersion":"3"}},"type":"DELETED"}""" + "\n"
                + Frame("BOOKMARK", "", "4"));
            foreach (byte[] piece in all.Chunk(4097))
            {
                await context.Response.Body.WriteAsync(piece);
                await context.Response.Body.FlushAsync();
            }
        };
        using KubernetesClient client = server.Client();
        List<string> seen = [];
        await foreach (WatchEvent<ConfigMap> frame in client.WatchAsync<ConfigMap>(null, new WatchOptions { ResourceVersion = "0" }))
            seen.Add($"{frame.Type} {frame.Object.Metadata.Name} {frame.Object.Metadata.ResourceVersion} {frame.Object.Data.GetValueOrDefault("k")?.Length}");
        Assert.Equal(["Added a 1 ", "Modified a 2 50000", "Deleted b 3 ", "Bookmark  4 "], seen);
    }

    [Fact]
    public async Task An_error_frame_is_thrown_with_its_status()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        server.Answer = context => context.Response.WriteAsync(
            """{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old resource version","reason":"Expired","code":410}}""" + "\n");
        using KubernetesClient client = server.Client();
        ApiException e = await Assert.ThrowsAsync<ApiException>(() => CountAsync(client, new WatchOptions()));
        Assert.True(e.IsExpired);
    }

    [Theory]
    [InlineData("{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"")]
    [InlineData("not json\n")]
    [InlineData("{\"type\":\"STRANGE\",\"object\":{}}\n")]
    public async Task What_is_no_frame_breaks_the_watch(string text)
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        server.Answer = context => context.Response.WriteAsync(text);
        using KubernetesClient client = server.Client();
        await Assert.ThrowsAsync<ApiUnreachableException>(() => CountAsync(client, new WatchOptions()));
    }

    [Fact]
    public async Task A_frame_without_end_is_given_up_at_the_bound()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        server.Answer = async context =>
        {
            byte[] piece = Encoding.ASCII.GetBytes(new string('x', 65536));
            while (!context.RequestAborted.IsCancellationRequested)
                await context.Response.Body.WriteAsync(piece);
        };
        using KubernetesClient client = server.Client(new KubernetesClientOptions { Qps = 0, MaximumFrameBytes = 1 << 20 });
        ApiUnreachableException e = await Assert.ThrowsAsync<ApiUnreachableException>(() => CountAsync(client, new WatchOptions()));
        Assert.IsType<InvalidDataException>(e.InnerException);
    }

    [Fact]
    public async Task Five_hundred_watches_get_more_connections_than_one_has_streams_for()
    {
        const int watches = 500;
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        using SemaphoreSlim arrived = new(0);
        TaskCompletionSource go = new(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Answer = async context =>
        {
            await context.Response.Body.FlushAsync();
            arrived.Release();
            await go.Task;
            await context.Response.WriteAsync(Frame("ADDED", "a", "1"));
        };
        using KubernetesClient client = server.Client();
        Task<int>[] all = [.. Enumerable.Range(0, watches).Select(_ => CountAsync(client, new WatchOptions()))];
        for (int i = 0; i < watches; i++)
            Assert.True(await arrived.WaitAsync(TimeSpan.FromSeconds(60)));
        go.SetResult();
        Assert.Equal(watches, (await Task.WhenAll(all)).Sum());
        Assert.InRange(server.Connections.Count, 5, 20);
    }

    [Fact]
    public async Task A_black_hole_is_noticed_by_ping()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        server.Answer = async context =>
        {
            await context.Response.WriteAsync(Frame("ADDED", "a", "1"));
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        };
        await using BlackHole hole = new(server.Address.Port);
        using KubernetesClient client = new(
            server.Configuration with { Server = new Uri($"https://127.0.0.1:{hole.Port}") },
            new KubernetesClientOptions { PingInterval = TimeSpan.FromSeconds(1), PingTimeout = TimeSpan.FromSeconds(1) });
        await using IAsyncEnumerator<WatchEvent<ConfigMap>> watch = client.WatchAsync<ConfigMap>(null, new WatchOptions()).GetAsyncEnumerator();
        Assert.True(await watch.MoveNextAsync());
        hole.Swallow();
        await Assert.ThrowsAsync<ApiUnreachableException>(() => watch.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30)));
    }

    internal static string Frame(string type, string name, string version, string? data = null, string uid = "u") =>
        $$$"""{"type":"{{{type}}}","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"{{{name}}}","namespace":"n","uid":"{{{uid}}}","resourceVersion":"{{{version}}}"}{{{(data is null ? "" : $",\"data\":{{\"k\":\"{data}\"}}")}}}}}""" + "\n";

    private static async Task<int> CountAsync(KubernetesClient client, WatchOptions options)
    {
        int count = 0;
        await foreach (WatchEvent<ConfigMap> _ in client.WatchAsync<ConfigMap>(null, options))
            count++;
        return count;
    }

    /// <summary>Forwards bytes until told to swallow them, keeping the connections open.</summary>
    private sealed class BlackHole : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource _end = new();
        private readonly int _target;
        private volatile bool _swallow;

        internal BlackHole(int target)
        {
            _target = target;
            _listener.Start();
            _ = AcceptAsync();
        }

        internal int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        internal void Swallow() => _swallow = true;

        public async ValueTask DisposeAsync()
        {
            await _end.CancelAsync();
            _listener.Dispose();
            _end.Dispose();
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    TcpClient near = await _listener.AcceptTcpClientAsync(_end.Token), far = new();
                    await far.ConnectAsync(IPAddress.Loopback, _target, _end.Token);
                    _ = PumpAsync(near.GetStream(), far.GetStream());
                    _ = PumpAsync(far.GetStream(), near.GetStream());
                }
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
            }
        }

        private async Task PumpAsync(NetworkStream from, NetworkStream to)
        {
            byte[] buffer = new byte[65536];
            try
            {
                int read;
                while ((read = await from.ReadAsync(buffer, _end.Token)) > 0)
                {
                    if (!_swallow)
                        await to.WriteAsync(buffer.AsMemory(0, read), _end.Token);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
            {
            }
        }
    }
}
