using System.Net;
using System.Net.Sockets;

namespace NodeAgent.Harness.Host;

/// <summary>Addresses and ports of this machine.</summary>
public static class Ports
{
    /// <summary>A port nobody listens on now, below the range that outgoing connections use.</summary>
    public static int Free()
    {
        for (int attempt = 0; attempt < 200; attempt++)
        {
            int port = Random.Shared.Next(20_000, 29_000);
            try
            {
                using TcpListener probe = new(IPAddress.Any, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
            }
        }
        throw new InvalidOperationException("no free port between 20000 and 29000");
    }

    /// <summary>The address that packets to other networks leave from; nothing is sent to find it.</summary>
    public static IPAddress OwnAddress()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            socket.Connect(new IPEndPoint(new IPAddress([192, 0, 2, 1]), 9));
            return ((IPEndPoint)socket.LocalEndPoint!).Address;
        }
        catch (SocketException)
        {
            return System.Net.NetworkInformation.NetworkInterface.GetAllNetworkInterfaces()
                .SelectMany(link => link.GetIPProperties().UnicastAddresses).Select(unicast => unicast.Address)
                .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address))
                ?? throw new InvalidOperationException("this machine has no IPv4 address besides loopback; give an interface one");
        }
    }
}
