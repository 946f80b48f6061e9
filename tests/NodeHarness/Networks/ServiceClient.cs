using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace NodeAgent.Harness.Networks;

/// <summary>What came of a connection: the endpoint that answered, or what went wrong.</summary>
/// <param name="Endpoint">The address that answered; null where none did.</param>
/// <param name="Failure">"refused", "timeout", "reset" or the error's name; null where an endpoint answered.</param>
public readonly record struct ServiceAnswer(string? Endpoint, string? Failure);

/// <summary>Connects from a namespace to Services.</summary>
public sealed class ServiceClient(NetworkNamespace from) : IDisposable
{
    private const int Stock = 64;
    private static readonly TimeSpan Resend = TimeSpan.FromSeconds(1);
    private readonly ConcurrentQueue<Socket> _sockets = new(), _datagrams = new();

    /// <summary>One short connection, or one question in a datagram.</summary>
    public Task<ServiceAnswer> AskAsync(LoadTarget target, TimeSpan limit) =>
        target.Udp ? AskUdpAsync(target.IP, target.Port, limit) : AskAsync(target.IP, target.Port, limit);

    /// <summary>One short connection.</summary>
    public async Task<ServiceAnswer> AskAsync(string ip, int port, TimeSpan limit)
    {
        (ServiceAnswer answer, Socket? open) = await OpenAsync(ip, port, limit);
        open?.Dispose();
        return answer;
    }

    /// <summary>A question from a port of its own, sent again each second as a first packet of TCP is.</summary>
    private async Task<ServiceAnswer> AskUdpAsync(string ip, int port, TimeSpan limit)
    {
        using Socket socket = Take(_datagrams, SocketType.Dgram);
        using CancellationTokenSource deadline = new(limit);
        byte[] buffer = new byte[64];
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(ip), port), deadline.Token);
            while (true)
            {
                await socket.SendAsync("?"u8.ToArray(), deadline.Token);
                using CancellationTokenSource again = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
                again.CancelAfter(Resend);
                try
                {
                    return new ServiceAnswer(Encoding.ASCII.GetString(buffer, 0, await socket.ReceiveAsync(buffer, again.Token)).Trim(), null);
                }
                catch (OperationCanceledException) when (!deadline.IsCancellationRequested)
                {
                    // Lost, or late.
                }
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return new ServiceAnswer(null, Name(e));
        }
    }

    /// <summary>A connection that stays open; null where none came about.</summary>
    public async Task<(ServiceAnswer Answer, Socket? Open)> OpenAsync(string ip, int port, TimeSpan limit)
    {
        Socket socket = Take(_sockets, SocketType.Stream);
        using CancellationTokenSource deadline = new(limit);
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(ip), port), deadline.Token);
            byte[] buffer = new byte[64];
            int got = await socket.ReceiveAsync(buffer, deadline.Token);
            if (got > 0)
            {
                return (new ServiceAnswer(Encoding.ASCII.GetString(buffer, 0, got).Trim(), null), socket);
            }

            socket.Dispose();
            return (new ServiceAnswer(null, "closed"), null);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            socket.Dispose();
            return (new ServiceAnswer(null, Name(e)), null);
        }
    }

    /// <summary>Sends a word over an open connection and reads it back; null, or what went wrong.</summary>
    public static async Task<string?> EchoAsync(Socket open, TimeSpan limit)
    {
        ArgumentNullException.ThrowIfNull(open);
        using CancellationTokenSource deadline = new(limit);
        byte[] word = "still here\n"u8.ToArray(), buffer = new byte[64];
        try
        {
            await open.SendAsync(word, deadline.Token);
            for (int got = 0; got < word.Length;)
            {
                int more = await open.ReceiveAsync(buffer, deadline.Token);
                if (more == 0)
                {
                    return "closed";
                }

                got += more;
            }

            return null;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return Name(e);
        }
    }

    /// <summary>Closes what is left in stock.</summary>
    public void Dispose()
    {
        while (_sockets.TryDequeue(out Socket? socket) || _datagrams.TryDequeue(out socket))
        {
            socket.Dispose();
        }
    }

    private static string Name(Exception e) => e is SocketException s
        ? s.SocketErrorCode switch { SocketError.ConnectionRefused => "refused", SocketError.ConnectionReset => "reset", _ => s.SocketErrorCode.ToString() }
        : "timeout";

    // A socket belongs to the namespace of the thread that makes it: many are made at once, entering costs more than the rest.
    private Socket Take(ConcurrentQueue<Socket> stock, SocketType type)
    {
        if (stock.TryDequeue(out Socket? socket))
        {
            return socket;
        }

        Socket[] made = from.Within(() => Enumerable.Range(0, Stock).Select(_ => New(type)).ToArray());
        foreach (Socket one in made[1..])
        {
            stock.Enqueue(one);
        }

        return made[0];
    }

    private static Socket New(SocketType type) => type == SocketType.Stream
        ? new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
        : new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
}
