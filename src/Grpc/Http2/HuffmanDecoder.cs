namespace NodeAgent.Grpc.Http2;

/// <summary>HPACK's Huffman code (RFC 7541, appendix B). It is canonical, so the lengths alone give the codes.</summary>
internal static class HuffmanDecoder
{
    private const int EndOfString = 256;
    private const int LongestCode = 30;
    private static readonly int[] FirstCode = new int[LongestCode + 2];
    private static readonly int[] FirstIndex = new int[LongestCode + 2];
    private static readonly ushort[] Symbols = new ushort[257];

    static HuffmanDecoder()
    {
        int code = 0, index = 0;
        for (int length = 1; length <= LongestCode; length++)
        {
            code <<= 1;
            FirstCode[length] = code;
            FirstIndex[length] = index;
            for (int symbol = 0; symbol <= EndOfString; symbol++)
            {
                if (Lengths[symbol] != length) continue;
                Symbols[index++] = (ushort)symbol;
                code++;
            }
        }
        FirstIndex[LongestCode + 1] = index;
    }

    private static ReadOnlySpan<byte> Lengths =>
    [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
        6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
        13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
        20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
        22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
        26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
        20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
        30,
    ];

    /// <summary>Decodes all of the input. False: a code that does not exist, a wrong padding, or more output than fits.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> input, Span<byte> output, out int written)
    {
        written = 0;
        int code = 0, length = 0;
        foreach (byte octet in input)
        {
            for (int bit = 7; bit >= 0; bit--)
            {
                code = code << 1 | (octet >> bit & 1);
                if (++length > LongestCode) return false;
                int offset = code - FirstCode[length];
                int count = FirstIndex[length + 1] - FirstIndex[length];
                if (offset < 0 || offset >= count) continue;
                int symbol = Symbols[FirstIndex[length] + offset];
                if (symbol == EndOfString || written == output.Length) return false;
                output[written++] = (byte)symbol;
                code = 0;
                length = 0;
            }
        }
        return length < 8 && code == (1 << length) - 1;
    }
}
