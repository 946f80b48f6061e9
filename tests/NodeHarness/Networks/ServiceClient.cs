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
    private readonly ConcurrentQueue<Socket> _sockets = new();

    /// <summary>One short connection.</summary>
    public async Task<ServiceAnswer> AskAsync(string ip, int port, TimeSpan limit)
    {
        (ServiceAnswer answer, Socket? open) = await OpenAsync(ip, port, limit);
        open?.Dispose();
        return answer;
    }

    /// <summary>A connection that stays open; null where none came about.</summary>
    public async Task<(ServiceAnswer Answer, Socket? Open)> OpenAsync(string ip, int port, TimeSpan limit)
    {
        Socket socket = Take();
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
        while (_sockets.TryDequeue(out Socket? socket))
        {
            socket.Dispose();
        }
    }

    private static string Name(Exception e) => e is SocketException s
        ? s.SocketErrorCode switch { SocketError.ConnectionRefused => "refused", SocketError.ConnectionReset => "reset", _ => s.SocketErrorCode.ToString() }
        : "timeout";

    // A socket belongs to the namespace of the thread that makes it: many are made at once, entering costs more than the rest.
    private Socket Take()
    {
        if (_sockets.TryDequeue(out Socket? socket))
        {
            return socket;
        }

        Socket[] made = from.Within(() => Enumerable.Range(0, Stock).Select(_ => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }).ToArray());
        foreach (Socket one in made[1..])
        {
            _sockets.Enqueue(one);
        }

        return made[0];
    }
}
