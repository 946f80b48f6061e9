using System.Buffers.Binary;
using System.Text;

namespace NodeAgent.Linux.Netlink.NfTables;

/// <summary>
/// One transaction over one table: everything in it takes effect at one instant, or nothing does. Messages are written as they are
/// added; elements of one set that follow one another share a message. Source: linux/netfilter/nf_tables.h, net/netfilter/nfnetlink.c.
/// </summary>
public sealed partial class NftBatch
{
    // An attribute's length has 16 bits; the kernel's own limit for a nest.
    private const int ElementBytes = 40_000;
    private const int AttributeTable = 1, AttributeName = 2;
    private readonly NftFamily _family;
    private readonly string _table;
    private readonly NetlinkWriter _writer;
    private uint _sequence;
    private uint _lastId;
    private int _last = -1;
    private (string Set, bool Add, int Message, int List) _open;

    /// <summary>Begins a transaction.</summary>
    /// <param name="family">The table's family.</param>
    /// <param name="table">The table.</param>
    /// <param name="capacity">Bytes to begin with.</param>
    public NftBatch(NftFamily family, string table, int capacity = 16 * 1024)
    {
        (_family, _table) = (family, table);
        _writer = new NetlinkWriter(capacity);
        Control(NftMessages.BatchBegin);
    }

    /// <summary>The table's family.</summary>
    public NftFamily Family => _family;

    /// <summary>Nothing but the frame.</summary>
    public bool IsEmpty => _last < 0;

    /// <summary>Bytes written so far.</summary>
    public int Length => _writer.Length;

    /// <summary>Adds the table unless it is there.</summary>
    public void AddTable(string? comment = null)
    {
        Begin(NftMessages.NewTable, NetlinkFlags.Create);
        _writer.Text(AttributeTable, _table);
        _writer.UInt32(2, 0);
        Comment(6, comment);
        _writer.End();
    }

    /// <summary>Deletes the table with all that is in it; refused where there is none.</summary>
    public void DeleteTable()
    {
        Begin(NftMessages.DeleteTable, 0);
        _writer.Text(AttributeTable, _table);
        _writer.End();
    }

    /// <summary>Adds a chain unless it is there.</summary>
    public void AddChain(string name, NftHook? hook = null, string? comment = null)
    {
        const int chainName = 3, chainHook = 4, chainType = 7, chainUserData = 12;
        Begin(NftMessages.NewChain, NetlinkFlags.Create);
        _writer.Text(AttributeTable, _table);
        _writer.Text(chainName, name);
        if (hook is not null)
        {
            _writer.Text(chainType, hook.Type);
            int nest = _writer.BeginNest(chainHook);
            _writer.UInt32(1, (uint)hook.Number);
            _writer.UInt32(2, unchecked((uint)hook.Priority));
            _writer.EndNest(nest);
        }

        Comment(chainUserData, comment);
        _writer.End();
    }

    /// <summary>Deletes a chain with its rules; refused while something points to it.</summary>
    public void DeleteChain(string name) => Named(NftMessages.DeleteChain, 3, name);

    /// <summary>Deletes a chain's rules.</summary>
    public void FlushChain(string name) => Named(NftMessages.DeleteRule, 2, name);

    /// <summary>Adds a set or map unless it is there; refused where one of the name is of another kind.</summary>
    public void AddSet(NftSet set) => WriteSet(set, 0);

    /// <summary>Deletes a set or map that no rule uses.</summary>
    public void DeleteSet(string name) => Named(NftMessages.DeleteSet, 2, name);

    /// <summary>Deletes all elements.</summary>
    public void FlushSet(string name) => Named(NftMessages.DeleteElements, 2, name);

    /// <summary>Adds an element of a set, or of a map to data.</summary>
    /// <param name="set">Name.</param>
    /// <param name="key">Key as in registers: each part padded to four bytes.</param>
    /// <param name="data">Data likewise; empty for a set.</param>
    /// <param name="comment">Shown behind the element.</param>
    public void AddElement(string set, ReadOnlySpan<byte> key, ReadOnlySpan<byte> data = default, string? comment = null)
    {
        int element = BeginElement(set, key, add: true);
        if (!data.IsEmpty)
        {
            int nest = _writer.BeginNest(2);
            _writer.Bytes(1, data);
            _writer.EndNest(nest);
        }

        Comment(6, comment);
        _writer.EndNest(element);
    }

    /// <summary>Adds an element of a verdict map.</summary>
    /// <param name="set">Name.</param>
    /// <param name="key">Key as in registers.</param>
    /// <param name="chain">Chain to go to; null: drop.</param>
    /// <param name="comment">Shown behind the element.</param>
    public void AddVerdictElement(string set, ReadOnlySpan<byte> key, string? chain, string? comment = null)
    {
        int element = BeginElement(set, key, add: true);
        int nest = _writer.BeginNest(2);
        Verdict(2, chain is null ? NftVerdict.Drop : NftVerdict.Goto, chain);
        _writer.EndNest(nest);
        Comment(6, comment);
        _writer.EndNest(element);
    }

    /// <summary>Deletes an element; refused where it is not there.</summary>
    public void DeleteElement(string set, ReadOnlySpan<byte> key) => _writer.EndNest(BeginElement(set, key, add: false));

    /// <summary>Closes the transaction and gives its bytes; nothing may be added after.</summary>
    internal ReadOnlySpan<byte> Finish(Func<uint> sequences)
    {
        CloseElements();
        _writer.AddFlags(_last, NetlinkFlags.Acknowledge);
        Control(NftMessages.BatchEnd);
        Number(sequences);
        return _writer.Written;
    }

