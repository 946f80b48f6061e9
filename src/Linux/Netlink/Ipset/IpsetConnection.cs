using System.Net.Sockets;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Netlink.Ipset;

/// <summary>A set as listed.</summary>
/// <param name="Type">The kind's name in the kernel.</param>
/// <param name="Entries">Its elements.</param>
public sealed record IpsetListing(string Type, IReadOnlyList<IpsetEntry> Entries);

/// <summary>Makes, lists, changes and destroys ipsets of one network namespace. One thread at a time. Source: linux/netfilter/ipset/ip_set.h.</summary>
public sealed class IpsetConnection : IDisposable
{
    /// <summary>Error number: the set is in use by a rule.</summary>
    public const int Busy = 4100;

    // An attribute's length has 16 bits, and the longest entry takes 76 bytes.
    private const int EntriesInOneMessage = 500;
    private const byte NetfilterFamily = 2;
    private readonly NetlinkSocket _socket;
    private readonly Dictionary<(IpsetType, byte), byte> _revisions = [];

    /// <summary>Takes over a netfilter socket, which decides the network namespace.</summary>
    public IpsetConnection(NetlinkSocket socket) => _socket = socket;

    /// <summary>The kernel's name of a kind.</summary>
    public static string NameOf(IpsetType type) => IpsetMessages.NameOf(type);

    /// <summary>Makes a set, with the newest revision of its kind that the kernel has; a set that is the same is left as it is.</summary>
    /// <exception cref="NetlinkException">The kernel refuses, or another set of the name is there.</exception>
    public void Create(string name, IpsetType type, AddressFamily family)
    {
        byte number = IpsetMessages.FamilyOf(type, family);
        if (!_revisions.TryGetValue((type, number), out byte revision))
        {
            Send($"kind {IpsetMessages.NameOf(type)}", IpsetMessages.FindKind, w => IpsetMessages.WriteTypeQuestion(w, type, number),
                message => revision = IpsetMessages.ReadRevision(message.Payload[4..]));
            _revisions[(type, number)] = revision;
        }

        Send($"create {name}", IpsetMessages.Create, w => IpsetMessages.WriteCreate(w, name, type, revision, number), flags: NetlinkFlags.Create);
    }

    /// <summary>A set with its entries; null where there is none of the name.</summary>
    public IpsetListing? List(string name)
    {
        List<IpsetEntry> entries = [];
        string type = "";
        try
        {
            Send($"list {name}", IpsetMessages.List, w => IpsetMessages.WriteName(w, name), message => IpsetMessages.ReadList(message.Payload[4..], ref type, entries), entries.Clear);
            return new IpsetListing(type, entries);
        }
        catch (NetlinkException e) when (e.Errno == Errno.ENOENT)
        {
            return null;
        }
    }

    /// <summary>Adds entries; those that are there stay.</summary>
    public void Add(string name, IpsetType type, IReadOnlyCollection<IpsetEntry> entries) => Change("add to", IpsetMessages.Add, name, type, entries);

    /// <summary>Removes entries; those that are not there are no error.</summary>
    public void Remove(string name, IpsetType type, IReadOnlyCollection<IpsetEntry> entries) => Change("remove from", IpsetMessages.Delete, name, type, entries);

    /// <summary>Destroys a set; one that is not there is no error.</summary>
    /// <exception cref="NetlinkException"><see cref="Busy"/>: a rule uses it, or did a moment ago.</exception>
    public void Destroy(string name)
    {
        try
        {
            Send($"destroy {name}", IpsetMessages.Destroy, w => IpsetMessages.WriteName(w, name));
        }
        catch (NetlinkException e) when (e.Errno == Errno.ENOENT)
        {
            // Older kernels say so.
        }
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

    private void Change(string what, int type, string name, IpsetType kind, IReadOnlyCollection<IpsetEntry> entries)
    {
        foreach (IpsetEntry[] chunk in entries.Chunk(EntriesInOneMessage))
        {
            Send($"{what} {name}", type, w => IpsetMessages.WriteEntries(w, name, kind, chunk));
        }
    }

    private void Send(string what, int type, Action<NetlinkWriter> write, NetlinkReceiver? receive = null, Action? begin = null, int flags = 0)
    {
        try
        {
            _socket.Request(new NetlinkRequest(type, [NetfilterFamily, 0, 0, 0], flags), write, receive ?? (_ => { }), begin);
        }
        catch (NetlinkException e) when (e.Errno is not (0 or Errno.ENOENT))
        {
            throw new NetlinkException($"ipset: {what}" + (IpsetMessages.Meaning(e.Errno) is { } meaning ? $": {meaning}" : ""), e.Errno);
        }
    }
}
