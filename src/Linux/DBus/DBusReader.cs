using System.Buffers.Binary;
using System.Text;

namespace NodeAgent.Linux.DBus;

/// <summary>Unmarshals values; lengths are checked before anything is allocated.</summary>
internal ref struct DBusReader(ReadOnlySpan<byte> data, bool bigEndian)
{
    private readonly ReadOnlySpan<byte> _data = data;

    public int Position { get; private set; }

    public void Align(int size) => Take((size - (Position % size)) % size);

    public byte ReadByte() => Take(1)[0];

    public uint ReadUInt32()
    {
        Align(4);
        ReadOnlySpan<byte> b = Take(4);
        return bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(b) : BinaryPrimitives.ReadUInt32LittleEndian(b);
    }

    public ulong ReadUInt64()
    {
        Align(8);
        ReadOnlySpan<byte> b = Take(8);
        return bigEndian ? BinaryPrimitives.ReadUInt64BigEndian(b) : BinaryPrimitives.ReadUInt64LittleEndian(b);
    }

    public string ReadString() => ReadText(checked((int)ReadUInt32()));

    public string ReadSignature() => ReadText(ReadByte());

    /// <summary>Reads values of the types a signature lists.</summary>
    public object[] ReadAll(string signature, int depth = 0)
    {
        List<object> values = [];
        for (int at = 0; at < signature.Length;)
        {
            int end = DBusSignature.EndOfType(signature, at);
            values.Add(Read(signature[at..end], depth));
            at = end;
        }

        return [.. values];
    }

    /// <summary>Reads one value of one complete type.</summary>
    public object Read(string type, int depth = 0)
    {
        if (depth > 64)
        {
            throw new DBusConnectionException("values are nested deeper than 64");
        }

        return type[0] switch
        {
            'y' => ReadByte(),
            'b' => ReadUInt32() != 0,
            'n' => unchecked((short)ReadUInt16()),
            'q' => ReadUInt16(),
            'i' => unchecked((int)ReadUInt32()),
            'u' or 'h' => ReadUInt32(),
            'x' => unchecked((long)ReadUInt64()),
            't' => ReadUInt64(),
            'd' => BitConverter.UInt64BitsToDouble(ReadUInt64()),
            's' or 'o' => ReadString(),
            'g' => ReadSignature(),
            'v' => ReadVariant(depth),
            'a' => ReadArray(type[1..], depth),
            '(' or '{' => ReadStruct(type[1..^1], depth),
            _ => throw new DBusConnectionException($"type \"{type}\" is not known"),
        };
    }

    private ushort ReadUInt16()
    {
        Align(2);
        ReadOnlySpan<byte> b = Take(2);
        return bigEndian ? BinaryPrimitives.ReadUInt16BigEndian(b) : BinaryPrimitives.ReadUInt16LittleEndian(b);
    }

    private DBusVariant ReadVariant(int depth)
    {
        string signature = ReadSignature();
        if (signature.Length == 0 || DBusSignature.EndOfType(signature, 0) != signature.Length)
        {
            throw new DBusConnectionException($"variant signature \"{signature}\" is not one complete type");
        }

        return new DBusVariant(signature, Read(signature, depth + 1));
    }

    private object[] ReadStruct(string members, int depth)
    {
        Align(8);
        return ReadAll(members, depth + 1);
    }

    private object[] ReadArray(string element, int depth)
    {
        uint length = ReadUInt32();
        Align(DBusSignature.Alignment(element[0]));
        if (length > _data.Length - Position)
        {
            throw new DBusConnectionException($"an array of {length} bytes does not fit into its message");
        }

        int end = Position + (int)length;
        List<object> values = [];
        while (Position < end)
        {
            values.Add(Read(element, depth + 1));
        }

        return Position == end ? [.. values] : throw new DBusConnectionException("an array's length cuts its last element");
    }

    private string ReadText(int length)
    {
        string text = Encoding.UTF8.GetString(Take(length));
        Take(1);
        return text;
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length < 0 || length > _data.Length - Position)
        {
            throw new DBusConnectionException($"{length} bytes wanted at {Position} of {_data.Length}");
        }

        ReadOnlySpan<byte> taken = _data.Slice(Position, length);
        Position += length;
        return taken;
    }
}
