using System.Buffers.Binary;
using System.Text;

namespace NodeAgent.Linux.Netlink.NfTables;

/// <summary>A field of a packet to load into registers.</summary>
public enum NftField
{
    /// <summary>Source address.</summary>
    Source,
    /// <summary>Destination address.</summary>
    Destination,
    /// <summary>Transport protocol.</summary>
    Protocol,
    /// <summary>Destination port.</summary>
    DestinationPort,
}

/// <summary>Comparison in a rule. Source: linux/netfilter/nf_tables.h (enum nft_cmp_ops).</summary>
public enum NftComparison
{
    /// <summary>Equal.</summary>
    Equal = 0,
    /// <summary>Not equal.</summary>
    NotEqual = 1,
}

/// <summary>An element of an anonymous map: a port number to go to, or an endpoint.</summary>
/// <param name="Key">Key bytes.</param>
/// <param name="Data">Data bytes; empty where a chain is given.</param>
/// <param name="Chain">Chain to go to.</param>
public readonly record struct NftAnonymousElement(byte[] Key, byte[] Data, string? Chain = null);

/// <content>
/// Rules: between <see cref="BeginRule"/> and <see cref="EndRule"/> each call adds one expression. Registers count in words of four
/// bytes from 0, as concatenations are laid out.
/// </content>
public sealed partial class NftBatch
{
    private const int FirstWord = 8;
    private int _rule, _expressions, _expression, _expressionData;

    private int AddressLength => _family == NftFamily.IPv4 ? 4 : 16;

    /// <summary>Begins a rule at the end of a chain.</summary>
    public void BeginRule(string chain)
    {
        Begin(NftMessages.NewRule, NetlinkFlags.Create | NetlinkFlags.Append);
        _writer.Text(AttributeTable, _table);
        _writer.Text(2, chain);
        _rule = _writer.BeginNest(4);
        _expressions = 0;
    }

    /// <summary>Ends the rule.</summary>
    public void EndRule(string? comment = null)
    {
        _writer.EndNest(_rule);
        Comment(7, comment);
        _writer.End();
    }

    /// <summary>Loads a field into registers and gives the next free word.</summary>
    public int Load(NftField field, int word)
    {
        switch (field)
        {
            case NftField.Source or NftField.Destination:
                int offset = _family == NftFamily.IPv4 ? 12 : 8;
                Payload(1, field == NftField.Source ? offset : offset + AddressLength, AddressLength, word);
                return word + (AddressLength / 4);
            case NftField.Protocol:
                Meta(16, word);
                return word + 1;
            default:
                Payload(2, 2, 2, word);
                return word + 1;
        }
    }

    /// <summary>Loads the first bytes of an address.</summary>
    public void LoadAddress(bool source, int length)
    {
        int offset = _family == NftFamily.IPv4 ? 12 : 8;
        Payload(1, source ? offset : offset + AddressLength, length, 0);
    }

    /// <summary>Compares registers from word 0 with a value; the rule ends where it does not hold.</summary>
    public void Compare(NftComparison comparison, ReadOnlySpan<byte> value)
    {
        BeginExpression("cmp");
        Register(1, 0);
        _writer.UInt32(2, (uint)comparison);
        Value(3, value);
        EndExpression();
    }

    /// <summary>Words from 0 := words and mask, xor value.</summary>
    public void Bitwise(ReadOnlySpan<byte> mask, ReadOnlySpan<byte> xor)
    {
        BeginExpression("bitwise");
        Register(1, 0);
        Register(2, 0);
        _writer.UInt32(6, 0);
        _writer.UInt32(3, (uint)mask.Length);
        Value(4, mask);
        Value(5, xor);
        EndExpression();
    }

    /// <summary>Word 0 := the packet's mark.</summary>
    public void LoadMark() => Meta(3, 0);

    /// <summary>The packet's mark := word 0.</summary>
    public void StoreMark()
    {
        BeginExpression("meta");
        _writer.UInt32(2, 3);
        Register(3, 0);
        EndExpression();
    }

    /// <summary>Words from 0 := name of the interface the packet came by, 16 bytes.</summary>
    public void LoadInputInterface() => Meta(6, 0);

    /// <summary>Word 0 := state (0) or status (2) of the packet's connection.</summary>
    public void LoadConnection(int key)
    {
        BeginExpression("ct");
        _writer.UInt32(2, (uint)key);
        Register(1, 0);
        EndExpression();
    }

    /// <summary>Word 0 := what the routing table calls the address: 2 is local.</summary>
    public void LoadAddressType(bool source)
    {
        BeginExpression("fib");
        Register(1, 0);
        _writer.UInt32(2, 3);
        _writer.UInt32(3, source ? 1u : 2u);
        EndExpression();
    }

    /// <summary>A word := a random number below a limit.</summary>
    public void Random(int word, uint below)
    {
        BeginExpression("numgen");
        Register(1, word);
        _writer.UInt32(2, below);
        _writer.UInt32(3, 1);
        _writer.UInt32(4, 0);
        EndExpression();
    }

    /// <summary>Looks words from 0 up in a set; the rule ends where they are not in it (or are, negated).</summary>
    public void Lookup(string set, bool negate = false, uint id = 0)
    {
        BeginExpression("lookup");
        Register(2, 0);
        _writer.Text(1, set);
        _writer.UInt32(4, id);
        if (negate)
        {
            _writer.UInt32(5, 1);
        }

        EndExpression();
    }

