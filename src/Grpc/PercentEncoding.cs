using System.Text;

namespace NodeAgent.Grpc;

/// <summary>grpc-message: UTF-8 with everything outside printable ASCII, and '%', as %XX. Decoding never fails.</summary>
internal static class PercentEncoding
{
    public static string Encode(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        var result = new StringBuilder(bytes.Length);
        foreach (byte b in bytes)
        {
            if (b is >= 0x20 and <= 0x7e and not (byte)'%') result.Append((char)b);
            else result.Append('%').Append(Convert.ToHexString([b]));
        }
        return result.ToString();
    }

    public static string Decode(string text)
    {
        if (!text.Contains('%', StringComparison.Ordinal)) return text;
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        int length = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '%' && i + 2 < text.Length && char.IsAsciiHexDigit(text[i + 1]) && char.IsAsciiHexDigit(text[i + 2]))
            {
                bytes[length++] = (byte)(HexValue(text[i + 1]) << 4 | HexValue(text[i + 2]));
                i += 2;
            }
            else length += Encoding.UTF8.GetBytes(text.AsSpan(i, 1), bytes.AsSpan(length));
        }
        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    private static int HexValue(char c) => char.IsAsciiDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}
