using System.Net;
using System.Net.Sockets;

namespace NodeAgent.Linux.Netlink.Ipset;

/// <summary>The kinds of set that are used.</summary>
public enum IpsetType
{
    /// <summary>bitmap:port over all ports.</summary>
    BitmapPort,
    /// <summary>hash:ip.</summary>
    HashIp,
    /// <summary>hash:ip,port.</summary>
    HashIpPort,
    /// <summary>hash:ip,port,ip.</summary>
    HashIpPortIp,
    /// <summary>hash:ip,port,net.</summary>
    HashIpPortNet,
}

/// <summary>An element of a set; what its kind does not have is zero or null.</summary>
/// <param name="Address">First address.</param>
/// <param name="Protocol">IP protocol of the port.</param>
/// <param name="Port">Port.</param>
/// <param name="Second">Second address, or the network's first one.</param>
/// <param name="SecondPrefix">The network's length in bits.</param>
public readonly record struct IpsetEntry(IPAddress? Address, byte Protocol, ushort Port, IPAddress? Second = null, byte SecondPrefix = 0);

/// <summary>The attributes of ipset messages. Source: linux/netfilter/ipset/ip_set.h.</summary>
internal static class IpsetMessages
{
    private const int Subsystem = 6 << 8;
    internal const int Create = Subsystem | 2, Destroy = Subsystem | 3, List = Subsystem | 7, Add = Subsystem | 9, Delete = Subsystem | 10, FindKind = Subsystem | 13;

    /// <summary>The oldest protocol the kernel still speaks has all that is needed.</summary>
    private const byte ProtocolVersion = 6;
    private const int Protocol = 1, SetName = 2, TypeName = 3, Revision = 4, Family = 5, Data = 7, Elements = 8, LineNumber = 9;
    private const int EntryAddress = 1, EntryPort = 4, EntryPortTo = 5, EntryProtocol = 7, EntrySecond = 20, EntrySecondPrefix = 21, HashSize = 18, MaximumElements = 19;
    private const int AddressV4 = 1, AddressV6 = 2;
    private const int NetworkOrder = 0x4000;
    private const uint InitialHash = 1024, MostElements = 65536;

    /// <summary>The kernel's name of a kind.</summary>
    internal static string NameOf(IpsetType type) => type switch
    {
        IpsetType.BitmapPort => "bitmap:port",
        IpsetType.HashIp => "hash:ip",
        IpsetType.HashIpPort => "hash:ip,port",
        IpsetType.HashIpPortIp => "hash:ip,port,ip",
        _ => "hash:ip,port,net",
    };

    /// <summary>A set without addresses belongs to no family.</summary>
    internal static byte FamilyOf(IpsetType type, AddressFamily family) =>
        type == IpsetType.BitmapPort ? (byte)0 : family == AddressFamily.InterNetwork ? (byte)2 : (byte)10;

    internal static void WriteName(NetlinkWriter writer, string name)
    {
        writer.UInt8(Protocol, ProtocolVersion);
        writer.Text(SetName, name);
    }

    internal static void WriteTypeQuestion(NetlinkWriter writer, IpsetType type, byte family)
    {
        writer.UInt8(Protocol, ProtocolVersion);
        writer.Text(TypeName, NameOf(type));
        writer.UInt8(Family, family);
    }

    /// <summary>The newest revision of a kind that the kernel has.</summary>
    internal static byte ReadRevision(ReadOnlySpan<byte> attributes) => NetlinkAttributes.Find(attributes, Revision) is [var revision] ? revision : (byte)0;

    internal static void WriteCreate(NetlinkWriter writer, string name, IpsetType type, byte revision, byte family)
    {
        WriteName(writer, name);
        writer.Text(TypeName, NameOf(type));
        writer.UInt8(Revision, revision);
        writer.UInt8(Family, family);
        int data = writer.BeginNest(Data);
        if (type == IpsetType.BitmapPort)
        {
            writer.UInt16(EntryPort | NetworkOrder, 0);
            writer.UInt16(EntryPortTo | NetworkOrder, ushort.MaxValue);
        }
        else
        {
            writer.UInt32(HashSize | NetworkOrder, InitialHash);
            writer.UInt32(MaximumElements | NetworkOrder, MostElements);
        }

        writer.EndNest(data);
    }

