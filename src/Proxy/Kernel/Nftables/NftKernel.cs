using NodeAgent.Linux.Netlink;
using NodeAgent.Linux.Netlink.NfTables;
using NodeAgent.Linux.Syscalls;
using NodeAgent.Proxy.Rulesets.Nftables;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Kernel.Nftables;

/// <summary>What the nftables proxier needs of the kernel: one family's table.</summary>
public interface INftKernel
{
    /// <summary>What is there.</summary>
    /// <exception cref="NetlinkException">It could not be read.</exception>
    NftObserved Read();

    /// <summary>Carries one transaction out.</summary>
    /// <exception cref="NetlinkException">Refused; nothing of it took effect.</exception>
    void Apply(NftChange change);

    /// <summary>Deletes unused chains and sets; false where something still points to one: to be tried again later.</summary>
    /// <exception cref="NetlinkException">Refused for another reason.</exception>
    bool Remove(NftLeftovers leftovers);
}

/// <summary>The transactions of this process, of all families: each raises the kernel's generation by one.</summary>
public sealed class NftTransactions
{
    private int _count;

    /// <summary>How many took effect.</summary>
    public uint Count => (uint)Volatile.Read(ref _count);

    internal void Add() => Interlocked.Increment(ref _count);
}

/// <summary>The real one, over netlink.</summary>
/// <param name="family">The family.</param>
/// <param name="open">Opens a socket in the wanted network namespace.</param>
/// <param name="transactions">Shared by the families of one process; null = this is the only one.</param>
public sealed class NftKernel(IPFamily family, Func<NetlinkSocket> open, NftTransactions? transactions = null) : INftKernel, IDisposable
{
    private readonly NftTransactions _transactions = transactions ?? new NftTransactions();
    private readonly NftWriter _writer = new(family);
    private readonly NftFamily _family = NftWriter.Family(family);
    private NftConnection? _connection;
    private NftMonitor? _monitor;
    private volatile Position? _read;

    private NftConnection Connection => _connection ??= new NftConnection(open());

    /// <summary>True where the kernel has nf_tables and we may use it; else why not.</summary>
    public string? Refusal()
    {
        try
        {
            Connection.Generation();
            return null;
        }
        catch (NetlinkException e)
        {
            return e.Message;
        }
    }

    /// <inheritdoc/>
    public NftObserved Read()
    {
        _read = new Position(_transactions.Count, Connection.Generation());
        if (!Connection.HasTable(_family, NftNames.Table))
        {
            return new NftObserved();
        }

        IReadOnlyList<NftListedChain> chains = Connection.Chains(_family, NftNames.Table);
        IReadOnlyList<NftListedSet> sets = Connection.Sets(_family, NftNames.Table);
        bool foreign = chains.Any(IsForeign) || sets.Any(IsForeign);
        return new NftObserved
        {
            HasTable = true,
            IsForeign = foreign,
            Chains = [.. chains.Select(c => c.Name)],
            Affinity = sets.Where(s => s.Name.StartsWith(NftNames.AffinityPrefix, StringComparison.Ordinal)).ToDictionary(s => s.Name, s => (int)s.Timeout.TotalSeconds),
            Elements = foreign ? [] : Elements([.. sets.Select(s => s.Name)]),
        };
    }

    /// <inheritdoc/>
    public void Apply(NftChange change)
    {
        if (!change.IsEmpty)
        {
            Execute(_writer.Write(change));
        }
    }

    /// <inheritdoc/>
    public bool Remove(NftLeftovers leftovers)
    {
        try
        {
            Execute(_writer.Remove(leftovers));
            return true;
        }
        catch (NetlinkException e) when (e.Errno == Errno.EBUSY)
        {
            // Kernels before 6.2 let go of what deleted elements pointed to a moment later.
            return false;
        }
    }

    /// <summary>Tells of changes that others make to the table, from now on. False where others may have changed it since it was read last, which is then to be done again.</summary>
    /// <param name="changed">Called on a thread of its own; must not block or throw.</param>
    /// <exception cref="NetlinkException">The kernel refuses.</exception>
    public bool Watch(Action<NftForeignChange> changed)
    {
        uint own = Connection.Port;
        _monitor = NftMonitor.Start(open(), _family, NftNames.Table, port => port == own, changed);
        // A connection of its own: a pass may be using the other.
        using NftConnection connection = new(open());
        uint generation = connection.Generation();
        return _read is { } read && generation - read.Generation == _transactions.Count - read.Transactions;
    }

    /// <summary>Deletes the family's table; true where there was one.</summary>
    /// <exception cref="NetlinkException">Refused.</exception>
    public bool DeleteTable()
    {
        if (!Connection.HasTable(_family, NftNames.Table))
        {
            return false;
        }

        var batch = new NftBatch(_family, NftNames.Table);
        batch.DeleteTable();
        return Execute(batch);
    }

    /// <summary>Closes sockets; rules stay.</summary>
    public void Dispose()
    {
        _monitor?.Dispose();
        _connection?.Dispose();
    }

    private bool Execute(NftBatch batch)
    {
        bool done = Connection.Execute(batch);
        if (done)
        {
            _transactions.Add();
        }

        return done;
    }

    private Dictionary<NftContainer, Dictionary<NftKey, NftValue>> Elements(HashSet<string> there)
    {
        Dictionary<NftContainer, Dictionary<NftKey, NftValue>> all = [];
        foreach (NftContainer container in Enum.GetValues<NftContainer>())
        {
            string name = NftText.Name(container);
            if (there.Contains(name))
            {
                Dictionary<NftKey, NftValue> elements = all[container] = [];
                Connection.Elements(_family, NftNames.Table, name, (key, data, chain, verdict) => elements[new NftKey(key.ToArray())] = verdict switch
                {
                    null when data.IsEmpty => NftValue.None,
                    null => NftValue.To(NftEndpoint.FromData(data)),
                    NftVerdict.Drop => NftValue.Drop,
                    _ => NftValue.Goto(chain ?? ""),
                }, elements.Clear);
            }
        }

        return all;
    }

    /// <summary>A chain of ours that hooks in elsewhere cannot be changed in place.</summary>
    private static bool IsForeign(NftListedChain chain) =>
        NftStaticRules.BaseChains.TryGetValue(chain.Name, out NftBaseHook? hook)
            ? chain.Hook != NftWriter.Hook(hook)
            : chain.Hook is not null;

    private bool IsForeign(NftListedSet set)
    {
        foreach (NftContainer container in Enum.GetValues<NftContainer>())
        {
            if (NftText.Name(container) == set.Name)
            {
                NftSet wanted = NftContainers.Set(container, family);
                return set.KeyType != wanted.Key.Number || set.DataType != (wanted.Data?.Number ?? 0) || (set.Flags & ~NftSetFlags.Map) != wanted.Flags;
            }
        }

        return set.Name.StartsWith(NftNames.AffinityPrefix, StringComparison.Ordinal) && set.Flags != (NftSetFlags.Dynamic | NftSetFlags.Timeout);
    }

    /// <summary>Where all tables stood when a reading began.</summary>
    private sealed record Position(uint Transactions, uint Generation);
}
