using System.Net;
using System.Net.Sockets;

namespace NodeAgent.Linux.Netlink.Ipvs;

/// <summary>What tells a virtual server from others.</summary>
/// <param name="Address">Address.</param>
/// <param name="Port">Port.</param>
/// <param name="Protocol">IP protocol: 6, 17 or 132.</param>
public readonly record struct IpvsServiceKey(IPAddress Address, ushort Port, byte Protocol);

/// <summary>A virtual server.</summary>
/// <param name="Key">Which.</param>
/// <param name="Scheduler">Name of the scheduler, as rr.</param>
/// <param name="Flags">IP_VS_SVC_F_ flags, without "hashed".</param>
/// <param name="Timeout">Seconds a client stays with its real server, where the flags say persistent.</param>
public sealed record IpvsService(IpvsServiceKey Key, string Scheduler, uint Flags, uint Timeout);

/// <summary>A real server.</summary>
/// <param name="Address">Address, of the virtual server's family.</param>
/// <param name="Port">Port.</param>
/// <param name="Weight">0 = takes no new connections.</param>
/// <param name="Connections">Connections it has, active and inactive; not sent.</param>
public sealed record IpvsDestination(IPAddress Address, ushort Port, uint Weight, long Connections = 0);

/// <summary>The attributes of IPVS messages. Source: linux/ip_vs.h.</summary>
internal static class IpvsMessages
{
    internal const string Family = "IPVS";
    internal const byte NewService = 1, SetService = 2, DeleteService = 3, GetService = 4, NewDestination = 5, SetDestination = 6, DeleteDestination = 7,
        GetDestination = 8, SetConfiguration = 12, GetConfiguration = 13, Flush = 17;

    /// <summary>A service's flag that the kernel sets itself.</summary>
    internal const uint Hashed = 2;

    private const int Service = 1, Destination = 2, TimeoutTcp = 4, TimeoutTcpFin = 5, TimeoutUdp = 6;
    private const int ServiceFamily = 1, ServiceProtocol = 2, ServiceAddress = 3, ServicePort = 4, ServiceMark = 5, ServiceScheduler = 6, ServiceFlags = 7,
        ServiceTimeout = 8, ServiceNetmask = 9;
    private const int DestinationAddress = 1, DestinationPort = 2, DestinationMethod = 3, DestinationWeight = 4, DestinationUpper = 5, DestinationLower = 6,
        DestinationActive = 7, DestinationInactive = 8, DestinationFamily = 11;
    private const uint AllBits = 0xFFFFFFFF;

    /// <summary>A service's key alone.</summary>
    internal static void WriteKey(NetlinkWriter writer, IpvsServiceKey key)
    {
        int nest = writer.BeginNest(Service);
        WriteKeyAttributes(writer, key);
        writer.EndNest(nest);
    }

    /// <summary>A whole service. The netmask takes each client address for itself.</summary>
    internal static void WriteService(NetlinkWriter writer, IpvsService service)
    {
        int nest = writer.BeginNest(Service);
        WriteKeyAttributes(writer, service.Key);
        writer.Text(ServiceScheduler, service.Scheduler);
        Span<byte> flags = writer.Attribute(ServiceFlags, 8);
        BitConverter.TryWriteBytes(flags, service.Flags);
        BitConverter.TryWriteBytes(flags[4..], AllBits);
        writer.HostUInt32(ServiceTimeout, service.Timeout);
        writer.HostUInt32(ServiceNetmask, service.Key.Address.AddressFamily == AddressFamily.InterNetwork ? AllBits : 128);
        writer.EndNest(nest);
    }

    /// <summary>A destination; forwarded to by network address translation, without thresholds.</summary>
    internal static void WriteDestination(NetlinkWriter writer, IpvsDestination destination)
    {
        int nest = writer.BeginNest(Destination);
        WriteAddress(writer, DestinationAddress, destination.Address);
        writer.UInt16(DestinationPort, destination.Port);
        writer.HostUInt32(DestinationMethod, 0);
        writer.HostUInt32(DestinationWeight, destination.Weight);
        writer.HostUInt32(DestinationUpper, 0);
        writer.HostUInt32(DestinationLower, 0);
        writer.HostUInt16(DestinationFamily, FamilyOf(destination.Address));
        writer.EndNest(nest);
    }

