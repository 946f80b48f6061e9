using System.Buffers.Binary;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Netlink.Generic;

/// <summary>Finds the number of a generic netlink family by its name. Source: linux/genetlink.h.</summary>
public static class GenericFamilies
{
    private const int Controller = 0x10, GetFamily = 3, FamilyId = 1, FamilyName = 2;

    /// <summary>The message type of a family; null where the kernel has none of the name, which may mean that its module is not loaded.</summary>
    /// <exception cref="NetlinkException">The kernel refuses.</exception>
    public static int? Find(NetlinkSocket socket, string name)
    {
        int? found = null;
        try
        {
            socket.Request(new NetlinkRequest(Controller, [GetFamily, 1, 0, 0]), w => w.Text(FamilyName, name), message =>
            {
                ReadOnlySpan<byte> id = NetlinkAttributes.Find(message.Payload[4..], FamilyId);
                found = id.Length == 2 ? BinaryPrimitives.ReadUInt16LittleEndian(id) : null;
            });
        }
        catch (NetlinkException e) when (e.Errno == Errno.ENOENT)
        {
            return null;
        }

        return found;
    }
}
