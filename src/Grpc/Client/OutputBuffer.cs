using System.Buffers.Binary;
using NodeAgent.Grpc.Http2;

namespace NodeAgent.Grpc.Client;

/// <summary>Frames gathered for one send. Grows as needed and lets go of what a large request needed.</summary>
internal sealed class OutputBuffer
{
    private const int Kept = 64 * 1024;
    private byte[] _octets = [];

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Written => _octets.AsMemory(0, Length);

    /// <summary>Room for so many octets more, to be filled by the caller; what is in them is not known.</summary>
    public Span<byte> Grow(int count)
    {
        if (_octets.Length - Length < count) Array.Resize(ref _octets, Math.Max(Math.Max(1024, 2 * _octets.Length), Length + count));
        Length += count;
        return _octets.AsSpan(Length - count, count);
    }

    /// <summary>A frame whose payload the caller fills.</summary>
    public Span<byte> Frame(FrameType type, byte flags, int streamId, int length)
    {
        Span<byte> frame = Grow(FrameHeader.Size + length);
        new FrameHeader(length, type, flags, streamId).Write(frame);
        return frame[FrameHeader.Size..];
    }

    /// <summary>A frame with one number: RST_STREAM, WINDOW_UPDATE.</summary>
    public void Number(FrameType type, int streamId, int number) =>
        BinaryPrimitives.WriteUInt32BigEndian(Frame(type, 0, streamId, 4), (uint)number);

    public void Clear()
    {
        Length = 0;
        if (_octets.Length > Kept) _octets = [];
    }
}
