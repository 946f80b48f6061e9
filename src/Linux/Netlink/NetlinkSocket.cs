using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Netlink;

/// <summary>What a netlink socket speaks to. Source: linux/netlink.h.</summary>
public enum NetlinkProtocol
{
    /// <summary>Links, addresses, routes.</summary>
    Route = 0,
    /// <summary>The netfilter subsystems: nf_tables, conntrack, ipset.</summary>
    Netfilter = 12,
    /// <summary>Families that are found by name, as IPVS is.</summary>
    Generic = 16,
}

/// <summary>A request without its attributes.</summary>
/// <param name="Type">Message type, with its subsystem.</param>
/// <param name="Header">The subsystem's own header, which stands before the attributes.</param>
/// <param name="Flags">NLM_F_ flags besides those for an acknowledgement or a dump.</param>
public readonly record struct NetlinkRequest(int Type, byte[] Header, int Flags = 0);

/// <summary>Receives one message of a dump or an answer.</summary>
public delegate void NetlinkReceiver(NetlinkMessage message);

/// <summary>
/// A netlink socket, to the netfilter subsystems where nothing else is said. It belongs to the network namespace of the thread that opens it. Answers to requests
/// are queued by the kernel before the sending call returns, so nothing here waits for long. One thread at a time.
/// </summary>
public sealed partial class NetlinkSocket : IDisposable
{
    private const int Netlink = 16, Raw = 3, CloseOnExec = 0x80000;
    private const int SolSocket = 1, SndBufForce = 32, RcvBufForce = 33, SndBuf = 7, RcvBuf = 8, SolNetlink = 270, AddMembership = 1, CapAck = 10, ExtAck = 11;
    private const int DontWait = 0x40, Truncate = 0x20;
    private const int TypeError = 2, TypeDone = 3, TypeOverrun = 4;
    private const int DumpAttempts = 50;
    private readonly SafeFileHandle _socket;
    private readonly byte[] _received = new byte[128 * 1024];
    private uint _sequence;

    private NetlinkSocket(SafeFileHandle socket) => _socket = socket;

    /// <summary>The port by which the kernel names this socket in notifications.</summary>
    public uint Port { get; private set; }

    internal SafeFileHandle Handle => _socket;

    /// <summary>The next sequence number.</summary>
    internal uint NextSequence => ++_sequence;

    /// <summary>Opens a socket.</summary>
    /// <param name="receiveBuffer">Bytes the kernel may queue for us.</param>
    /// <param name="sendBuffer">Bytes one message or batch may have.</param>
    /// <param name="protocol">What is spoken to.</param>
    /// <exception cref="NetlinkException">The kernel has no such netlink protocol, or we may not use it.</exception>
    public static NetlinkSocket Open(int receiveBuffer = 8 << 20, int sendBuffer = 32 << 20, NetlinkProtocol protocol = NetlinkProtocol.Netfilter)
    {
        SafeFileHandle handle = SocketCall(Netlink, Raw | CloseOnExec, (int)protocol);
        if (handle.IsInvalid)
        {
            throw Failure($"netlink socket of {protocol}");
        }

        var socket = new NetlinkSocket(handle);
        socket.Set(SolSocket, SndBufForce, sendBuffer, SndBuf);
        socket.Set(SolSocket, RcvBufForce, receiveBuffer, RcvBuf);
        socket.Set(SolNetlink, CapAck, 1);
        socket.Set(SolNetlink, ExtAck, 1);
        Span<byte> address = stackalloc byte[12];
        address.Clear();
        address[0] = Netlink;
        if (Bind(handle, address, address.Length) != 0)
        {
            throw Failure("netlink bind");
        }

        int length = address.Length;
        if (GetName(handle, address, ref length) != 0)
        {
            throw Failure("netlink getsockname");
        }

        socket.Port = BinaryPrimitives.ReadUInt32LittleEndian(address[4..]);
        return socket;
    }

    /// <summary>Receives notifications of a group from now on.</summary>
    /// <exception cref="NetlinkException">The kernel refuses.</exception>
    public void Join(int group)
    {
        if (SetOption(_socket, SolNetlink, AddMembership, in group, sizeof(int)) != 0)
        {
            throw Failure($"netlink group {group}");
        }
    }

    /// <summary>Sends bytes as they are.</summary>
    /// <exception cref="NetlinkException">They could not be sent.</exception>
    public void Send(ReadOnlySpan<byte> bytes)
    {
        while (true)
        {
            if (SendCall(_socket, bytes, (nuint)bytes.Length, 0) >= 0)
            {
                return;
            }

            if (Marshal.GetLastPInvokeError() != Errno.EINTR)
            {
                throw Failure($"netlink send of {bytes.Length} bytes");
            }
        }
    }

    /// <summary>Takes what is queued; empty where nothing is and <paramref name="wait"/> is false.</summary>
    /// <exception cref="NetlinkException">ENOBUFS: messages were lost.</exception>
    public ReadOnlySpan<byte> Receive(bool wait)
    {
        while (true)
        {
            nint length = ReceiveCall(_socket, _received, (nuint)_received.Length, (wait ? 0 : DontWait) | Truncate);
            if (length >= 0)
            {
                return length <= _received.Length ? _received.AsSpan(0, (int)length)
                    : throw new NetlinkException($"an answer of {length} bytes is longer than any netlink message", 0);
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case Errno.EINTR: break;
                case Errno.EAGAIN when !wait: return default;
                default: throw Failure("netlink receive");
            }
        }
    }

