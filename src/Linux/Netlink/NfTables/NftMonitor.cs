using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NodeAgent.Linux.Netlink.NfTables;

/// <summary>Somebody else changed a table.</summary>
/// <param name="Generation">The generation after the change; 0 where notifications were lost and anything may have changed.</param>
/// <param name="Process">The process' name; "" where unknown.</param>
public readonly record struct NftForeignChange(uint Generation, string Process);

/// <summary>
/// Listens to the kernel's notifications of transactions on a thread of its own, and tells of those that touch one table and were sent
/// over another socket than the given ones. Does nothing while nobody changes anything.
/// </summary>
public sealed partial class NftMonitor : IDisposable
{
    private const int NonBlockingCloseOnExec = 0x800 | 0x80000;
    private readonly NetlinkSocket _socket;
    private readonly NftFamily _family;
    private readonly byte[] _table;
    private readonly Func<uint, bool> _isOwn;
    private readonly Action<NftForeignChange> _changed;
    private readonly SafeFileHandle _wake = EventFd(0, NonBlockingCloseOnExec);
    private bool _touched;
    private volatile bool _disposed;

    private NftMonitor(NetlinkSocket socket, NftFamily family, string table, Func<uint, bool> isOwn, Action<NftForeignChange> changed)
    {
        (_socket, _family, _isOwn, _changed) = (socket, family, isOwn, changed);
        _table = [.. System.Text.Encoding.UTF8.GetBytes(table), 0];
    }

    /// <summary>Begins to listen.</summary>
    /// <param name="socket">A socket of its own; the monitor closes it.</param>
    /// <param name="family">Family of the table.</param>
    /// <param name="table">The table.</param>
    /// <param name="isOwn">True for ports of sockets whose changes are not told.</param>
    /// <param name="changed">Called on the monitor's thread; must not block or throw.</param>
    /// <exception cref="NetlinkException">The kernel refuses.</exception>
    public static NftMonitor Start(NetlinkSocket socket, NftFamily family, string table, Func<uint, bool> isOwn, Action<NftForeignChange> changed)
    {
        socket.Join(NftMessages.Group);
        var monitor = new NftMonitor(socket, family, table, isOwn, changed);
        new Thread(monitor.Run) { IsBackground = true, Name = "nftables monitor" }.Start();
        return monitor;
    }

    /// <summary>Ends the thread.</summary>
    public void Dispose()
    {
        _disposed = true;
        Span<byte> one = stackalloc byte[8];
        one.Clear();
        one[0] = 1;
        _ = Write(_wake, one, 8);
    }

    private void Run()
    {
        Span<PollDescriptor> polled = stackalloc PollDescriptor[2];
        while (true)
        {
            polled[0] = new PollDescriptor { Fd = (int)_socket.Handle.DangerousGetHandle(), Events = 1 };
            polled[1] = new PollDescriptor { Fd = (int)_wake.DangerousGetHandle(), Events = 1 };
            _ = Poll(ref MemoryMarshal.GetReference(polled), 2, -1);
            if (_disposed)
            {
                _socket.Dispose();
                _wake.Dispose();
                return;
            }

            try
            {
                for (ReadOnlySpan<byte> buffer = _socket.Receive(wait: false); !buffer.IsEmpty; buffer = _socket.Receive(wait: false))
                {
                    Read(buffer);
                }
            }
            catch (NetlinkException)
            {
                _touched = false;
                _changed(new NftForeignChange(0, ""));
            }
        }
    }

    /// <summary>A transaction's objects come first, then the new generation.</summary>
    private void Read(ReadOnlySpan<byte> buffer)
    {
        while (NetlinkMessage.TryTake(ref buffer, out NetlinkMessage message))
        {
            if (message.Type == NftMessages.NewGeneration)
            {
                if (_touched)
                {
                    _touched = false;
                    ReadOnlySpan<byte> id = NetlinkAttributes.Find(message.Payload[4..], 1), process = NetlinkAttributes.Find(message.Payload[4..], 3);
                    _changed(new NftForeignChange(
                        id.IsEmpty ? 0 : System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(id), System.Text.Encoding.UTF8.GetString(process.TrimEnd((byte)0))));
                }
            }
            else if (!_touched && message.Family == (byte)_family && !_isOwn(message.Port))
            {
                // Every object names its table in its first attribute.
                _touched = NetlinkAttributes.Find(message.Payload[4..], 1).SequenceEqual(_table);
            }
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Fd;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial SafeFileHandle EventFd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollDescriptor descriptors, nuint count, int timeout);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(SafeFileHandle file, ReadOnlySpan<byte> buffer, nuint count);
}
