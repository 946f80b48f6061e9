using System.Net;
using System.Net.Sockets;
using System.Text;

namespace NodeAgent.Harness.Networks;

/// <summary>Answers on every address of a namespace: says at once which of them was meant, then gives back whatever it is sent.</summary>
public sealed class EndpointServer : IDisposable
{
    private readonly Socket _listener;
    private readonly DatagramServer _datagrams;

    /// <summary>Listens on a port of every address.</summary>
    public EndpointServer(NetworkNamespace where, int port)
    {
        ArgumentNullException.ThrowIfNull(where);
        _listener = where.Within(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        _listener.Bind(new IPEndPoint(IPAddress.Any, port));
        _listener.Listen(4096);
        _ = AcceptAsync();
        _datagrams = new DatagramServer(where, port);
    }

    /// <summary>Takes no more connections.</summary>
    public void Dispose()
    {
        _listener.Dispose();
        _datagrams.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptAsync());
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The bed is taken down.
        }
    }

    private static async Task ServeAsync(Socket peer)
    {
        using Socket connection = peer;
        byte[] buffer = new byte[256];
        try
        {
            await connection.SendAsync(Encoding.ASCII.GetBytes($"{((IPEndPoint)connection.LocalEndPoint!).Address}\n"));
            for (int got = 1; got > 0;)
            {
                got = await connection.ReceiveAsync(buffer);
                await connection.SendAsync(buffer.AsMemory(0, got));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The client went.
        }
    }
}
