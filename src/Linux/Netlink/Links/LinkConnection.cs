using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Netlink.Links;

/// <summary>Makes and removes dummy links and addresses on them. One thread at a time. Source: linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h.</summary>
public sealed class LinkConnection : IDisposable
{
    private const int NewLink = 16, DeleteLink = 17, GetLink = 18, NewAddress = 20, DeleteAddress = 21;
    private const int LinkName = 3, LinkInformation = 18, InformationKind = 1;
    private const int AddressAttribute = 1, LocalAttribute = 2;
    private const int LongestName = 15;
    private readonly NetlinkSocket _socket;

    /// <summary>Takes over a socket of <see cref="NetlinkProtocol.Route"/>, which decides the network namespace.</summary>
    public LinkConnection(NetlinkSocket socket) => _socket = socket;

    /// <summary>The index of a link; null where there is none of the name.</summary>
    /// <exception cref="NetlinkException">The kernel refuses.</exception>
    public int? Find(string name)
    {
        int? index = null;
        try
        {
            _socket.Request(new NetlinkRequest(GetLink, Link(0)), w => w.Text(LinkName, Checked(name)),
                message => index = BinaryPrimitives.ReadInt32LittleEndian(message.Payload[4..]));
        }
        catch (NetlinkException e) when (e.Errno == Errno.ENODEV)
        {
            return null;
        }

        return index;
    }

    /// <summary>Makes a dummy link, which stays down; false where a link of the name is there already.</summary>
    /// <exception cref="NetlinkException">The kernel refuses; EOPNOTSUPP where it has no dummy links.</exception>
    public bool AddDummy(string name)
    {
        try
        {
            _socket.Request(new NetlinkRequest(NewLink, Link(0), NetlinkFlags.Create | NetlinkFlags.Exclusive), w => WriteDummy(w, Checked(name)), _ => { });
            return true;
        }
        catch (NetlinkException e) when (e.Errno == Errno.EEXIST)
        {
            return false;
        }
    }

    /// <summary>Removes a link with its addresses.</summary>
    public void Remove(int index) => _socket.Request(new NetlinkRequest(DeleteLink, Link(index)), _ => { }, _ => { });

    /// <summary>Gives a link an address of its full length; false where it has it.</summary>
    public bool AddAddress(int index, IPAddress address)
    {
        try
        {
            _socket.Request(new NetlinkRequest(NewAddress, Address(index, address), NetlinkFlags.Create | NetlinkFlags.Exclusive), w => WriteAddress(w, address), _ => { });
            return true;
        }
        catch (NetlinkException e) when (e.Errno == Errno.EEXIST)
        {
            return false;
        }
    }

    /// <summary>Takes an address from a link; false where it has it not.</summary>
    public bool RemoveAddress(int index, IPAddress address)
    {
        try
        {
            _socket.Request(new NetlinkRequest(DeleteAddress, Address(index, address)), w => WriteAddress(w, address), _ => { });
            return true;
        }
        catch (NetlinkException e) when (e.Errno is Errno.EADDRNOTAVAIL or Errno.ENODEV)
        {
            return false;
        }
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

    internal static void WriteDummy(NetlinkWriter writer, string name)
    {
        writer.Text(LinkName, name);
        int nest = writer.BeginNest(LinkInformation);
        writer.Text(InformationKind, "dummy");
        writer.EndNest(nest);
    }

    internal static void WriteAddress(NetlinkWriter writer, IPAddress address)
    {
        byte[] bytes = address.GetAddressBytes();
        writer.Bytes(LocalAttribute, bytes);
        writer.Bytes(AddressAttribute, bytes);
    }

    /// <summary>struct ifinfomsg.</summary>
    internal static byte[] Link(int index)
    {
        byte[] header = new byte[16];
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), index);
        return header;
    }

    /// <summary>struct ifaddrmsg.</summary>
    internal static byte[] Address(int index, IPAddress address)
    {
        bool v4 = address.AddressFamily == AddressFamily.InterNetwork;
        byte[] header = [v4 ? (byte)2 : (byte)10, v4 ? (byte)32 : (byte)128, 0, 0, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), index);
        return header;
    }

    private static string Checked(string name) => name.Length is > 0 and <= LongestName ? name
        : throw new ArgumentException($"\"{name}\" is no name of a link: those have 1 to {LongestName} characters", nameof(name));
}