    /// <summary>Entries to be added or deleted; the line number in an error tells which one it was, from 1.</summary>
    internal static void WriteEntries(NetlinkWriter writer, string name, IpsetType type, ReadOnlySpan<IpsetEntry> entries)
    {
        WriteName(writer, name);
        writer.HostUInt32(LineNumber, 1);
        int list = writer.BeginNest(Elements);
        foreach (IpsetEntry entry in entries)
        {
            int data = writer.BeginNest(Data);
            WriteEntry(writer, type, entry);
            writer.EndNest(data);
        }

        writer.EndNest(list);
    }

    private static void WriteEntry(NetlinkWriter writer, IpsetType type, IpsetEntry entry)
    {
        if (type != IpsetType.BitmapPort)
        {
            WriteAddress(writer, EntryAddress, entry.Address!);
        }

        if (type != IpsetType.HashIp)
        {
            writer.UInt16(EntryPort | NetworkOrder, entry.Port);
        }

        if (type is IpsetType.HashIpPort or IpsetType.HashIpPortIp or IpsetType.HashIpPortNet)
        {
            writer.UInt8(EntryProtocol, entry.Protocol);
        }

        if (type is IpsetType.HashIpPortIp or IpsetType.HashIpPortNet)
        {
            WriteAddress(writer, EntrySecond, entry.Second!);
        }

        if (type == IpsetType.HashIpPortNet)
        {
            writer.UInt8(EntrySecondPrefix, entry.SecondPrefix);
        }
    }

    private static void WriteAddress(NetlinkWriter writer, int type, IPAddress address)
    {
        int nest = writer.BeginNest(type);
        bool v4 = address.AddressFamily == AddressFamily.InterNetwork;
        address.TryWriteBytes(writer.Attribute((v4 ? AddressV4 : AddressV6) | NetworkOrder, v4 ? 4 : 16), out _);
        writer.EndNest(nest);
    }

    /// <summary>One message of a list: the kind's name, in the first message of a set, and entries.</summary>
    internal static void ReadList(ReadOnlySpan<byte> attributes, ref string type, List<IpsetEntry> entries)
    {
        ReadOnlySpan<byte> name = NetlinkAttributes.Find(attributes, TypeName);
        type = name.IsEmpty ? type : System.Text.Encoding.UTF8.GetString(name.TrimEnd((byte)0));
        var list = new NetlinkAttributes(NetlinkAttributes.Find(attributes, Elements));
        while (list.MoveNext())
        {
            entries.Add(ReadEntry(list.Nested));
        }
    }

    private static IpsetEntry ReadEntry(NetlinkAttributes walk)
    {
        var entry = new IpsetEntry();
        while (walk.MoveNext())
        {
            entry = walk.Type switch
            {
                EntryAddress => entry with { Address = ReadAddress(walk.Value) },
                EntryPort => entry with { Port = walk.UInt16 },
                EntryProtocol => entry with { Protocol = walk.Value[0] },
                EntrySecond => entry with { Second = ReadAddress(walk.Value) },
                EntrySecondPrefix => entry with { SecondPrefix = walk.Value[0] },
                _ => entry,
            };
        }

        return entry;
    }

    private static IPAddress? ReadAddress(ReadOnlySpan<byte> nest)
    {
        ReadOnlySpan<byte> v4 = NetlinkAttributes.Find(nest, AddressV4), v6 = NetlinkAttributes.Find(nest, AddressV6);
        return v4.Length == 4 ? new IPAddress(v4) : v6.Length == 16 ? new IPAddress(v6) : null;
    }

    /// <summary>What the subsystem's own error numbers mean; null for others.</summary>
    internal static string? Meaning(int errno) => errno switch
    {
        4097 => "the kernel speaks another protocol of ipset",
        4098 => "the kernel has no such kind of set; load its module ip_set_…",
        4099 => "there are too many sets",
        4100 => "the set is in use by a rule",
        4103 => "it is there already, or an entry is not there",
        4104 => "the length of a network is not valid",
        4106 => "the address family is not that of the set",
        4109 => "an address of IPv4 is wanted",
        4110 => "an address of IPv6 is wanted",
        4352 => "the set is full, or an entry is out of its range",
        >= 4096 => $"ipset error {errno}",
        _ => null,
    };
}