    /// <summary>The sequence number of the last message, which is acknowledged.</summary>
    internal uint LastSequence => BinaryPrimitives.ReadUInt32LittleEndian(_writer.Written[(_last + 8)..]);

    /// <summary>What the message with a sequence number was about, as a person would write it.</summary>
    internal string Describe(uint sequence)
    {
        ReadOnlySpan<byte> rest = _writer.Written;
        while (NetlinkMessage.TryTake(ref rest, out NetlinkMessage message))
        {
            if (message.Sequence == sequence)
            {
                int attribute = message.Type == NftMessages.NewChain || message.Type == NftMessages.DeleteChain ? 3 : 2;
                ReadOnlySpan<byte> name = message.Type is NftMessages.NewTable or NftMessages.DeleteTable || message.Type < 0x100
                    ? default : NetlinkAttributes.Find(message.Payload[4..], attribute);
                return $"{NftMessages.Name(message.Type)} {Encoding.UTF8.GetString(name.TrimEnd((byte)0))}".TrimEnd();
            }
        }

        return "the transaction";
    }

    private void Number(Func<uint> sequences)
    {
        int at = 0;
        Span<byte> all = _writer.Mutable;
        while (at < all.Length)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(all[(at + 8)..], sequences());
            at += (BinaryPrimitives.ReadInt32LittleEndian(all[at..]) + 3) & ~3;
        }
    }

    private int BeginElement(string set, ReadOnlySpan<byte> key, bool add)
    {
        if (_open.Set != set || _open.Add != add || _writer.Length - _open.List > ElementBytes)
        {
            Begin(add ? NftMessages.NewElements : NftMessages.DeleteElements, add ? NetlinkFlags.Create : 0);
            _writer.Text(AttributeTable, _table);
            _writer.Text(AttributeName, set);
            _open = (set, add, _last, _writer.BeginNest(3));
        }

        int element = _writer.BeginNest(1);
        Key(key);
        return element;
    }

    private void Key(ReadOnlySpan<byte> key)
    {
        int nest = _writer.BeginNest(1);
        _writer.Bytes(1, key);
        _writer.EndNest(nest);
    }

    private void CloseElements()
    {
        if (_open.Set is not null)
        {
            _writer.EndNest(_open.List);
            _writer.End();
            _open = default;
        }
    }

    private void WriteSet(NftSet set, uint elements)
    {
        NftSetFlags flags = set.Flags | (set.Data is null ? 0 : NftSetFlags.Map);
        Begin(NftMessages.NewSet, NetlinkFlags.Create);
        _writer.Text(AttributeTable, _table);
        _writer.Text(AttributeName, set.Name);
        _writer.UInt32(3, (uint)flags);
        _writer.UInt32(4, set.Key.Number);
        _writer.UInt32(5, (uint)set.Key.Length);
        if (set.Data is { } data)
        {
            _writer.UInt32(6, data.Number);
            _writer.UInt32(7, (uint)data.Length);
        }

        _writer.UInt32(10, ++_lastId);
        if (elements > 0)
        {
            int nest = _writer.BeginNest(9);
            _writer.UInt32(1, elements);
            _writer.EndNest(nest);
        }

        if (set.Timeout > TimeSpan.Zero)
        {
            _writer.UInt64(11, (ulong)set.Timeout.TotalMilliseconds);
        }

        if (!set.UserData.IsEmpty)
        {
            _writer.Bytes(13, set.UserData.Span);
        }

        _writer.End();
    }

    private void Named(int type, int attribute, string name)
    {
        Begin(type, 0);
        _writer.Text(AttributeTable, _table);
        _writer.Text(attribute, name);
        _writer.End();
    }

    private void Begin(int type, int flags)
    {
        CloseElements();
        _last = _writer.Length;
        _writer.BeginNetfilter(type, flags, ++_sequence, (byte)_family);
    }

    private void Control(int type)
    {
        _writer.BeginNetfilter(type, 0, 0, 0, NftMessages.Subsystem);
        _writer.End();
    }

    /// <summary>The nft program keeps comments in user data: type, length, text with a zero; at most 128 bytes of text.</summary>
    private void Comment(int attribute, string? comment)
    {
        if (comment is null)
        {
            return;
        }

        Span<byte> text = stackalloc byte[128];
        Encoding.UTF8.TryGetBytes(comment.Length <= 127 ? comment : comment[..127], text[..127], out int length);
        Span<byte> data = _writer.Attribute(attribute, length + 3);
        data[1] = (byte)(length + 1);
        text[..length].CopyTo(data[2..]);
    }

    private void Verdict(int attribute, NftVerdict code, string? chain)
    {
        int nest = _writer.BeginNest(attribute);
        _writer.UInt32(1, unchecked((uint)code));
        if (chain is not null)
        {
            _writer.Text(2, chain);
        }

        _writer.EndNest(nest);
    }
}

/// <summary>Verdict codes. Source: linux/netfilter.h, linux/netfilter/nf_tables.h.</summary>
public enum NftVerdict
{
    /// <summary>The packet is gone without a word.</summary>
    Drop = 0,
    /// <summary>The packet leaves this base chain.</summary>
    Accept = 1,
    /// <summary>A chain, then back.</summary>
    Jump = -3,
    /// <summary>A chain, and not back.</summary>
    Goto = -4,
}
