using System.Buffers.Binary;
using System.Net;

namespace NodeAgent.Linux.Netlink.Conntrack;

/// <summary>A flow the kernel keeps track of: what the first packet asked for, and who answers.</summary>
/// <param name="Destination">Destination address of the first packet.</param>
/// <param name="DestinationPort">Its destination port.</param>
/// <param name="Answerer">Source address of answers: where the packets were sent to.</param>
/// <param name="AnswererPort">Their source port.</param>
public readonly record struct ConntrackFlow(IPAddress Destination, int DestinationPort, IPAddress Answerer, int AnswererPort);

/// <summary>Lists and deletes flows. One thread at a time. Source: linux/netfilter/nfnetlink_conntrack.h.</summary>
public sealed class ConntrackConnection : IDisposable
{
    private const int Get = 0x101, Delete = 0x102;
    private const int Original = 1, Reply = 2, Id = 12, Zone = 18;
    private const byte Udp = 17;
    private readonly NetlinkSocket _socket;

    /// <summary>Takes over a socket, which decides the network namespace.</summary>
    public ConntrackConnection(NetlinkSocket socket) => _socket = socket;

    /// <summary>Deletes the UDP flows that a question says yes to; gives their number.</summary>
    /// <param name="family">AF_INET (2) or AF_INET6 (10).</param>
    /// <param name="isStale">Asked for each UDP flow of the family.</param>
    /// <exception cref="NetlinkException">They cannot be listed.</exception>
    public int DeleteUdp(byte family, Func<ConntrackFlow, bool> isStale)
    {
        List<byte[]> stale = [];
        _socket.Request(_ => { }, Get, family, message => Read(message, family, isStale, stale), stale.Clear);
        int deleted = 0;
        foreach (byte[] flow in stale)
        {
            try
            {
                _socket.Request(w => w.Attributes(flow), Delete, family, _ => { }, null);
                deleted++;
            }
            catch (NetlinkException e) when (e.Errno == Syscalls.Errno.ENOENT)
            {
                // It ended by itself.
            }
        }

        return deleted;
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

    private static void Read(NetlinkMessage message, byte family, Func<ConntrackFlow, bool> isStale, List<byte[]> stale)
    {
        if (message.Family != family)
        {
            return;
        }

        ReadOnlySpan<byte> all = message.Payload[4..];
        ReadOnlySpan<byte> original = NetlinkAttributes.Find(all, Original), reply = NetlinkAttributes.Find(all, Reply);
        if (Tuple(original, source: false, out IPAddress? to, out int port) && Tuple(reply, source: true, out IPAddress? answerer, out int answererPort)
            && isStale(new ConntrackFlow(to!, port, answerer!, answererPort)))
        {
            var writer = new NetlinkWriter(128);
            foreach (int attribute in (ReadOnlySpan<int>)[Original, Id, Zone])
            {
                ReadOnlySpan<byte> value = NetlinkAttributes.Find(all, attribute);
                if (!value.IsEmpty)
                {
                    writer.Bytes(attribute == Original ? Original | 0x8000 : attribute, value);
                }
            }

            stale.Add(writer.Written.ToArray());
        }
    }

    /// <summary>One end of a tuple; false where it is not UDP or not complete.</summary>
    private static bool Tuple(ReadOnlySpan<byte> tuple, bool source, out IPAddress? address, out int port)
    {
        (address, port) = (null, 0);
        ReadOnlySpan<byte> ip = NetlinkAttributes.Find(tuple, 1), proto = NetlinkAttributes.Find(tuple, 2);
        ReadOnlySpan<byte> number = NetlinkAttributes.Find(proto, 1), at = NetlinkAttributes.Find(proto, source ? 2 : 3);
        ReadOnlySpan<byte> v4 = NetlinkAttributes.Find(ip, source ? 1 : 2), v6 = NetlinkAttributes.Find(ip, source ? 3 : 4);
        if (number.Length != 1 || number[0] != Udp || at.Length != 2 || (v4.Length != 4 && v6.Length != 16))
        {
            return false;
        }

        (address, port) = (new IPAddress(v4.Length == 4 ? v4 : v6), BinaryPrimitives.ReadUInt16BigEndian(at));
        return true;
    }
}