    /// <summary>Sends one request and gives all messages of the answer.</summary>
    /// <param name="write">Writes the request's attributes.</param>
    /// <param name="type">Type with subsystem.</param>
    /// <param name="family">Address family.</param>
    /// <param name="receive">Called for each message; for a dump possibly again from its beginning, see <paramref name="begin"/>.</param>
    /// <param name="begin">For a dump: called before each attempt, since a dump that a change interrupted is made again. Null: no dump.</param>
    /// <exception cref="NetlinkException">The kernel's refusal, e.g. ENOENT; EINTR where changes interrupt every attempt.</exception>
    public void Request(Action<NetlinkWriter> write, int type, byte family, NetlinkReceiver receive, Action? begin) =>
        Request(new NetlinkRequest(type, [family, 0, 0, 0]), write, receive, begin);

    /// <summary>The same for any subsystem.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="write">Writes the request's attributes.</param>
    /// <param name="receive">Called for each message of the answer.</param>
    /// <param name="begin">For a dump: called before each attempt. Null: no dump.</param>
    /// <exception cref="NetlinkException">The kernel's refusal, or EINTR where changes interrupt every attempt.</exception>
    public void Request(NetlinkRequest request, Action<NetlinkWriter> write, NetlinkReceiver receive, Action? begin = null)
    {
        var writer = new NetlinkWriter(256);
        for (int attempt = 0; attempt < DumpAttempts; attempt++)
        {
            writer.Clear();
            uint sequence = NextSequence;
            writer.Begin(request.Type, request.Flags | (begin is null ? NetlinkFlags.Acknowledge : NetlinkFlags.Dump), sequence, request.Header);
            write(writer);
            writer.End();
            begin?.Invoke();
            Send(writer.Written);
            if (!ReadAnswer(sequence, receive))
            {
                return;
            }
        }

        throw new NetlinkException("netlink dump", Errno.EINTR);
    }

    /// <summary>True where the dump was interrupted.</summary>
    private bool ReadAnswer(uint sequence, NetlinkReceiver receive)
    {
        bool interrupted = false;
        while (true)
        {
            ReadOnlySpan<byte> buffer = Receive(wait: true);
            while (NetlinkMessage.TryTake(ref buffer, out NetlinkMessage message))
            {
                if (message.Sequence != sequence)
                {
                    continue; // The rest of an answer nobody waits for.
                }

                interrupted |= (message.Flags & NetlinkFlags.DumpInterrupted) != 0;
                switch (message.Type)
                {
                    case TypeDone:
                        ThrowIfError(BinaryPrimitives.ReadInt32LittleEndian(message.Payload), message);
                        return interrupted;
                    case TypeError:
                        ThrowIfError(BinaryPrimitives.ReadInt32LittleEndian(message.Payload), message);
                        return interrupted;
                    case TypeOverrun:
                        throw new NetlinkException("netlink answer", 105);
                    default:
                        receive(message);
                        break;
                }
            }
        }
    }

    private static void ThrowIfError(int error, NetlinkMessage message)
    {
        if (error < 0)
        {
            throw new NetlinkException(message.Type == TypeError ? $"netlink request{Words(message)}" : "netlink dump", -error);
        }
    }

    /// <summary>The error number of an NLMSG_ERROR message, positive; 0 for an acknowledgement; null for another message.</summary>
    internal static int? ErrorOf(NetlinkMessage message) => message.Type == TypeError ? -BinaryPrimitives.ReadInt32LittleEndian(message.Payload) : null;

    /// <summary>The kernel's words in an error, with a blank and brackets around; "" where it has none.</summary>
    internal static string Words(NetlinkMessage message)
    {
        const int capped = 0x100, hasAttributes = 0x200, text = 1;
        if ((message.Flags & hasAttributes) == 0)
        {
            return "";
        }

        int refused = (message.Flags & capped) != 0 ? NetlinkWriter.HeaderSize : BinaryPrimitives.ReadInt32LittleEndian(message.Payload[4..]);
        ReadOnlySpan<byte> words = NetlinkAttributes.Find(message.Payload[(4 + refused)..], text);
        return words.IsEmpty ? "" : $" ({System.Text.Encoding.UTF8.GetString(words.TrimEnd((byte)0))})";
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

    private void Set(int level, int option, int value, int instead = 0)
    {
        // The forced sizes need CAP_NET_ADMIN in the first user namespace; options newer than the kernel are gone without.
        if (SetOption(_socket, level, option, in value, sizeof(int)) != 0 && instead != 0)
        {
            _ = SetOption(_socket, level, instead, in value, sizeof(int));
        }
    }

    private static NetlinkException Failure(string what) => new(what, Marshal.GetLastPInvokeError());

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial SafeFileHandle SocketCall(int domain, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static partial int Bind(SafeFileHandle socket, ReadOnlySpan<byte> address, int length);

    [LibraryImport("libc", EntryPoint = "getsockname", SetLastError = true)]
    private static partial int GetName(SafeFileHandle socket, Span<byte> address, ref int length);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    private static partial int SetOption(SafeFileHandle socket, int level, int option, in int value, int length);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static partial nint SendCall(SafeFileHandle socket, ReadOnlySpan<byte> bytes, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static partial nint ReceiveCall(SafeFileHandle socket, Span<byte> buffer, nuint length, int flags);
}
