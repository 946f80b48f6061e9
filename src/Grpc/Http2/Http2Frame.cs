using System.Buffers.Binary;

namespace NodeAgent.Grpc.Http2;

/// <summary>Frame types of RFC 9113.</summary>
internal enum FrameType : byte
{
    Data = 0,
    Headers = 1,
    Priority = 2,
    RstStream = 3,
    Settings = 4,
    PushPromise = 5,
    Ping = 6,
    GoAway = 7,
    WindowUpdate = 8,
    Continuation = 9,
}

/// <summary>Error codes of RFC 9113.</summary>
internal enum Http2Error : uint
{
    NoError = 0,
    ProtocolError = 1,
    InternalError = 2,
    FlowControlError = 3,
    StreamClosed = 5,
    FrameSizeError = 6,
    RefusedStream = 7,
    Cancel = 8,
    CompressionError = 9,
    EnhanceYourCalm = 11,
}

/// <summary>An error that ends the connection.</summary>
internal sealed class Http2Exception(Http2Error code, string message) : Exception(message)
{
    public Http2Error Code { get; } = code;
}

/// <summary>The nine octets before each payload.</summary>
internal readonly record struct FrameHeader(int Length, FrameType Type, byte Flags, int StreamId)
{
    public const int Size = 9;
    public const byte EndStream = 0x1;
    public const byte Ack = 0x1;
    public const byte EndHeaders = 0x4;
    public const byte Padded = 0x8;
    public const byte HasPriority = 0x20;

    public bool Has(byte flag) => (Flags & flag) != 0;

    public static FrameHeader Read(ReadOnlySpan<byte> source) => new(
        source[0] << 16 | source[1] << 8 | source[2],
        (FrameType)source[3],
        source[4],
        (int)(BinaryPrimitives.ReadUInt32BigEndian(source[5..]) & 0x7fffffff));

    /// <summary>Where the content of a padded frame is in its payload, after <paramref name="skip"/> further octets.</summary>
    /// <exception cref="Http2Exception">The padding does not fit the frame.</exception>
    public (int Start, int Length) Unpad(ReadOnlySpan<byte> payload, int skip)
    {
        int padding = 0, start = skip;
        if (Has(Padded))
        {
            if (Length < 1) throw new Http2Exception(Http2Error.FrameSizeError, "a padded frame without a pad length");
            padding = payload[0];
            start++;
        }
        int length = Length - start - padding;
        return length >= 0 ? (start, length) : throw new Http2Exception(Http2Error.ProtocolError, "padding longer than its frame");
    }

    /// <summary>One entry of a SETTINGS payload, six octets.</summary>
    public static void WriteSetting(Span<byte> target, ushort id, uint value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(target, id);
        BinaryPrimitives.WriteUInt32BigEndian(target[2..], value);
    }

    public void Write(Span<byte> target)
    {
        target[0] = (byte)(Length >> 16);
        target[1] = (byte)(Length >> 8);
        target[2] = (byte)Length;
        target[3] = (byte)Type;
        target[4] = Flags;
        BinaryPrimitives.WriteUInt32BigEndian(target[5..], (uint)StreamId);
    }
}
