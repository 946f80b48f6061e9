using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace NodeAgent.Harness.Networks;

/// <summary>Answers each datagram to a port of any address of a namespace with the address that was meant, from that address.</summary>
internal sealed class DatagramServer : IDisposable
{
    private readonly NetworkNamespace _where;
    private readonly int _port;
    private readonly Socket _any;
    // An answer has to come from the address asked: .NET gives a socket's own address alone.
    private readonly ConcurrentDictionary<IPAddress, Lazy<Socket>> _sockets = new();

    public DatagramServer(NetworkNamespace where, int port)
    {
        (_where, _port) = (where, port);
        _any = Open(IPAddress.Any);
        _any.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.PacketInformation, true);
        _ = AnswerAsync();
    }

    public void Dispose()
    {
        _any.Dispose();
        foreach (Lazy<Socket> socket in _sockets.Values)
        {
            socket.Value.Dispose();
        }
    }

    private Socket Open(IPAddress address)
    {
        Socket socket = _where.Within(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(address, _port));
        return socket;
    }

    /// <summary>The first datagram of each address; the others go to its own socket.</summary>
    private async Task AnswerAsync()
    {
        byte[] buffer = new byte[64];
        EndPoint anybody = new IPEndPoint(IPAddress.Any, 0);
        try
        {
            while (true)
            {
                SocketReceiveMessageFromResult got = await _any.ReceiveMessageFromAsync(buffer, SocketFlags.None, anybody);
                IPAddress address = got.PacketInformation.Address;
                Socket own = _sockets.GetOrAdd(address, asked => new Lazy<Socket>(() =>
                {
                    Socket socket = Open(asked);
                    _ = AnswerAsync(socket, asked);
                    return socket;
                })).Value;
                await own.SendToAsync(Name(address), got.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The bed is taken down.
        }
    }

    private static async Task AnswerAsync(Socket socket, IPAddress address)
    {
        byte[] buffer = new byte[64], name = Name(address);
        EndPoint anybody = new IPEndPoint(IPAddress.Any, 0);
        try
        {
            while (true)
            {
                SocketReceiveFromResult got = await socket.ReceiveFromAsync(buffer, anybody);
                await socket.SendToAsync(name, got.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The bed is taken down.
        }
    }

    private static byte[] Name(IPAddress address) => Encoding.ASCII.GetBytes($"{address}\n");
}
