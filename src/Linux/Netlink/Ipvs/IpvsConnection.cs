using NodeAgent.Linux.Netlink.Generic;

namespace NodeAgent.Linux.Netlink.Ipvs;

/// <summary>
/// Lists and changes the kernel's virtual servers of one network namespace. One thread at a time. Source: linux/ip_vs.h.
/// </summary>
public sealed class IpvsConnection : IDisposable
{
    private readonly NetlinkSocket _socket;
    private readonly int _family;

    private IpvsConnection(NetlinkSocket socket, int family) => (_socket, _family) = (socket, family);

    /// <summary>Takes over a generic netlink socket; null where the kernel has no IPVS (its module ip_vs may not be loaded), and the socket is closed then.</summary>
    /// <exception cref="NetlinkException">The kernel refuses.</exception>
    public static IpvsConnection? Open(NetlinkSocket socket)
    {
        int? family = GenericFamilies.Find(socket, IpvsMessages.Family);
        if (family is { } number)
        {
            return new IpvsConnection(socket, number);
        }

        socket.Dispose();
        return null;
    }

    /// <summary>All virtual servers, but those by firewall mark.</summary>
    public IReadOnlyList<IpvsService> Services()
    {
        List<IpvsService> found = [];
        Send(IpvsMessages.GetService, _ => { }, message =>
        {
            if (IpvsMessages.ReadService(message.Payload[4..]) is { } service)
            {
                found.Add(service);
            }
        }, found.Clear);
        return found;
    }

    /// <summary>The real servers of a virtual one.</summary>
    public IReadOnlyList<IpvsDestination> Destinations(IpvsServiceKey service)
    {
        List<IpvsDestination> found = [];
        int family = IpvsMessages.FamilyOf(service.Address);
        Send(IpvsMessages.GetDestination, w => IpvsMessages.WriteKey(w, service), message =>
        {
            if (IpvsMessages.ReadDestination(message.Payload[4..], family) is { } destination)
            {
                found.Add(destination);
            }
        }, found.Clear);
        return found;
    }

    /// <summary>Adds a virtual server; its scheduler's module is loaded by the kernel.</summary>
    /// <exception cref="NetlinkException">EEXIST: it is there; ENOENT: there is no such scheduler.</exception>
    public void Add(IpvsService service) => Send(IpvsMessages.NewService, w => IpvsMessages.WriteService(w, service));

    /// <summary>Changes scheduler, flags and time-out; connections stay.</summary>
    public void Update(IpvsService service) => Send(IpvsMessages.SetService, w => IpvsMessages.WriteService(w, service));

    /// <summary>Removes a virtual server with its real servers.</summary>
    public void Remove(IpvsServiceKey service) => Send(IpvsMessages.DeleteService, w => IpvsMessages.WriteKey(w, service));

    /// <summary>Adds a real server.</summary>
    public void Add(IpvsServiceKey service, IpvsDestination destination) => Send(IpvsMessages.NewDestination, service, destination);

    /// <summary>Changes a real server's weight.</summary>
    public void Update(IpvsServiceKey service, IpvsDestination destination) => Send(IpvsMessages.SetDestination, service, destination);

    /// <summary>Removes a real server.</summary>
    public void Remove(IpvsServiceKey service, IpvsDestination destination) => Send(IpvsMessages.DeleteDestination, service, destination);

    /// <summary>Removes all virtual servers, whoever made them.</summary>
    public void Flush() => Send(IpvsMessages.Flush, _ => { });

    /// <summary>Sets how long idle connections live; zero leaves the kernel's value, parts of a second are cut off.</summary>
    public void SetTimeouts(TimeSpan tcp, TimeSpan tcpFin, TimeSpan udp) => Send(
        IpvsMessages.SetConfiguration, w => IpvsMessages.WriteTimeouts(w, (uint)tcp.TotalSeconds, (uint)tcpFin.TotalSeconds, (uint)udp.TotalSeconds));

    /// <summary>How long idle connections live.</summary>
    public (TimeSpan Tcp, TimeSpan TcpFin, TimeSpan Udp) Timeouts()
    {
        (uint tcp, uint fin, uint udp) = (0, 0, 0);
        Send(IpvsMessages.GetConfiguration, _ => { }, message => (tcp, fin, udp) = IpvsMessages.ReadTimeouts(new NetlinkAttributes(message.Payload[4..])));
        return (TimeSpan.FromSeconds(tcp), TimeSpan.FromSeconds(fin), TimeSpan.FromSeconds(udp));
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

    private void Send(byte command, IpvsServiceKey service, IpvsDestination destination) => Send(command, w =>
    {
        IpvsMessages.WriteKey(w, service);
        IpvsMessages.WriteDestination(w, destination);
    });

    private void Send(byte command, Action<NetlinkWriter> write, NetlinkReceiver? receive = null, Action? begin = null) =>
        _socket.Request(new NetlinkRequest(_family, [command, 1, 0, 0]), write, receive ?? (_ => { }), begin);
}
