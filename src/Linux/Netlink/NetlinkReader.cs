using System.Buffers.Binary;
using System.Text;

namespace NodeAgent.Linux.Netlink;

/// <summary>One netlink message as received.</summary>
public readonly ref struct NetlinkMessage
{
    private readonly ReadOnlySpan<byte> _bytes;

    private NetlinkMessage(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Type with subsystem.</summary>
    public int Type => BinaryPrimitives.ReadUInt16LittleEndian(_bytes[4..]);

    /// <summary>NLM_F_ flags.</summary>
    public int Flags => BinaryPrimitives.ReadUInt16LittleEndian(_bytes[6..]);

    /// <summary>Sequence number of the request.</summary>
    public uint Sequence => BinaryPrimitives.ReadUInt32LittleEndian(_bytes[8..]);

    /// <summary>Port of the requester, also in notifications.</summary>
    public uint Port => BinaryPrimitives.ReadUInt32LittleEndian(_bytes[12..]);

    /// <summary>What follows the header.</summary>
    public ReadOnlySpan<byte> Payload => _bytes[NetlinkWriter.HeaderSize..];

    /// <summary>The address family in the netfilter header.</summary>
    public byte Family => Payload[0];

    /// <summary>The attributes behind the netfilter header.</summary>
    public NetlinkAttributes Attributes => new(Payload[4..]);

    /// <summary>Takes the next message off a buffer; false at its end.</summary>
    /// <exception cref="NetlinkException">A length is impossible.</exception>
    public static bool TryTake(ref ReadOnlySpan<byte> buffer, out NetlinkMessage message)
    {
        message = default;
        if (buffer.Length < NetlinkWriter.HeaderSize)
        {
            return false;
        }

        int length = BinaryPrimitives.ReadInt32LittleEndian(buffer);
        if (length < NetlinkWriter.HeaderSize || length > buffer.Length)
        {
            throw new NetlinkException($"a message says that it has {length} bytes, and {buffer.Length} are there", 0);
        }

        message = new NetlinkMessage(buffer[..length]);
        buffer = buffer[Math.Min((length + 3) & ~3, buffer.Length)..];
        return true;
    }
}

/// <summary>Walks over attributes; begin with <see cref="MoveNext"/>.</summary>
public ref struct NetlinkAttributes
{
    private ReadOnlySpan<byte> _rest;

    /// <summary>Walks over the attributes in a buffer.</summary>
    public NetlinkAttributes(ReadOnlySpan<byte> attributes)
    {
        _rest = attributes;
        Value = default;
        Type = 0;
    }

    /// <summary>The attribute's type.</summary>
    public int Type { get; private set; }

    /// <summary>The attribute's bytes.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>The attributes within.</summary>
    public readonly NetlinkAttributes Nested => new(Value);

    /// <summary>A 32-bit number in network order.</summary>
    public readonly uint UInt32 => BinaryPrimitives.ReadUInt32BigEndian(Value);

    /// <summary>A 16-bit number in network order.</summary>
    public readonly ushort UInt16 => BinaryPrimitives.ReadUInt16BigEndian(Value);

    /// <summary>A 16-bit number in the host's order.</summary>
    public readonly ushort HostUInt16 => BinaryPrimitives.ReadUInt16LittleEndian(Value);

    /// <summary>A 32-bit number in the host's order.</summary>
    public readonly uint HostUInt32 => BinaryPrimitives.ReadUInt32LittleEndian(Value);

    /// <summary>A 64-bit number in network order.</summary>
    public readonly ulong UInt64 => BinaryPrimitives.ReadUInt64BigEndian(Value);

    /// <summary>Text up to its zero.</summary>
    public readonly string Text => Encoding.UTF8.GetString(Value.TrimEnd((byte)0));

    /// <summary>Goes to the next one; false at the end or where a length is impossible.</summary>
    public bool MoveNext()
    {
        if (_rest.Length < 4)
        {
            return false;
        }

        int length = BinaryPrimitives.ReadUInt16LittleEndian(_rest);
        if (length < 4 || length > _rest.Length)
        {
            return false;
        }

        Type = BinaryPrimitives.ReadUInt16LittleEndian(_rest[2..]) & 0x3FFF;
        Value = _rest[4..length];
        _rest = _rest[Math.Min((length + 3) & ~3, _rest.Length)..];
        return true;
    }

    /// <summary>The first attribute of a type; empty where there is none.</summary>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> attributes, int type)
    {
        var walk = new NetlinkAttributes(attributes);
        while (walk.MoveNext())
        {
            if (walk.Type == type)
            {
                return walk.Value;
            }
        }

        return default;
    }
}