    /// <summary>Seconds; what is 0 stays as it is.</summary>
    internal static void WriteTimeouts(NetlinkWriter writer, uint tcp, uint tcpFin, uint udp)
    {
        writer.HostUInt32(TimeoutTcp, tcp);
        writer.HostUInt32(TimeoutTcpFin, tcpFin);
        writer.HostUInt32(TimeoutUdp, udp);
    }

    /// <summary>The three time-outs of an answer.</summary>
    internal static (uint Tcp, uint TcpFin, uint Udp) ReadTimeouts(NetlinkAttributes attributes)
    {
        (uint tcp, uint fin, uint udp) = (0, 0, 0);
        while (attributes.MoveNext())
        {
            switch (attributes.Type)
            {
                case TimeoutTcp: tcp = attributes.HostUInt32; break;
                case TimeoutTcpFin: fin = attributes.HostUInt32; break;
                case TimeoutUdp: udp = attributes.HostUInt32; break;
                default: break;
            }
        }

        return (tcp, fin, udp);
    }

    /// <summary>A service of a dump; null where it is one by firewall mark.</summary>
    internal static IpvsService? ReadService(ReadOnlySpan<byte> attributes)
    {
        var walk = new NetlinkAttributes(NetlinkAttributes.Find(attributes, Service));
        (int family, byte protocol, ushort port, string scheduler, uint flags, uint timeout) = (0, 0, 0, "", 0, 0);
        ReadOnlySpan<byte> address = default;
        while (walk.MoveNext())
        {
            switch (walk.Type)
            {
                case ServiceFamily: family = walk.HostUInt16; break;
                case ServiceProtocol: protocol = (byte)walk.HostUInt16; break;
                case ServiceAddress: address = walk.Value; break;
                case ServicePort: port = walk.UInt16; break;
                case ServiceMark when walk.HostUInt32 != 0: return null;
                case ServiceScheduler: scheduler = walk.Text; break;
                case ServiceFlags: flags = walk.HostUInt32 & ~Hashed; break;
                case ServiceTimeout: timeout = walk.HostUInt32; break;
                default: break;
            }
        }

        return ReadAddress(family, address) is { } ip ? new IpvsService(new IpvsServiceKey(ip, port, protocol), scheduler, flags, timeout) : null;
    }

    /// <summary>A destination of a dump.</summary>
    /// <param name="attributes">The message's attributes.</param>
    /// <param name="serviceFamily">Kernels before 3.18 do not name the family: it is the service's.</param>
    internal static IpvsDestination? ReadDestination(ReadOnlySpan<byte> attributes, int serviceFamily)
    {
        var walk = new NetlinkAttributes(NetlinkAttributes.Find(attributes, Destination));
        (int family, ushort port, uint weight, long connections) = (serviceFamily, 0, 0, 0);
        ReadOnlySpan<byte> address = default;
        while (walk.MoveNext())
        {
            switch (walk.Type)
            {
                case DestinationAddress: address = walk.Value; break;
                case DestinationPort: port = walk.UInt16; break;
                case DestinationWeight: weight = walk.HostUInt32; break;
                case DestinationActive or DestinationInactive: connections += walk.HostUInt32; break;
                case DestinationFamily: family = walk.HostUInt16; break;
                default: break;
            }
        }

        return ReadAddress(family, address) is { } ip ? new IpvsDestination(ip, port, weight, connections) : null;
    }

    /// <summary>AF_INET or AF_INET6.</summary>
    internal static ushort FamilyOf(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork ? (ushort)2 : (ushort)10;

    private static void WriteKeyAttributes(NetlinkWriter writer, IpvsServiceKey key)
    {
        writer.HostUInt16(ServiceFamily, FamilyOf(key.Address));
        writer.HostUInt16(ServiceProtocol, key.Protocol);
        WriteAddress(writer, ServiceAddress, key.Address);
        writer.UInt16(ServicePort, key.Port);
    }

    /// <summary>An address takes sixteen bytes in either family.</summary>
    private static void WriteAddress(NetlinkWriter writer, int type, IPAddress address) => address.TryWriteBytes(writer.Attribute(type, 16), out _);

    private static IPAddress? ReadAddress(int family, ReadOnlySpan<byte> bytes) => family switch
    {
        2 when bytes.Length >= 4 => new IPAddress(bytes[..4]),
        10 when bytes.Length >= 16 => new IPAddress(bytes[..16]),
        _ => null,
    };
}
