using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace NodeAgent.Proxy.Rulesets.Nftables;

/// <summary>A range of addresses.</summary>
/// <param name="First">First address, at the top of the number.</param>
/// <param name="Last">Last address, likewise, the rest filled with ones.</param>
/// <param name="Length">Bytes of an address.</param>
public readonly record struct NftRange(UInt128 First, UInt128 Last, int Length)
{
    /// <summary>From "address/bits" or an address; bits behind the prefix do not matter.</summary>
    /// <exception cref="FormatException">It is neither.</exception>
    public static NftRange Parse(string text)
    {
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        IPAddress.Parse(slash < 0 ? text : text[..slash]).TryWriteBytes(bytes, out int length);
        int prefix = slash < 0 ? length * 8 : int.Parse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture);
        UInt128 rest = prefix == 0 ? UInt128.MaxValue : prefix >= 128 ? 0 : (UInt128.One << (128 - prefix)) - 1;
        UInt128 address = BinaryPrimitives.ReadUInt128BigEndian(bytes);
        return new NftRange(address & ~rest, address | rest, length);
    }

    /// <summary>The bytes of an address at the top of a number.</summary>
    public static byte[] Bytes(UInt128 address, int length)
    {
        byte[] bytes = new byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, address);
        return bytes[..length];
    }

    /// <summary>Sorted, without overlaps and touching ends.</summary>
    public static IReadOnlyList<NftRange> Merge(IEnumerable<NftRange> ranges)
    {
        List<NftRange> merged = [];
        foreach (NftRange range in ranges.OrderBy(r => r.First).ThenBy(r => r.Last))
        {
            if (merged.Count > 0 && (merged[^1].Last == UInt128.MaxValue || range.First <= merged[^1].Last + 1))
            {
                merged[^1] = merged[^1] with { Last = range.Last > merged[^1].Last ? range.Last : merged[^1].Last };
            }
            else
            {
                merged.Add(range);
            }
        }

        return merged;
    }
}
