using System.Buffers;
using System.Buffers.Binary;

namespace NodeAgent.Grpc.Http2;

/// <summary>Writes whole frames, one writer at a time.</summary>
internal sealed class FrameWriter(Stream stream) : IDisposable
{
    public const int MaxFrame = 16384;
    private readonly SemaphoreSlim _turn = new(1, 1);

    public void Dispose() => _turn.Dispose();

    public async Task WriteAsync(ReadOnlyMemory<byte> frames, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            // Once begun, a frame must be written whole; only the end of the connection breaks it.
            await stream.WriteAsync(frames, CancellationToken.None);
        }
        finally
        {
            _turn.Release();
        }
    }

    public Task WriteFrameAsync(FrameType type, byte flags, int streamId, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[FrameHeader.Size + payload.Length];
        new FrameHeader(payload.Length, type, flags, streamId).Write(frame);
        payload.CopyTo(frame.AsSpan(FrameHeader.Size));
        return WriteAsync(frame, CancellationToken.None);
    }

    public Task WriteResetAsync(int streamId, Http2Error code) => WriteNumberAsync(FrameType.RstStream, streamId, (uint)code);

    public Task WriteWindowUpdateAsync(int streamId, int increment) => WriteNumberAsync(FrameType.WindowUpdate, streamId, (uint)increment);

    public Task WriteGoAwayAsync(int lastStreamId, Http2Error code)
    {
        Span<byte> payload = stackalloc byte[8];
        BinaryPrimitives.WriteUInt32BigEndian(payload, (uint)lastStreamId);
        BinaryPrimitives.WriteUInt32BigEndian(payload[4..], (uint)code);
        return WriteFrameAsync(FrameType.GoAway, 0, 0, payload);
    }

    /// <summary>HEADERS and as many CONTINUATION as the block needs, in one write.</summary>
    public async Task WriteHeadersAsync(int streamId, HpackWriter block, bool endStream)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(LayoutSize(block.Length));
        try
        {
            int length = Layout(streamId, block.Written, endStream, buffer);
            await WriteAsync(buffer.AsMemory(0, length), CancellationToken.None);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Octets that <see cref="Layout"/> needs for a block.</summary>
    public static int LayoutSize(int blockLength) => blockLength + Math.Max(1, (blockLength + MaxFrame - 1) / MaxFrame) * FrameHeader.Size;

    /// <summary>A header block as HEADERS and CONTINUATION frames; returns their length.</summary>
    public static int Layout(int streamId, ReadOnlySpan<byte> rest, bool endStream, Span<byte> buffer)
    {
        int position = 0;
        FrameType type = FrameType.Headers;
        do
        {
            ReadOnlySpan<byte> part = rest[..Math.Min(rest.Length, MaxFrame)];
            rest = rest[part.Length..];
            byte flags = (byte)((endStream && type == FrameType.Headers ? FrameHeader.EndStream : 0) | (rest.IsEmpty ? FrameHeader.EndHeaders : 0));
            new FrameHeader(part.Length, type, flags, streamId).Write(buffer[position..]);
            part.CopyTo(buffer[(position + FrameHeader.Size)..]);
            position += FrameHeader.Size + part.Length;
            type = FrameType.Continuation;
        }
        while (!rest.IsEmpty);
        return position;
    }

    private Task WriteNumberAsync(FrameType type, int streamId, uint number)
    {
        Span<byte> payload = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(payload, number);
        return WriteFrameAsync(type, 0, streamId, payload);
    }
}
