using System.Net;
using System.Net.Sockets;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Probes;

/// <summary>Connects to what is probed. Host names are resolved on threads of their own: resolving blocks.</summary>
internal sealed class ProbeConnector(BlockingWork work)
{
    /// <summary>Connects; throws SocketException, or OperationCanceledException where the time is up.</summary>
    public async Task<Socket> ConnectAsync(string host, int port, CancellationToken cancellationToken)
    {
        IPAddress[] addresses = await ResolveAsync(host, cancellationToken);
        SocketException? last = null;
        foreach (IPAddress address in addresses)
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(new IPEndPoint(address, port), cancellationToken);
                return socket;
            }
            catch (SocketException e)
            {
                socket.Dispose();
                last = e;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        throw last ?? new SocketException((int)SocketError.HostNotFound);
    }

    /// <summary>The addresses of a host name or the one written.</summary>
    public async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
        => IPAddress.TryParse(host, out IPAddress? address) ? [address]
            : await work.RunAsync("resolve:" + host, () => Dns.GetHostAddresses(host), cancellationToken);

    /// <summary>Go's words for a failed connection.</summary>
    public static string Describe(string host, int port, Exception error)
    {
        string at = $"dial tcp {ProbeSupport.Join(host, port)}: ";
        return error switch
        {
            SocketException { SocketErrorCode: SocketError.ConnectionRefused } => at + "connect: connection refused",
            SocketException { SocketErrorCode: SocketError.HostUnreachable } => at + "connect: no route to host",
            SocketException { SocketErrorCode: SocketError.NetworkUnreachable } => at + "connect: network is unreachable",
            SocketException { SocketErrorCode: SocketError.ConnectionReset } => at + "connect: connection reset by peer",
            SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData } => $"dial tcp: lookup {host}: no such host",
            SocketException { SocketErrorCode: SocketError.TimedOut } or OperationCanceledException => at + "i/o timeout",
            _ => at + error.Message,
        };
    }
}