    /// <summary>Looks words from 0 up in a map: data goes to words from 0, or the verdict is taken.</summary>
    public void LookupMap(string map, bool verdict, uint id = 0)
    {
        BeginExpression("lookup");
        Register(2, 0);
        if (verdict)
        {
            _writer.UInt32(3, 0);
        }
        else
        {
            Register(3, 0);
        }

        _writer.Text(1, map);
        _writer.UInt32(4, id);
        EndExpression();
    }

    /// <summary>Words from 0 := an address, then a port behind it.</summary>
    public void LoadEndpoint(ReadOnlySpan<byte> address, int port)
    {
        Immediate(0, address);
        Span<byte> bytes = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)port);
        Immediate(AddressLength / 4, bytes);
    }

    /// <summary>Sends the connection to the address and port in words from 0.</summary>
    public void DestinationNat()
    {
        BeginExpression("nat");
        _writer.UInt32(1, 1);
        _writer.UInt32(2, (uint)_family);
        Register(3, 0);
        Register(5, AddressLength / 4);
        _writer.UInt32(7, 2);
        EndExpression();
    }

    /// <summary>Takes an address of the outgoing interface as source, and a random port.</summary>
    public void Masquerade()
    {
        BeginExpression("masq");
        _writer.UInt32(1, 0x10);
        EndExpression();
    }

    /// <summary>Answers "port unreachable".</summary>
    public void Reject()
    {
        BeginExpression("reject");
        _writer.UInt32(1, 0);
        _writer.Bytes(2, [(byte)(_family == NftFamily.IPv4 ? 3 : 4)]);
        EndExpression();
    }

    /// <summary>A verdict, with the chain for jump and goto.</summary>
    public void Verdict(NftVerdict verdict, string? chain = null)
    {
        BeginExpression("immediate");
        _writer.UInt32(1, 0);
        int nest = _writer.BeginNest(2);
        Verdict(2, verdict, chain);
        _writer.EndNest(nest);
        EndExpression();
    }

    /// <summary>Puts words from 0 into a set, or begins their time anew.</summary>
    public void Update(string set)
    {
        BeginExpression("dynset");
        Register(4, 0);
        _writer.UInt32(3, 1);
        _writer.Text(1, set);
        _writer.UInt32(2, 0);
        EndExpression();
    }

    /// <summary>Counts packets and bytes.</summary>
    public void Counter()
    {
        BeginExpression("counter");
        EndExpression();
    }

    /// <summary>An anonymous set or map, to be used by the next rule; gives its id. Must not be called within a rule.</summary>
    public uint AddAnonymous(NftSet set, IReadOnlyList<NftAnonymousElement> elements, Func<NftAnonymousElement, bool>? ends = null)
    {
        WriteSet(set with { Flags = set.Flags | NftSetFlags.Anonymous | NftSetFlags.Constant }, (uint)elements.Count);
        uint id = _lastId;
        for (int first = 0; first < elements.Count;)
        {
            Begin(NftMessages.NewElements, NetlinkFlags.Create);
            _writer.Text(AttributeTable, _table);
            _writer.Text(AttributeName, set.Name);
            _writer.UInt32(4, id);
            int list = _writer.BeginNest(3);
            for (; first < elements.Count && _writer.Length - list < ElementBytes; first++)
            {
                Anonymous(elements[first], ends?.Invoke(elements[first]) == true);
            }

            _writer.EndNest(list);
            _writer.End();
        }

        return id;
    }

    private void Anonymous(NftAnonymousElement element, bool end)
    {
        int nest = _writer.BeginNest(1);
        if (end)
        {
            _writer.UInt32(3, 1);
        }

        Key(element.Key);
        if (element.Chain is not null)
        {
            int data = _writer.BeginNest(2);
            Verdict(2, NftVerdict.Goto, element.Chain);
            _writer.EndNest(data);
        }
        else if (element.Data.Length > 0)
        {
            int data = _writer.BeginNest(2);
            _writer.Bytes(1, element.Data);
            _writer.EndNest(data);
        }

        _writer.EndNest(nest);
    }

    private void Payload(uint header, int offset, int length, int word)
    {
        BeginExpression("payload");
        Register(1, word);
        _writer.UInt32(2, header);
        _writer.UInt32(3, (uint)offset);
        _writer.UInt32(4, (uint)length);
        EndExpression();
    }

    private void Meta(uint key, int word)
    {
        BeginExpression("meta");
        _writer.UInt32(2, key);
        Register(1, word);
        EndExpression();
    }

    private void Immediate(int word, ReadOnlySpan<byte> value)
    {
        BeginExpression("immediate");
        Register(1, word);
        Value(2, value);
        EndExpression();
    }

    private void Value(int attribute, ReadOnlySpan<byte> value)
    {
        int nest = _writer.BeginNest(attribute);
        _writer.Bytes(1, value);
        _writer.EndNest(nest);
    }

    /// <summary>Each fourth word is the beginning of one of the older registers of 16 bytes, and written as that.</summary>
    private void Register(int attribute, int word) => _writer.UInt32(attribute, (uint)(word % 4 == 0 ? 1 + (word / 4) : FirstWord + word));

    private void BeginExpression(string name)
    {
        _expressions++;
        _expression = _writer.BeginNest(1);
        _writer.Text(1, name);
        _expressionData = _writer.BeginNest(2);
    }

    private void EndExpression()
    {
        _writer.EndNest(_expressionData);
        _writer.EndNest(_expression);
    }

    /// <summary>The bytes of a text in a field of 16, as interface names are compared; short for a prefix.</summary>
    public static byte[] InterfaceName(string name, bool prefix)
    {
        byte[] text = Encoding.UTF8.GetBytes(name);
        if (!prefix)
        {
            Array.Resize(ref text, 16);
        }

        return text;
    }
}
