using System.Text;

namespace NodeAgent.Grpc.Http2;

/// <summary>Decodes header blocks (RFC 7541). One for each connection: the dynamic table lives as long as it.</summary>
internal sealed class HpackDecoder(int maxTableSize, int maxListSize)
{
    private readonly int _offered = maxTableSize;
    private const int EntryOverhead = 32;
    private readonly List<(string Name, string Value)> _table = [];   // oldest first
    private int _tableSize;
    private int _tableLimit = maxTableSize;

    /// <exception cref="Http2Exception">COMPRESSION_ERROR, or ENHANCE_YOUR_CALM for a list that is too long.</exception>
    public List<(string Name, string Value)> Decode(ReadOnlySpan<byte> block)
    {
        var headers = new List<(string, string)>();
        int listSize = 0;
        while (!block.IsEmpty)
        {
            byte first = block[0];
            if ((first & 0xe0) == 0x20)
            {
                if (headers.Count > 0) throw Bad("a table size update after a header");
                Resize(ReadInteger(ref block, 5));
                continue;
            }
            (string Name, string Value) header = (first & 0x80) != 0 ? Get(ReadInteger(ref block, 7)) : ReadLiteral(ref block, first);
            listSize += header.Name.Length + header.Value.Length + EntryOverhead;
            if (listSize > maxListSize) throw new Http2Exception(Http2Error.EnhanceYourCalm, $"headers of more than {maxListSize} bytes");
            headers.Add(header);
        }
        return headers;
    }

    private (string, string) ReadLiteral(ref ReadOnlySpan<byte> block, byte first)
    {
        bool index = (first & 0x40) != 0;
        int nameIndex = ReadInteger(ref block, index ? 6 : 4);
        string name = nameIndex == 0 ? ReadString(ref block) : Get(nameIndex).Name;
        string value = ReadString(ref block);
        if (index) Insert(name, value);
        return (name, value);
    }

    private void Insert(string name, string value)
    {
        int size = name.Length + value.Length + EntryOverhead;
        Evict(_tableLimit - size);
        if (size > _tableLimit) return;
        _table.Add((name, value));
        _tableSize += size;
    }

    private void Resize(int limit)
    {
        if (limit > _offered) throw Bad($"a table of {limit} bytes, more than the {_offered} we offered");
        _tableLimit = limit;
        Evict(limit);
    }

    private void Evict(int limit)
    {
        int drop = 0;
        while (_tableSize > limit && drop < _table.Count)
        {
            _tableSize -= _table[drop].Name.Length + _table[drop].Value.Length + EntryOverhead;
            drop++;
        }
        if (drop > 0) _table.RemoveRange(0, drop);
    }

    private (string Name, string Value) Get(int index)
    {
        if (index == 0) throw Bad("index 0");
        if (index <= HpackStaticTable.Count) return HpackStaticTable.Get(index);
        int position = _table.Count - (index - HpackStaticTable.Count);
        return position >= 0 ? _table[position] : throw Bad($"index {index} past the table");
    }

    private static int ReadInteger(ref ReadOnlySpan<byte> block, int prefixBits)
    {
        int mask = (1 << prefixBits) - 1;
        int value = block[0] & mask;
        block = block[1..];
        if (value < mask) return value;
        for (int shift = 0; shift <= 21; shift += 7)
        {
            if (block.IsEmpty) throw Bad("a block that ends inside an integer");
            byte octet = block[0];
            block = block[1..];
            value += (octet & 0x7f) << shift;
            if ((octet & 0x80) == 0) return value;
        }
        throw Bad("an integer of more than 28 bits");
    }

    private string ReadString(ref ReadOnlySpan<byte> block)
    {
        if (block.IsEmpty) throw Bad("a block that ends before a string");
        bool huffman = (block[0] & 0x80) != 0;
        int length = ReadInteger(ref block, 7);
        if (length > block.Length) throw Bad($"a string of {length} bytes with {block.Length} left");
        ReadOnlySpan<byte> raw = block[..length];
        block = block[length..];
        if (!huffman) return Encoding.Latin1.GetString(raw);
        int most = Math.Min(length * 8 / 5 + 1, maxListSize);
        Span<byte> decoded = most <= 1024 ? stackalloc byte[most] : new byte[most];
        if (!HuffmanDecoder.TryDecode(raw, decoded, out int written)) throw Bad("a wrong Huffman code");
        return Encoding.Latin1.GetString(decoded[..written]);
    }

    private static Http2Exception Bad(string what) => new(Http2Error.CompressionError, $"HPACK: {what}");
}
