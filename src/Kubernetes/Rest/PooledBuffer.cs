using System.Buffers;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>A growing byte buffer from the shared pool, contiguous, bounded.</summary>
internal sealed class PooledBuffer(int initialBytes, int maximumBytes) : IDisposable
{
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(initialBytes);
    private int _start;
    private int _end;

    internal ReadOnlySpan<byte> Unread => _bytes.AsSpan(_start, _end - _start);

    internal int UnreadLength => _end - _start;

    /// <summary>Drops what has been read; gives a large array back once it is empty.</summary>
    internal void Advance(int count)
    {
        _start += count;
        if (_start != _end)
            return;
        _start = _end = 0;
        if (_bytes.Length > 16 * initialBytes)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = ArrayPool<byte>.Shared.Rent(initialBytes);
        }
    }

    /// <summary>Reads once from the stream; 0 at its end.</summary>
    /// <exception cref="InvalidDataException">The unread bytes would exceed the limit.</exception>
    internal async ValueTask<int> FillAsync(Stream stream, CancellationToken cancellationToken)
    {
        MakeRoom();
        int read = await stream.ReadAsync(_bytes.AsMemory(_end), cancellationToken);
        _end += read;
        return read;
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        _start = _end = 0;
    }

    private void MakeRoom()
    {
        if (_end < _bytes.Length)
            return;
        int length = _end - _start;
        if (_start > _bytes.Length / 2)
        {
            _bytes.AsSpan(_start, length).CopyTo(_bytes);
        }
        else
        {
            if (length >= maximumBytes)
                throw new InvalidDataException($"more than {maximumBytes} bytes in one piece");
            byte[] larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(Math.Max(_bytes.Length * 2L, 4096), Array.MaxLength));
            _bytes.AsSpan(_start, length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }
        (_start, _end) = (0, length);
    }
}
