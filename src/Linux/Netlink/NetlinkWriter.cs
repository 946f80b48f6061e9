using System.Buffers.Binary;
using System.Text;

namespace NodeAgent.Linux.Netlink;

/// <summary>
/// Writes netlink messages one after another into one growing buffer: header, then attributes, which may nest. Lengths are filled in
/// when a message or nest is closed; padding to four bytes is added. Source: linux/netlink.h.
/// </summary>
public sealed class NetlinkWriter
{
    internal const int HeaderSize = 16;
    private const ushort Nested = 0x8000;
    private byte[] _buffer;
    private int _message = -1;

    /// <summary>Creates an empty writer.</summary>
    /// <param name="capacity">Bytes to begin with; grows as needed.</param>
    public NetlinkWriter(int capacity = 4096) => _buffer = new byte[capacity];

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>What has been written.</summary>
    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, Length);

    /// <summary>What has been written, to be numbered.</summary>
    internal Span<byte> Mutable => _buffer.AsSpan(0, Length);

    /// <summary>Forgets what has been written and keeps the buffer.</summary>
    public void Clear() => (Length, _message) = (0, -1);

    /// <summary>Begins a message with the header of a netfilter subsystem behind the general one.</summary>
    /// <param name="type">Message type with subsystem.</param>
    /// <param name="flags">NLM_F_ flags; NLM_F_REQUEST is added.</param>
    /// <param name="sequence">Sequence number, by which the answer is known.</param>
    /// <param name="family">Address family of the object.</param>
    /// <param name="resource">Resource id; batch messages name the subsystem here.</param>
    public void BeginNetfilter(int type, int flags, uint sequence, byte family, ushort resource = 0)
    {
        _message = Length;
        Span<byte> head = Take(HeaderSize + 4);
        BinaryPrimitives.WriteUInt16LittleEndian(head[4..], (ushort)type);
        BinaryPrimitives.WriteUInt16LittleEndian(head[6..], (ushort)(flags | NetlinkFlags.Request));
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], sequence);
        head[16] = family;
        BinaryPrimitives.WriteUInt16BigEndian(head[18..], resource);
    }

    /// <summary>Begins a message with the header of any subsystem behind the general one.</summary>
    /// <param name="type">Message type.</param>
    /// <param name="flags">NLM_F_ flags; NLM_F_REQUEST is added.</param>
    /// <param name="sequence">Sequence number, by which the answer is known.</param>
    /// <param name="header">The subsystem's header; a multiple of four bytes.</param>
    public void Begin(int type, int flags, uint sequence, ReadOnlySpan<byte> header)
    {
        _message = Length;
        Span<byte> head = Take(HeaderSize + header.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(head[4..], (ushort)type);
        BinaryPrimitives.WriteUInt16LittleEndian(head[6..], (ushort)(flags | NetlinkFlags.Request));
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], sequence);
        header.CopyTo(head[HeaderSize..]);
    }

    /// <summary>Closes the message.</summary>
    public void End()
    {
        BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(_message), Length - _message);
        _message = -1;
    }

    /// <summary>Adds flags to the message last begun at an offset.</summary>
    internal void AddFlags(int offset, int flags)
    {
        Span<byte> at = _buffer.AsSpan(offset + 6);
        BinaryPrimitives.WriteUInt16LittleEndian(at, (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(at) | flags));
    }

    /// <summary>Begins a nest and gives the mark to close it with.</summary>
    public int BeginNest(int type)
    {
        int start = Length;
        BinaryPrimitives.WriteUInt16LittleEndian(Take(4)[2..], (ushort)(type | Nested));
        return start;
    }

    /// <summary>Closes a nest.</summary>
    public void EndNest(int start) => BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(start), checked((ushort)(Length - start)));

    /// <summary>An attribute of bytes.</summary>
    public void Bytes(int type, ReadOnlySpan<byte> value) => value.CopyTo(Attribute(type, value.Length));

    /// <summary>An attribute of one byte.</summary>
    public void UInt8(int type, byte value) => Attribute(type, 1)[0] = value;

    /// <summary>An attribute of one 16-bit number in network order.</summary>
    public void UInt16(int type, ushort value) => BinaryPrimitives.WriteUInt16BigEndian(Attribute(type, 2), value);

    /// <summary>An attribute of one 16-bit number in the host's order.</summary>
    public void HostUInt16(int type, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Attribute(type, 2), value);

    /// <summary>An attribute of one 32-bit number in the host's order.</summary>
    public void HostUInt32(int type, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Attribute(type, 4), value);

    /// <summary>An attribute of one 32-bit number in network order.</summary>
    public void UInt32(int type, uint value) => BinaryPrimitives.WriteUInt32BigEndian(Attribute(type, 4), value);

    /// <summary>An attribute of one 64-bit number in network order.</summary>
    public void UInt64(int type, ulong value) => BinaryPrimitives.WriteUInt64BigEndian(Attribute(type, 8), value);

    /// <summary>An attribute of text with a zero behind it.</summary>
    public void Text(int type, string value)
    {
        Span<byte> target = Attribute(type, Encoding.UTF8.GetByteCount(value) + 1);
        Encoding.UTF8.GetBytes(value, target);
    }

    /// <summary>Attributes as they were written elsewhere.</summary>
    public void Attributes(ReadOnlySpan<byte> written) => written.CopyTo(Take(written.Length));

    /// <summary>An attribute whose bytes the caller fills in.</summary>
    public Span<byte> Attribute(int type, int length)
    {
        int padded = (length + 3) & ~3;
        Span<byte> whole = Take(4 + padded);
        BinaryPrimitives.WriteUInt16LittleEndian(whole, checked((ushort)(length + 4)));
        BinaryPrimitives.WriteUInt16LittleEndian(whole[2..], (ushort)type);
        return whole.Slice(4, length);
    }

    private Span<byte> Take(int count)
    {
        if (Length + count > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, Length + count));
        }

        Span<byte> taken = _buffer.AsSpan(Length, count);
        taken.Clear();
        Length += count;
        return taken;
    }
}

/// <summary>NLM_F_ flags. Source: linux/netlink.h.</summary>
public static class NetlinkFlags
{
    /// <summary>A request.</summary>
    public const int Request = 1;
    /// <summary>An answer is wanted in any case.</summary>
    public const int Acknowledge = 4;
    /// <summary>A dump was interrupted by a change: it shows parts of two states.</summary>
    public const int DumpInterrupted = 0x10;
    /// <summary>Everything is asked for.</summary>
    public const int Dump = 0x300;
    /// <summary>Refused where it exists.</summary>
    public const int Exclusive = 0x200;
    /// <summary>Made where it does not exist.</summary>
    public const int Create = 0x400;
    /// <summary>At the end of a list.</summary>
    public const int Append = 0x800;
}
