using System.Net;
using System.Net.Sockets;

namespace NodeAgent.Linux.Network;

/// <summary>
/// Bounds the connections of peers that have not shown who they are. Who comes last is always heard: when one address or all of them together
/// have too many, the oldest is closed.
/// </summary>
/// <param name="perAddress">The most of one IPv4 address, or of one IPv6 network of 64 bits.</param>
/// <param name="total">The most of all.</param>
public sealed class UntrustedConnections(int perAddress, int total)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<Connection> _all = new();
    private readonly Dictionary<IPAddress, LinkedList<Connection>> _peers = [];

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _all.Count;
            }
        }
    }

    /// <summary>Takes a connection in; another one may be closed for it.</summary>
    /// <param name="peer">Its other end.</param>
    /// <param name="close">Closes it; called at most once, on any thread.</param>
    public Connection Add(IPAddress peer, Action close)
    {
        ArgumentNullException.ThrowIfNull(peer);
        Connection added = new(this, Key(peer), close);
        Connection? oldest = null;
        lock (_gate)
        {
            if (!_peers.TryGetValue(added.Peer, out LinkedList<Connection>? same))
            {
                _peers[added.Peer] = same = new LinkedList<Connection>();
            }

            if (same.Count >= perAddress)
            {
                oldest = same.First!.Value;
            }
            else if (_all.Count >= total)
            {
                oldest = _all.First!.Value;
            }

            if (oldest is not null)
            {
                Take(oldest);
            }

            // What was taken may have been the peer's last.
            _peers[added.Peer] = same;
            same.AddLast(added.OfPeer);
            _all.AddLast(added.OfAll);
        }

        oldest?.Close();
        return added;
    }

    private void Remove(Connection connection)
    {
        lock (_gate)
        {
            if (connection.OfAll.List is not null)
            {
                Take(connection);
            }
        }
    }

    private void Take(Connection connection)
    {
        _all.Remove(connection.OfAll);
        LinkedList<Connection> same = connection.OfPeer.List!;
        same.Remove(connection.OfPeer);
        if (same.Count == 0)
        {
            _peers.Remove(connection.Peer);
        }
    }

    private static IPAddress Key(IPAddress peer)
    {
        if (peer.IsIPv4MappedToIPv6)
        {
            return peer.MapToIPv4();
        }

        if (peer.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return peer;
        }

        byte[] bytes = peer.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new IPAddress(bytes);
    }

    /// <summary>One connection; disposed when it has ended.</summary>
    public sealed class Connection : IDisposable
    {
        private readonly UntrustedConnections _owner;
        private readonly Action _close;

        internal Connection(UntrustedConnections owner, IPAddress peer, Action close)
        {
            (_owner, Peer, _close) = (owner, peer, close);
            OfAll = new LinkedListNode<Connection>(this);
            OfPeer = new LinkedListNode<Connection>(this);
        }

        /// <summary>Whether the peer has shown who it is.</summary>
        public bool IsTrusted { get; private set; }

        internal IPAddress Peer { get; }
        internal LinkedListNode<Connection> OfAll { get; }
        internal LinkedListNode<Connection> OfPeer { get; }

        /// <summary>The peer has shown who it is: the connection counts no more and is never closed for another.</summary>
        public void Trust()
        {
            IsTrusted = true;
            _owner.Remove(this);
        }

        /// <inheritdoc/>
        public void Dispose() => _owner.Remove(this);

        internal void Close() => _close();
    }
}
