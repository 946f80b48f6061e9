using System.Net;
using System.Net.Sockets;
using NodeAgent.Proxy.Health;

namespace NodeAgent.Proxy.Tests.Health;

/// <summary>The ports that answer everybody: what a client can hold of them is bounded, and others are answered.</summary>
public sealed class HttpListenersTests : IAsyncLifetime
{
    private const int Allowed = 64;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly HttpClient _client = new() { Timeout = Patience };
    private HttpListeners? _listeners;
    private IPEndPoint _address = new(IPAddress.Loopback, 0);

    public async Task InitializeAsync()
    {
        while (_listeners is null)
        {
            using (TcpListener free = new(IPAddress.Loopback, 0))
            {
                free.Start();
                _address = (IPEndPoint)free.LocalEndpoint;
            }

            try
            {
                _listeners = await HttpListeners.StartAsync([_address], oneFamily: true, _ => HttpAnswer.Text(200, "ok"), default);
            }
            catch (IOException)
            {
                // Somebody else has taken the port meanwhile.
            }
        }
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _listeners!.DisposeAsync();
    }

    [Fact]
    public async Task Of_connections_that_say_nothing_so_many_stay_as_are_allowed_and_others_are_answered()
    {
        List<TcpClient> silent = [];
        for (int number = 0; number < Allowed + 10; number++) silent.Add(await DialAsync());
        List<Task> open = [.. silent.Select(client => EndsAsync(client.GetStream()))];
        // Which ones: the server takes in those that come at once in any order.
        while (open.Count > Allowed)
        {
            Task ended = await Task.WhenAny(open);
            open.Remove(ended);
            await ended;
        }

        await AnswersAsync();
        silent.ForEach(client => client.Dispose());
        await Task.WhenAll(open).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    [Fact]
    public async Task A_head_without_end_and_what_is_no_HTTP_end_their_connection_and_no_other()
    {
        foreach (byte[] head in (byte[][])[[.. "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Giant: "u8, .. Enumerable.Repeat((byte)'x', 1 << 20)], [.. Enumerable.Repeat((byte)0xff, 4096)], [.. "GET / HTTP/9.9\r\n\r\n"u8]])
        {
            using TcpClient giant = await DialAsync();
            try
            {
                await giant.GetStream().WriteAsync(head).AsTask().WaitAsync(Patience);
            }
            catch (IOException)
            {
                // Cut off before all was sent.
            }

            await EndsAsync(giant.GetStream());
        }

        await AnswersAsync();
    }

    private async Task<TcpClient> DialAsync()
    {
        TcpClient client = new();
        await client.ConnectAsync(_address);
        return client;
    }

    private async Task AnswersAsync() => Assert.Equal("ok", await _client.GetStringAsync(new Uri($"http://{_address}/healthz")));

    private static async Task EndsAsync(NetworkStream stream)
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
}
