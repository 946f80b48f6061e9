using System.Net.Sockets;
using NodeAgent.Grpc.Http2;

namespace NodeAgent.Grpc.Tests.Client;

/// <summary>A raw listener: for each request, or once for each client, it runs a script once the HEADERS frame has come.</summary>
internal sealed class HostileServer : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;

    public HostileServer(string path, Func<NetworkStream, Task> script, bool readRequest = true)
    {
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen(8);
        _run = RunAsync(script, readRequest);
    }

    /// <summary>Answers each request of a client: the script is given the stream's number.</summary>
    public HostileServer(string path, Func<NetworkStream, int, Task> script, Action<int>? reset = null)
    {
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen(8);
        _run = RunAsync(async stream =>
        {
            for (int id = 1; ; id = await ReadUntilHeadersAsync(stream, reset)) await script(stream, id);
        }, readRequest: true);
    }

    /// <summary>How many have connected.</summary>
    public int Clients { get; private set; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _run;
    }

    public static byte[] Frame(FrameType type, byte flags, int stream, params byte[] payload)
    {
        var frame = new byte[FrameHeader.Size + payload.Length];
        new FrameHeader(payload.Length, type, flags, stream).Write(frame);
        payload.CopyTo(frame, FrameHeader.Size);
        return frame;
    }

    public static byte[] Headers(bool endStream, params (string, string)[] fields) => Headers(1, endStream, fields);

    public static byte[] Headers(int stream, bool endStream, params (string, string)[] fields)
    {
        var block = new HpackWriter();
        block.Status200();
        foreach ((string name, string value) in fields) block.Add(name, value);
        return Frame(FrameType.Headers, (byte)(FrameHeader.EndHeaders | (endStream ? FrameHeader.EndStream : 0)), stream, block.Written.ToArray());
    }

    public static byte[] Trailers(params (string, string)[] fields) => Trailers(1, fields);

    public static byte[] Trailers(int stream, params (string, string)[] fields)
    {
        var block = new HpackWriter();
        foreach ((string name, string value) in fields) block.Add(name, value);
        return Frame(FrameType.Headers, FrameHeader.EndHeaders | FrameHeader.EndStream, stream, block.Written.ToArray());
    }

    private async Task RunAsync(Func<NetworkStream, Task> script, bool readRequest)
    {
        var clients = new List<Task>();
        try
        {
            while (true)
            {
                Socket client = await _listener.AcceptAsync(_stop.Token);
                Clients++;
                clients.Add(ServeAsync(client, script, readRequest));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(clients);
        }
    }

    private async Task ServeAsync(Socket client, Func<NetworkStream, Task> script, bool readRequest)
    {
        await using var stream = new NetworkStream(client, ownsSocket: true);
        try
        {
            if (readRequest)
            {
                await stream.ReadExactlyAsync(new byte[24], _stop.Token);
                await stream.WriteAsync(Frame(FrameType.Settings, 0, 0), _stop.Token);
                await ReadUntilHeadersAsync(stream, null);
            }
            await script(stream);
            var rest = new byte[4096];
            while (await stream.ReadAsync(rest, _stop.Token) > 0)
            {
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or EndOfStreamException or ObjectDisposedException)
        {
            // The client left, or the test is over.
        }
    }

    private async Task<int> ReadUntilHeadersAsync(NetworkStream stream, Action<int>? reset)
    {
        var header = new byte[FrameHeader.Size];
        while (true)
        {
            await stream.ReadExactlyAsync(header, _stop.Token);
            FrameHeader frame = FrameHeader.Read(header);
            await stream.ReadExactlyAsync(new byte[frame.Length], _stop.Token);
            if (frame.Type == FrameType.Headers) return frame.StreamId;
            if (frame.Type == FrameType.RstStream) reset?.Invoke(frame.StreamId);
        }
    }
}
