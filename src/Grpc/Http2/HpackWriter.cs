using System.Text;

namespace NodeAgent.Grpc.Http2;

/// <summary>Writes header blocks without using the dynamic table: the peer's table size is then of no concern.</summary>
internal sealed class HpackWriter
{
    private byte[] _buffer = new byte[256];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, Length);

    /// <summary>Begins the next block.</summary>
    public void Clear() => Length = 0;

    /// <summary>:method POST and :scheme http are entries 3 and 6 of the static table.</summary>
    public void PostOverHttp()
    {
        Append(0x83);
        Append(0x86);
    }

    /// <summary>:status 200 is entry 8 of the static table.</summary>
    public void Status200() => Append(0x88);

    public void Add(string name, string value)
    {
        Append(0x00);
        AppendString(name);
        AppendString(value);
    }

    private void AppendString(string text)
    {
        int length = text.Length;
        if (length < 127) Append((byte)length);
        else
        {
            Append(127);
            int rest = length - 127;
            for (; rest >= 128; rest >>= 7) Append((byte)(rest & 0x7f | 0x80));
            Append((byte)rest);
        }
        Reserve(length);
        Length += Encoding.Latin1.GetBytes(text, _buffer.AsSpan(Length));
    }

    private void Append(byte value)
    {
        Reserve(1);
        _buffer[Length++] = value;
    }

    private void Reserve(int more)
    {
        if (Length + more > _buffer.Length) Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, Length + more));
    }
}
