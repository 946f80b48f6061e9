using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>
/// Where a thread writes JSON that is wanted for a moment: writer and buffer are used again. Dispose gives it back; whoever asks
/// before that gets one of its own.
/// </summary>
internal sealed class JsonScratch : IDisposable
{
    // What a large object left is not kept.
    private const int LargestKept = 128 * 1024;

    [ThreadStatic]
    private static JsonScratch? _idle;

    private readonly ArrayBufferWriter<byte> _buffer = new(4096);
    private readonly Utf8JsonWriter _writer;

    private JsonScratch() => _writer = new Utf8JsonWriter(_buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    internal static JsonScratch Take()
    {
        JsonScratch scratch = _idle ?? new JsonScratch();
        _idle = null;
        return scratch;
    }

    /// <summary>The object as UTF-8 JSON, until the next is written.</summary>
    internal ReadOnlySpan<byte> Write<T>(T value)
        where T : class, IJsonObject<T>
    {
        _buffer.ResetWrittenCount();
        Append(value);
        return _buffer.WrittenSpan;
    }

    /// <summary>Both objects as UTF-8 JSON, until the next is written.</summary>
    internal void Write<T>(T left, T right, out ReadOnlySpan<byte> leftJson, out ReadOnlySpan<byte> rightJson)
        where T : class, IJsonObject<T>
    {
        int length = Write(left).Length;
        Append(right);
        leftJson = _buffer.WrittenSpan[..length];
        rightJson = _buffer.WrittenSpan[length..];
    }

    public void Dispose()
    {
        if (_buffer.Capacity <= LargestKept)
            _idle = this;
    }

    private void Append<T>(T value)
        where T : class, IJsonObject<T>
    {
        ArgumentNullException.ThrowIfNull(value);
        // What a write that failed left behind goes too.
        _writer.Reset();
        value.Write(_writer);
        _writer.Flush();
    }
}
