using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Netlink.NfTables;

/// <summary>A chain in the kernel.</summary>
/// <param name="Name">Name.</param>
/// <param name="Hook">Where a base chain hooks in; null for others.</param>
public sealed record NftListedChain(string Name, NftHook? Hook);

/// <summary>A set or map in the kernel.</summary>
/// <param name="Name">Name.</param>
/// <param name="Flags">Flags, with <see cref="NftSetFlags.Map"/> for a map.</param>
/// <param name="KeyType">Number of the key's type.</param>
/// <param name="DataType">Number of the data's type; 0 for a set.</param>
/// <param name="Timeout">Elements' life; zero = for ever.</param>
public sealed record NftListedSet(string Name, NftSetFlags Flags, uint KeyType, uint DataType, TimeSpan Timeout);

/// <summary>Receives an element of a dump.</summary>
/// <param name="key">Key as in registers.</param>
/// <param name="data">Data; empty for a set or a verdict map.</param>
/// <param name="chain">Chain of a verdict; null where there is none.</param>
/// <param name="verdict">Verdict code of a verdict map.</param>
public delegate void NftElementReceiver(ReadOnlySpan<byte> key, ReadOnlySpan<byte> data, string? chain, NftVerdict? verdict);

/// <summary>Sends transactions to nf_tables and reads what is there. One thread at a time.</summary>
public sealed class NftConnection : IDisposable
{
    private readonly NetlinkSocket _socket;

    /// <summary>Takes over a socket, which decides the network namespace.</summary>
    public NftConnection(NetlinkSocket socket) => _socket = socket;

    /// <summary>The port our changes are marked with in notifications.</summary>
    public uint Port => _socket.Port;

    /// <summary>Opens a connection in the calling thread's network namespace.</summary>
    /// <exception cref="NetlinkException">Not permitted, or no nf_tables in this kernel.</exception>
    public static NftConnection Open() => new(NetlinkSocket.Open());

    /// <summary>Carries a transaction out; true where there was something in it.</summary>
    /// <exception cref="NetlinkException">The kernel refused it, and nothing of it took effect; the message names the object.</exception>
    public bool Execute(NftBatch batch)
    {
        if (batch.IsEmpty)
        {
            return false;
        }

        DropQueued();
        _socket.Send(batch.Finish(() => _socket.NextSequence));
        bool acknowledged = false;
        NetlinkException? refusal = null;
        for (ReadOnlySpan<byte> buffer = _socket.Receive(wait: false); !buffer.IsEmpty; buffer = _socket.Receive(wait: false))
        {
            while (NetlinkMessage.TryTake(ref buffer, out NetlinkMessage message))
            {
                if (NetlinkSocket.ErrorOf(message) is { } error)
                {
                    acknowledged |= error == 0 && message.Sequence == batch.LastSequence;
                    refusal ??= error == 0 ? null : new NetlinkException($"nftables: {batch.Describe(message.Sequence)}{NetlinkSocket.Words(message)}", error);
                }
            }
        }

        return refusal is not null ? throw refusal
            : acknowledged ? true : throw new NetlinkException("nftables: the kernel did not answer a transaction", 0);
    }

    /// <summary>The generation of all tables: each transaction of anybody raises it.</summary>
    public uint Generation()
    {
        uint generation = 0;
        _socket.Request(_ => { }, NftMessages.GetGeneration, 0, m => generation = First(m, 1), null);
        return generation;
    }

    /// <summary>True where the table is there.</summary>
    public bool HasTable(NftFamily family, string table)
    {
        try
        {
            bool found = false;
            _socket.Request(w => w.Text(1, table), NftMessages.GetTable, (byte)family, _ => found = true, null);
            return found;
        }
        catch (NetlinkException e) when (e.Errno == Errno.ENOENT)
        {
            return false;
        }
    }

    /// <summary>The table's chains.</summary>
    public IReadOnlyList<NftListedChain> Chains(NftFamily family, string table)
    {
        List<NftListedChain> found = [];
        _socket.Request(w => w.Text(1, table), NftMessages.GetChain, (byte)family, m => AddChain(m, (byte)family, table, found), found.Clear);
        return found;
    }

    /// <summary>The table's named sets and maps.</summary>
    public IReadOnlyList<NftListedSet> Sets(NftFamily family, string table)
    {
        List<NftListedSet> found = [];
        _socket.Request(w => w.Text(1, table), NftMessages.GetSet, (byte)family, m => AddSet(m, table, found), found.Clear);
        return found;
    }

