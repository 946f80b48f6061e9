namespace NodeAgent.Linux.Netlink.NfTables;

/// <summary>Address family of a table. Source: linux/netfilter.h (NFPROTO_).</summary>
public enum NftFamily : byte
{
    /// <summary>IPv4, written "ip".</summary>
    IPv4 = 2,
    /// <summary>IPv6, written "ip6".</summary>
    IPv6 = 10,
}

/// <summary>Message types of nf_tables with their subsystem. Source: linux/netfilter/nf_tables.h (NFT_MSG_).</summary>
internal static class NftMessages
{
    public const int Subsystem = 10;
    public const int BatchBegin = 16, BatchEnd = 17;
    public const int NewTable = 0xA00, GetTable = 0xA01, DeleteTable = 0xA02;
    public const int NewChain = 0xA03, GetChain = 0xA04, DeleteChain = 0xA05;
    public const int NewRule = 0xA06, GetRule = 0xA07, DeleteRule = 0xA08;
    public const int NewSet = 0xA09, GetSet = 0xA0A, DeleteSet = 0xA0B;
    public const int NewElements = 0xA0C, GetElements = 0xA0D, DeleteElements = 0xA0E;
    public const int NewGeneration = 0xA0F, GetGeneration = 0xA10;

    /// <summary>Multicast group of all changes (NFNLGRP_NFTABLES).</summary>
    public const int Group = 7;

    /// <summary>How a message is called in an error.</summary>
    public static string Name(int type) => type switch
    {
        NewTable => "add table",
        DeleteTable => "delete table",
        NewChain => "add chain",
        DeleteChain => "delete chain",
        NewRule => "add rule in chain",
        DeleteRule => "flush chain",
        NewSet => "add set",
        DeleteSet => "delete set",
        NewElements => "add element of",
        DeleteElements => "delete element of",
        BatchBegin => "begin transaction",
        BatchEnd => "end transaction",
        _ => $"message {type:x}",
    };
}

/// <summary>Flags of sets and maps. Source: linux/netfilter/nf_tables.h (enum nft_set_flags).</summary>
[Flags]
public enum NftSetFlags
{
    /// <summary>Plain set.</summary>
    None = 0,
    /// <summary>Belongs to one rule.</summary>
    Anonymous = 1,
    /// <summary>Cannot change once a rule uses it.</summary>
    Constant = 2,
    /// <summary>Holds ranges.</summary>
    Interval = 4,
    /// <summary>Maps keys to data.</summary>
    Map = 8,
    /// <summary>Elements may expire.</summary>
    Timeout = 0x10,
    /// <summary>Rules may add elements.</summary>
    Dynamic = 0x20,
}

/// <summary>A type as the nft program numbers it; the kernel passes it on. Source: nftables, include/datatype.h.</summary>
/// <param name="Number">Number; concatenations shift by six bits.</param>
/// <param name="Length">Bytes in registers.</param>
public readonly record struct NftType(uint Number, int Length)
{
    /// <summary>What to do with a packet.</summary>
    public static NftType Verdict { get; } = new(0xFFFFFF00, 0);
    /// <summary>A 32-bit number in the host's order.</summary>
    public static NftType Integer { get; } = new(4, 4);
    /// <summary>inet_proto.</summary>
    public static NftType Protocol { get; } = new(12, 4);
    /// <summary>inet_service.</summary>
    public static NftType Port { get; } = new(13, 4);

    /// <summary>ipv4_addr or ipv6_addr.</summary>
    public static NftType Address(NftFamily family) => family == NftFamily.IPv4 ? new(7, 4) : new(8, 16);

    /// <summary>This type with another behind it.</summary>
    public NftType Then(NftType next) => new((Number << 6) | next.Number, Length + next.Length);
}

/// <summary>A set or map.</summary>
/// <param name="Name">Name in its table.</param>
/// <param name="Key">Type of keys.</param>
public sealed record NftSet(string Name, NftType Key)
{
    /// <summary>Type of data; null for a set.</summary>
    public NftType? Data { get; init; }
    /// <summary>Flags besides <see cref="NftSetFlags.Map"/>.</summary>
    public NftSetFlags Flags { get; init; }
    /// <summary>Elements' life; zero = for ever.</summary>
    public TimeSpan Timeout { get; init; }
    /// <summary>What the nft program needs to print the set (byte orders, expressions, comment).</summary>
    public ReadOnlyMemory<byte> UserData { get; init; }
}

/// <summary>A base chain's place.</summary>
/// <param name="Type">filter or nat.</param>
/// <param name="Number">Hook: 0 prerouting, 1 input, 2 forward, 3 output, 4 postrouting.</param>
/// <param name="Priority">Lower is sooner.</param>
public sealed record NftHook(string Type, int Number, int Priority);
