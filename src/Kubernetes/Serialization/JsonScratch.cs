using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>JSON that is wanted for a moment, in memory that is rented for it until Dispose.</summary>
internal sealed class JsonScratch : IDisposable, IBufferWriter<byte>
{
    private readonly Utf8JsonWriter _writer;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(4096);
    private int _written;

    internal JsonScratch() => _writer = new Utf8JsonWriter(this, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>The object as UTF-8 JSON, until the next is written.</summary>
    internal ReadOnlySpan<byte> Write<T>(T value)
        where T : class, IJsonObject<T>
    {
        _written = 0;
        Append(value);
        return _buffer.AsSpan(0, _written);
    }

    /// <summary>Both objects as UTF-8 JSON, until the next is written.</summary>
    internal void Write<T>(T left, T right, out ReadOnlySpan<byte> leftJson, out ReadOnlySpan<byte> rightJson)
        where T : class, IJsonObject<T>
    {
        int length = Write(left).Length;
        Append(right);
        leftJson = _buffer.AsSpan(0, length);
        rightJson = _buffer.AsSpan(length, _written - length);
    }

    /// <inheritdoc/>
    public void Advance(int count) => _written += count;

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsMemory(_written);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsSpan(_written);
    }

    /// <summary>Gives the memory back: what was written is not to be read any more.</summary>
    public void Dispose()
    {
        _writer.Dispose();
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    private void Reserve(int size)
    {
        if (_buffer.Length - _written >= Math.Max(size, 1))
            return;
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_buffer.Length * 2, _written + size));
        _buffer.AsSpan(0, _written).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }

    private void Append<T>(T value)
        where T : class, IJsonObject<T>
    {
        ArgumentNullException.ThrowIfNull(value);
        _writer.Reset();
        value.Write(_writer);
        _writer.Flush();
    }
}
