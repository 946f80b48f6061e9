using System.Net.Sockets;
using System.Text;

namespace NodeAgent.NodeAgent.Tests.Hosting;

/// <summary>The side of systemd: a real datagram socket.</summary>
internal sealed class NotificationSocket : IDisposable
{
    private readonly Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 10_000 };

    internal NotificationSocket(bool inAbstractNamespace)
    {
        string name = $"node-agent-{Guid.NewGuid():N}";
        Address = inAbstractNamespace ? $"@{name}" : Path.Combine(Path.GetTempPath(), name);
        socket.Bind(new UnixDomainSocketEndPoint(inAbstractNamespace ? $"\0{name}" : Address));
    }

    internal string Address { get; }

    /// <summary>Waits for a datagram, at most 10 s.</summary>
    internal string Receive()
    {
        byte[] buffer = new byte[4096];
        return Encoding.UTF8.GetString(buffer, 0, socket.Receive(buffer));
    }

    internal bool IsEmpty => socket.Available == 0;

    public void Dispose()
    {
        socket.Dispose();
        if (Address[0] != '@')
            File.Delete(Address);
    }
}
