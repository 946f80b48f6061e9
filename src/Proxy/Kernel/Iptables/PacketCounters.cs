using NodeAgent.Linux.Netlink;
using NodeAgent.Linux.Netlink.Accounting;

namespace NodeAgent.Proxy.Kernel.Iptables;

/// <summary>The counters that rules of iptables mode count packets in, where kernel and iptables have the match "nfacct". Thread-safe.</summary>
/// <param name="open">Opens a netfilter socket in the wanted network namespace.</param>
public sealed class PacketCounters(Func<NetlinkSocket> open) : IDisposable
{
    /// <summary>Packets dropped because conntrack called them invalid.</summary>
    public const string InvalidDropped = "ct_state_invalid_dropped_pkts";

    /// <summary>Packets taken for node ports on loopback addresses.</summary>
    public const string LocalhostAccepted = "localhost_nps_accepted_pkts";

    private readonly Lock _lock = new();
    private AccountingConnection? _connection;

    /// <summary>Makes what is not there; false where the kernel has none.</summary>
    public bool Ensure()
    {
        lock (_lock)
        {
            try
            {
                _connection ??= new AccountingConnection(open());
                _connection.Ensure(InvalidDropped);
                _connection.Ensure(LocalhostAccepted);
                return true;
            }
            catch (NetlinkException)
            {
                return false;
            }
        }
    }

    /// <summary>Packets counted; null where there is no such counter.</summary>
    public ulong? Read(string name)
    {
        lock (_lock)
        {
            try
            {
                return _connection?.Packets(name);
            }
            catch (NetlinkException)
            {
                return null;
            }
        }
    }

    /// <summary>Closes the socket; the counters stay.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _connection?.Dispose();
            _connection = null;
        }
    }
}
