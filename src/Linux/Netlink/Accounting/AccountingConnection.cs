using System.Buffers.Binary;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Netlink.Accounting;

/// <summary>Named counters of one network namespace, which rules with the match "nfacct" count packets in. One thread at a time. Source: linux/netfilter/nfnetlink_acct.h.</summary>
public sealed class AccountingConnection : IDisposable
{
    private const int New = 0x700, Get = 0x701;
    private const int Name = 1, PacketCount = 2;
    private readonly NetlinkSocket _socket;

    /// <summary>Takes over a netfilter socket, which decides the network namespace.</summary>
    public AccountingConnection(NetlinkSocket socket) => _socket = socket;

    /// <summary>Makes a counter; one that is there is left as it is.</summary>
    /// <param name="name">At most 31 characters.</param>
    /// <exception cref="NetlinkException">The kernel has no such counters, or we may not make one.</exception>
    public void Ensure(string name)
    {
        try
        {
            _socket.Request(new NetlinkRequest(New, [0, 0, 0, 0], NetlinkFlags.Create | NetlinkFlags.Exclusive), w => w.Text(Name, name), _ => { });
        }
        catch (NetlinkException e) when (e.Errno is Errno.EEXIST or Errno.EBUSY)
        {
            // It counts already.
        }
    }

    /// <summary>Packets counted; null where there is no counter of that name.</summary>
    /// <exception cref="NetlinkException">The kernel has no such counters.</exception>
    public ulong? Packets(string name)
    {
        ulong? packets = null;
        try
        {
            _socket.Request(new NetlinkRequest(Get, [0, 0, 0, 0]), w => w.Text(Name, name), message =>
            {
                ReadOnlySpan<byte> value = NetlinkAttributes.Find(message.Payload[4..], PacketCount);
                packets = value.Length == 8 ? BinaryPrimitives.ReadUInt64BigEndian(value) : packets;
            });
            return packets;
        }
        catch (NetlinkException e) when (e.Errno == Errno.ENOENT)
        {
            return null;
        }
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();
}
