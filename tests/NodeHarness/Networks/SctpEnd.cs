using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace NodeAgent.Harness.Networks;

/// <summary>
/// The first two packets of an SCTP association, INIT and INIT ACK, over raw sockets: enough for translation and connection tracking to be
/// judged by, where the kernel itself has no SCTP. A server puts its words into the cookie. Source: RFC 9260, sections 3.1, 3.3.2, 3.3.3.
/// </summary>
public sealed partial class SctpEnd : IDisposable
{
    private const int Sctp = 132, Raw = 3, CloseOnExec = 0x80000, Inet = 2, Inet6 = 10;
    private const byte Init = 1, InitAck = 2;
    private const int CommonHeader = 12, FixedPart = 20, ParameterHeader = 4;
    private const ushort Cookie = 7;
    private readonly Socket _socket;
    private readonly int _header;

    private SctpEnd(NetworkNamespace where, AddressFamily family)
    {
        _socket = where.Within(() => Open(family));
        // What is received over IPv4 begins with its header, without options.
        _header = family == AddressFamily.InterNetwork ? 20 : 0;
    }

    /// <summary>Answers each INIT to a port with the server's name and the sender's address, until disposed.</summary>
    public static SctpEnd Serve(NetworkNamespace where, string name, string ip, int port)
    {
        IPAddress address = IPAddress.Parse(ip);
        SctpEnd end = new(where, address.AddressFamily);
        end._socket.Bind(new IPEndPoint(address, 0));
        _ = end.AnswerAsync(name, (ushort)port);
        return end;
    }

    /// <summary>What a server said, or "refused", or "nothing"; each question from a port of its own.</summary>
    public static async Task<string> AskAsync(NetworkNamespace where, string ip, int port)
    {
        IPAddress address = IPAddress.Parse(ip);
        using SctpEnd end = new(where, address.AddressFamily);
        ushort source = (ushort)Random.Shared.Next(20_000, 60_000);
        uint tag = (uint)Random.Shared.Next(1, int.MaxValue);
        using var limit = new CancellationTokenSource(NetworkNamespace.Patience);
        byte[] buffer = new byte[2048];
        try
        {
            await end._socket.ConnectAsync(new IPEndPoint(address, 0), limit.Token);
            await end._socket.SendAsync(Packet(Init, source, (ushort)port, 0, tag, []), limit.Token);
            while (true)
            {
                int length = await end._socket.ReceiveAsync(buffer, limit.Token);
                if (Parse(buffer.AsSpan(end._header, Math.Max(0, length - end._header))) is { Type: InitAck } answer
                    && answer.To == source && answer.From == port && answer.Tag == tag)
                {
                    return answer.Words;
                }
            }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            return "refused";
        }
        catch (OperationCanceledException)
        {
            return "nothing";
        }
    }

    /// <summary>Answers no more.</summary>
    public void Dispose() => _socket.Dispose();

    /// <summary>The runtime's own constructor knows no such protocol.</summary>
    private static Socket Open(AddressFamily family)
    {
        int file = socket(family == AddressFamily.InterNetwork ? Inet : Inet6, Raw | CloseOnExec, Sctp);
        return file >= 0 ? new Socket(new SafeSocketHandle(file, ownsHandle: true)) : throw new InvalidOperationException($"socket: {Marshal.GetLastPInvokeError()}");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int family, int type, int protocol);

    private async Task AnswerAsync(string name, ushort port)
    {
        byte[] buffer = new byte[2048];
        EndPoint any = new IPEndPoint(_socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        try
        {
            while (true)
            {
                SocketReceiveFromResult got = await _socket.ReceiveFromAsync(buffer, any);
                IPAddress from = ((IPEndPoint)got.RemoteEndPoint).Address;
                if (Parse(buffer.AsSpan(_header, Math.Max(0, got.ReceivedBytes - _header))) is { Type: Init } asked && asked.To == port)
                {
                    byte[] answer = Packet(InitAck, port, asked.From, asked.OwnTag, 1, Encoding.ASCII.GetBytes($"{name} sees {from}"));
                    await _socket.SendToAsync(answer, new IPEndPoint(from, 0));
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static byte[] Packet(byte type, ushort from, ushort to, uint tag, uint ownTag, byte[] words)
    {
        int parameter = words.Length == 0 ? 0 : ParameterHeader + words.Length;
        byte[] packet = new byte[CommonHeader + FixedPart + ((parameter + 3) & ~3)];
        BinaryPrimitives.WriteUInt16BigEndian(packet, from);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), to);
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(4), tag);
        Span<byte> chunk = packet.AsSpan(CommonHeader);
        chunk[0] = type;
        BinaryPrimitives.WriteUInt16BigEndian(chunk[2..], (ushort)(FixedPart + parameter));
        BinaryPrimitives.WriteUInt32BigEndian(chunk[4..], ownTag);
        BinaryPrimitives.WriteUInt32BigEndian(chunk[8..], 65536);
        BinaryPrimitives.WriteUInt16BigEndian(chunk[12..], 1);
        BinaryPrimitives.WriteUInt16BigEndian(chunk[14..], 1);
        BinaryPrimitives.WriteUInt32BigEndian(chunk[16..], ownTag);
        if (parameter > 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(chunk[FixedPart..], Cookie);
            BinaryPrimitives.WriteUInt16BigEndian(chunk[(FixedPart + 2)..], (ushort)parameter);
            words.CopyTo(chunk[(FixedPart + ParameterHeader)..]);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(packet.AsSpan(8), Checksum(packet));
        return packet;
    }

    /// <summary>Null for what is none of these packets, or damaged.</summary>
    private static Received? Parse(Span<byte> packet)
    {
        if (packet.Length < CommonHeader + FixedPart)
        {
            return null;
        }

        uint sum = BinaryPrimitives.ReadUInt32LittleEndian(packet[8..]);
        packet.Slice(8, 4).Clear();
        if (Checksum(packet) != sum)
        {
            return null;
        }

        Span<byte> chunk = packet[CommonHeader..];
        int words = BinaryPrimitives.ReadUInt16BigEndian(chunk[2..]) - FixedPart - ParameterHeader;
        return new Received(
            chunk[0], BinaryPrimitives.ReadUInt16BigEndian(packet), BinaryPrimitives.ReadUInt16BigEndian(packet[2..]), BinaryPrimitives.ReadUInt32BigEndian(packet[4..]),
            BinaryPrimitives.ReadUInt32BigEndian(chunk[4..]), words > 0 ? Encoding.ASCII.GetString(chunk.Slice(FixedPart + ParameterHeader, words)) : "");
    }

    /// <summary>CRC-32C, of a packet whose own field is zero.</summary>
    private static uint Checksum(ReadOnlySpan<byte> packet)
    {
        uint sum = uint.MaxValue;
        foreach (byte b in packet)
        {
            sum = BitOperations.Crc32C(sum, b);
        }

        return ~sum;
    }

    private sealed record Received(byte Type, ushort From, ushort To, uint Tag, uint OwnTag, string Words);
}
