using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace NodeAgent.Linux.DBus;

/// <summary>A value with its type, as D-Bus variants carry it.</summary>
/// <param name="Signature">One complete type.</param>
/// <param name="Value">byte, bool, short, ushort, int, uint, long, ulong, double, string (s, o, g), object?[] (arrays, structs, dictionary entries) or <see cref="DBusVariant"/>.</param>
public sealed record DBusVariant(string Signature, object Value);

/// <summary>Marshals values, little-endian, aligned from the start of the buffer. D-Bus specification, "Marshaling".</summary>
internal sealed class DBusWriter
{
    private readonly ArrayBufferWriter<byte> _buffer = new(256);

    public int Length => _buffer.WrittenCount;

    public ReadOnlySpan<byte> Written => _buffer.WrittenSpan;

    public void Align(int size)
    {
        int pad = (size - (Length % size)) % size;
        _buffer.GetSpan(pad + 1)[..pad].Clear();
        _buffer.Advance(pad);
    }

    public void WriteByte(byte value)
    {
        _buffer.GetSpan(1)[0] = value;
        _buffer.Advance(1);
    }

    public void WriteUInt32(uint value)
    {
        Align(4);
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.GetSpan(4), value);
        _buffer.Advance(4);
    }

    public void WriteUInt64(ulong value)
    {
        Align(8);
        BinaryPrimitives.WriteUInt64LittleEndian(_buffer.GetSpan(8), value);
        _buffer.Advance(8);
    }

    public void WriteString(string value)
    {
        WriteUInt32((uint)Encoding.UTF8.GetByteCount(value));
        WriteText(value);
    }

    public void WriteSignature(string value)
    {
        WriteByte(checked((byte)value.Length));
        WriteText(value);
    }

    public void WriteRaw(ReadOnlySpan<byte> bytes) => _buffer.Write(bytes);

    /// <summary>Writes values of the types a signature lists.</summary>
    public void WriteAll(string signature, IReadOnlyList<object> values)
    {
        int at = 0, index = 0;
        while (at < signature.Length)
        {
            int end = DBusSignature.EndOfType(signature, at);
            Write(signature[at..end], values[index++]);
            at = end;
        }

        if (index != values.Count)
        {
            throw new ArgumentException($"signature \"{signature}\" takes {index} values, got {values.Count}", nameof(values));
        }
    }

    /// <summary>Writes one value of one complete type.</summary>
    public void Write(string type, object value)
    {
        switch (type[0])
        {
            case 'y': WriteByte((byte)value); break;
            case 'b': WriteUInt32((bool)value ? 1u : 0u); break;
            case 'n': WriteUInt16(unchecked((ushort)(short)value)); break;
            case 'q': WriteUInt16((ushort)value); break;
            case 'i': WriteUInt32(unchecked((uint)(int)value)); break;
            case 'u': WriteUInt32((uint)value); break;
            case 'x': WriteUInt64(unchecked((ulong)(long)value)); break;
            case 't': WriteUInt64((ulong)value); break;
            case 'd': WriteUInt64(BitConverter.DoubleToUInt64Bits((double)value)); break;
            case 's' or 'o': WriteString((string)value); break;
            case 'g': WriteSignature((string)value); break;
            case 'v': WriteVariant((DBusVariant)value); break;
            case 'a': WriteArray(type[1..], (IReadOnlyList<object>)value); break;
            case '(' or '{':
                Align(8);
                WriteAll(type[1..^1], (IReadOnlyList<object>)value);
                break;
            default: throw new ArgumentException($"type \"{type}\" is not supported", nameof(type));
        }
    }

    private void WriteUInt16(ushort value)
    {
        Align(2);
        BinaryPrimitives.WriteUInt16LittleEndian(_buffer.GetSpan(2), value);
        _buffer.Advance(2);
    }

    private void WriteVariant(DBusVariant variant)
    {
        WriteSignature(variant.Signature);
        Write(variant.Signature, variant.Value);
    }

    private void WriteArray(string element, IReadOnlyList<object> values)
    {
        // The length counts from the first element's alignment on, so the elements are laid out apart, at the same offset.
        Align(4);
        int start = Length + 4;
        int alignment = DBusSignature.Alignment(element[0]);
        int padding = (alignment - (start % alignment)) % alignment;
        DBusWriter elements = new();
        elements.WriteZeros((start + padding) % 8);
        int before = elements.Length;
        foreach (object value in values)
        {
            elements.Write(element, value);
        }

        WriteUInt32((uint)(elements.Length - before));
        WriteZeros(padding);
        WriteRaw(elements.Written[before..]);
    }

    private void WriteZeros(int count)
    {
        for (int i = 0; i < count; i++)
        {
            WriteByte(0);
        }
    }

    private void WriteText(string value)
    {
        int length = Encoding.UTF8.GetBytes(value, _buffer.GetSpan(Encoding.UTF8.GetMaxByteCount(value.Length)));
        _buffer.Advance(length);
        WriteByte(0);
    }
}

/// <summary>Reads type signatures.</summary>
internal static class DBusSignature
{
    private const int MaximumDepth = 32;

    /// <summary>Where the complete type that begins at an index ends.</summary>
    public static int EndOfType(string signature, int at, int depth = 0)
    {
        if (at >= signature.Length || depth > MaximumDepth)
        {
            throw new DBusConnectionException($"signature \"{signature}\" is not well formed");
        }

        switch (signature[at])
        {
            case 'a':
                return EndOfType(signature, at + 1, depth + 1);
            case '(' or '{':
                char close = signature[at] == '(' ? ')' : '}';
                at++;
                while (at < signature.Length && signature[at] != close)
                {
                    at = EndOfType(signature, at, depth + 1);
                }

                return at < signature.Length ? at + 1 : throw new DBusConnectionException($"signature \"{signature}\" lacks \"{close}\"");
            default:
                return at + 1;
        }
    }

    public static int Alignment(char type) => type switch
    {
        'y' or 'g' or 'v' => 1,
        'n' or 'q' => 2,
        'x' or 't' or 'd' or '(' or '{' => 8,
        _ => 4,
    };
}
