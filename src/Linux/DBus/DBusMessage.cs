using System.Buffers.Binary;

namespace NodeAgent.Linux.DBus;

/// <summary>Kinds of messages; values as on the wire.</summary>
public enum DBusMessageType
{
    /// <summary>Not a message.</summary>
    Invalid = 0,
    /// <summary>A call.</summary>
    MethodCall = 1,
    /// <summary>A reply.</summary>
    MethodReturn = 2,
    /// <summary>An error reply.</summary>
    Error = 3,
    /// <summary>A signal.</summary>
    Signal = 4,
}

/// <summary>One D-Bus message. Absent header fields are empty or 0.</summary>
public sealed record DBusMessage
{
    /// <summary>The fixed part of a header: up to the length of the field array.</summary>
    internal const int FixedHeaderSize = 16;
    internal const int MaximumSize = 16 * 1024 * 1024;

    /// <summary>Kind.</summary>
    public required DBusMessageType Type { get; init; }
    /// <summary>Flags; 1 = no reply wanted.</summary>
    public byte Flags { get; init; }
    /// <summary>The sender's number for the message, never 0.</summary>
    public uint Serial { get; init; }
    /// <summary>Object path.</summary>
    public string Path { get; init; } = "";
    /// <summary>Interface.</summary>
    public string Interface { get; init; } = "";
    /// <summary>Method or signal.</summary>
    public string Member { get; init; } = "";
    /// <summary>Error name.</summary>
    public string ErrorName { get; init; } = "";
    /// <summary>Which call this answers.</summary>
    public uint ReplySerial { get; init; }
    /// <summary>Bus name of the receiver.</summary>
    public string Destination { get; init; } = "";
    /// <summary>Bus name of the sender.</summary>
    public string Sender { get; init; } = "";
    /// <summary>Types of the body.</summary>
    public string Signature { get; init; } = "";
    /// <summary>Values of the body; see <see cref="DBusVariant"/> for their shapes.</summary>
    public IReadOnlyList<object> Body { get; init; } = [];

    /// <summary>The bytes of the message.</summary>
    internal byte[] Marshal()
    {
        DBusWriter body = new();
        body.WriteAll(Signature, Body);
        List<object> fields = [];
        Add(fields, 1, "o", Path);
        Add(fields, 2, "s", Interface);
        Add(fields, 3, "s", Member);
        Add(fields, 4, "s", ErrorName);
        if (ReplySerial != 0)
        {
            fields.Add(new object[] { (byte)5, new DBusVariant("u", ReplySerial) });
        }

        Add(fields, 6, "s", Destination);
        Add(fields, 7, "s", Sender);
        Add(fields, 8, "g", Signature);
        DBusWriter message = new();
        message.WriteByte((byte)'l');
        message.WriteByte((byte)Type);
        message.WriteByte(Flags);
        message.WriteByte(1);
        message.WriteUInt32((uint)body.Length);
        message.WriteUInt32(Serial);
        message.Write("a(yv)", fields);
        message.Align(8);
        message.WriteRaw(body.Written);
        return message.Written.ToArray();
    }

    /// <summary>How long the message is whose first 16 bytes are given.</summary>
    internal static int TotalLength(ReadOnlySpan<byte> head)
    {
        bool bigEndian = head[0] switch
        {
            (byte)'l' => false,
            (byte)'B' => true,
            _ => throw new DBusConnectionException($"a message begins with byte {head[0]}, which is no byte order"),
        };
        uint body = Read(head[4..], bigEndian), fields = Read(head[12..], bigEndian);
        long total = FixedHeaderSize + ((fields + 7L) & ~7L) + body;
        return total <= MaximumSize ? (int)total : throw new DBusConnectionException($"a message of {total} bytes is larger than {MaximumSize}");
    }

    /// <summary>Reads a whole message.</summary>
    internal static DBusMessage Unmarshal(ReadOnlySpan<byte> data)
    {
        DBusReader reader = new(data, data[0] == (byte)'B');
        reader.ReadByte();
        DBusMessageType type = (DBusMessageType)reader.ReadByte();
        byte flags = reader.ReadByte();
        reader.ReadByte();
        reader.ReadUInt32();
        DBusMessage message = new() { Type = type, Flags = flags, Serial = reader.ReadUInt32() };
        foreach (object field in (object[])reader.Read("a(yv)"))
        {
            object[] pair = (object[])field;
            object value = ((DBusVariant)pair[1]).Value;
            message = ((byte)pair[0], value) switch
            {
                (1, string s) => message with { Path = s },
                (2, string s) => message with { Interface = s },
                (3, string s) => message with { Member = s },
                (4, string s) => message with { ErrorName = s },
                (5, uint u) => message with { ReplySerial = u },
                (6, string s) => message with { Destination = s },
                (7, string s) => message with { Sender = s },
                (8, string s) => message with { Signature = s },
                _ => message,
            };
        }

        reader.Align(8);
        return message with { Body = reader.ReadAll(message.Signature) };
    }

    private static uint Read(ReadOnlySpan<byte> data, bool bigEndian) =>
        bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(data) : BinaryPrimitives.ReadUInt32LittleEndian(data);

    private static void Add(List<object> fields, byte code, string type, string value)
    {
        if (value.Length > 0)
        {
            fields.Add(new object[] { code, new DBusVariant(type, value) });
        }
    }
}