    /// <summary>All elements of a set or map.</summary>
    /// <param name="family">Family of the table.</param>
    /// <param name="table">The table.</param>
    /// <param name="set">The set.</param>
    /// <param name="receive">Called for each element.</param>
    /// <param name="begin">Called before the first one, also again where a change interrupted the dump.</param>
    public void Elements(NftFamily family, string table, string set, NftElementReceiver receive, Action begin) => _socket.Request(
        w =>
        {
            w.Text(1, table);
            w.Text(2, set);
        },
        NftMessages.GetElements, (byte)family, m => ReadElements(m, receive), begin);

    /// <summary>Rules of a chain, as how many expressions each has: enough to see that nothing was added or taken.</summary>
    public IReadOnlyList<int> Rules(NftFamily family, string table, string chain)
    {
        List<int> found = [];
        _socket.Request(
            w =>
            {
                w.Text(1, table);
                w.Text(2, chain);
            },
            NftMessages.GetRule, (byte)family,
            m =>
            {
                if (Text(m, 1) == table && Text(m, 2) == chain)
                {
                    found.Add(Count(NetlinkAttributes.Find(m.Payload[4..], 4)));
                }
            },
            found.Clear);
        return found;
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

    /// <summary>What a failed call left in the queue belongs to nobody.</summary>
    private void DropQueued()
    {
        try
        {
            while (!_socket.Receive(wait: false).IsEmpty)
            {
            }
        }
        catch (NetlinkException e) when (e.Errno == Errno.ENOBUFS)
        {
            // What was lost was not waited for.
        }
    }

    private static void AddChain(NetlinkMessage message, byte family, string table, List<NftListedChain> found)
    {
        if (message.Family != family || Text(message, 1) != table)
        {
            return;
        }

        ReadOnlySpan<byte> hook = NetlinkAttributes.Find(message.Payload[4..], 4);
        found.Add(new NftListedChain(Text(message, 3), hook.IsEmpty ? null
            : new NftHook(Text(message, 7), (int)Number(hook, 1), unchecked((int)Number(hook, 2)))));
    }

    private static void AddSet(NetlinkMessage message, string table, List<NftListedSet> found)
    {
        var flags = (NftSetFlags)First(message, 3);
        if (Text(message, 1) == table && (flags & NftSetFlags.Anonymous) == 0)
        {
            ReadOnlySpan<byte> timeout = NetlinkAttributes.Find(message.Payload[4..], 11);
            found.Add(new NftListedSet(Text(message, 2), flags, First(message, 4), First(message, 6),
                timeout.IsEmpty ? TimeSpan.Zero : TimeSpan.FromMilliseconds(System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(timeout))));
        }
    }

    private static void ReadElements(NetlinkMessage message, NftElementReceiver receive)
    {
        var elements = new NetlinkAttributes(NetlinkAttributes.Find(message.Payload[4..], 3));
        while (elements.MoveNext())
        {
            ReadOnlySpan<byte> key = NetlinkAttributes.Find(NetlinkAttributes.Find(elements.Value, 1), 1);
            ReadOnlySpan<byte> value = NetlinkAttributes.Find(elements.Value, 2), verdict = NetlinkAttributes.Find(value, 2);
            if (verdict.IsEmpty)
            {
                receive(key, NetlinkAttributes.Find(value, 1), null, null);
                continue;
            }

            ReadOnlySpan<byte> chain = NetlinkAttributes.Find(verdict, 2);
            receive(key, default, chain.IsEmpty ? null : System.Text.Encoding.UTF8.GetString(chain.TrimEnd((byte)0)), (NftVerdict)unchecked((int)Number(verdict, 1)));
        }
    }

    private static int Count(ReadOnlySpan<byte> list)
    {
        int count = 0;
        var walk = new NetlinkAttributes(list);
        while (walk.MoveNext())
        {
            count++;
        }

        return count;
    }

    private static string Text(NetlinkMessage message, int attribute) =>
        System.Text.Encoding.UTF8.GetString(NetlinkAttributes.Find(message.Payload[4..], attribute).TrimEnd((byte)0));

    private static uint First(NetlinkMessage message, int attribute) => Number(message.Payload[4..], attribute);

    private static uint Number(ReadOnlySpan<byte> attributes, int type)
    {
        ReadOnlySpan<byte> value = NetlinkAttributes.Find(attributes, type);
        return value.IsEmpty ? 0 : System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(value);
    }
}
