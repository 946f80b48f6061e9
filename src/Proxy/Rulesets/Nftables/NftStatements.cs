using System.Collections.Immutable;

namespace NodeAgent.Proxy.Rulesets.Nftables;

/// <summary>One step of a rule, meaning what the nft program's words in <see cref="NftText"/> mean.</summary>
public abstract record NftStatement;

/// <summary>The packet's source or destination is in a range.</summary>
/// <param name="Source">Source; else destination.</param>
/// <param name="Cidr">Range in canonical text, or one address.</param>
/// <param name="Negated">It is not.</param>
public sealed record MatchAddress(bool Source, string Cidr, bool Negated) : NftStatement;

/// <summary>The source or destination is in one of several ranges.</summary>
/// <param name="Source">Source; else destination.</param>
/// <param name="Cidrs">Ranges or addresses.</param>
/// <param name="Negated">It is in none.</param>
public sealed record MatchAddresses(bool Source, ImmutableArray<string> Cidrs, bool Negated) : NftStatement;

/// <summary>The source or destination is an element of a set of addresses.</summary>
/// <param name="Source">Source; else destination.</param>
/// <param name="Set">The set.</param>
public sealed record MatchAddressInSet(bool Source, string Set) : NftStatement;

/// <summary>The packet came by an interface.</summary>
/// <param name="Name">Name, or its beginning.</param>
/// <param name="Prefix">A beginning is given.</param>
/// <param name="Negated">By another.</param>
public sealed record MatchInterface(string Name, bool Prefix, bool Negated) : NftStatement;

/// <summary>First packet of a connection.</summary>
public sealed record MatchNewConnection : NftStatement;

/// <summary>Source, destination, protocol and port are in a set, and the connection's destination was changed.</summary>
/// <param name="Set">The set.</param>
public sealed record MatchHairpin(string Set) : NftStatement;

/// <summary>The address is one of this host's.</summary>
/// <param name="Source">Source; else destination.</param>
public sealed record MatchLocalAddress(bool Source) : NftStatement;

/// <summary>Transport protocol.</summary>
/// <param name="Protocol">tcp, udp or sctp.</param>
public sealed record MatchProtocol(string Protocol) : NftStatement;

/// <summary>A bit of the mark is set.</summary>
/// <param name="Bit">The bit.</param>
public sealed record MatchMark(uint Bit) : NftStatement;

/// <summary>Sets a bit of the mark.</summary>
/// <param name="Bit">The bit.</param>
public sealed record SetMark(uint Bit) : NftStatement;

/// <summary>Turns a bit of the mark over.</summary>
/// <param name="Bit">The bit.</param>
public sealed record FlipMark(uint Bit) : NftStatement;

/// <summary>What a map says of the destination: address, protocol and port, or protocol and port alone.</summary>
/// <param name="Map">A verdict map.</param>
/// <param name="WithAddress">The key begins with the address.</param>
public sealed record DispatchByDestination(string Map, bool WithAddress) : NftStatement;

/// <summary>Sends the connection to an endpoint of the destination, by a random number that is the last part of the key.</summary>
/// <param name="Map">A map of endpoints.</param>
/// <param name="WithAddress">The key begins with the address.</param>
/// <param name="Count">How many endpoints the destination has.</param>
public sealed record TranslateByDestination(string Map, bool WithAddress, int Count) : NftStatement;

/// <summary>Sends the connection to one of some endpoints at random.</summary>
/// <param name="Endpoints">The endpoints.</param>
public sealed record TranslateToAnyOf(ImmutableArray<NftEndpoint> Endpoints) : NftStatement;

/// <summary>Sends the connection to an endpoint.</summary>
/// <param name="Endpoint">The endpoint.</param>
public sealed record TranslateTo(NftEndpoint Endpoint) : NftStatement;

/// <summary>Goes to one of some chains at random.</summary>
/// <param name="Chains">The chains.</param>
public sealed record GotoAnyOf(ImmutableArray<string> Chains) : NftStatement;

/// <summary>Puts the source into a set, or begins its time there anew.</summary>
/// <param name="Set">The set.</param>
public sealed record RememberSource(string Set) : NftStatement;

/// <summary>Goes to a chain.</summary>
/// <param name="Chain">The chain.</param>
/// <param name="Return">And comes back.</param>
public sealed record GotoChain(string Chain, bool Return) : NftStatement;

/// <summary>Drops the packet.</summary>
public sealed record DropPacket : NftStatement;

/// <summary>Answers "port unreachable".</summary>
public sealed record RejectPacket : NftStatement;

/// <summary>Takes an address of the outgoing interface as source.</summary>
public sealed record MasqueradeSource : NftStatement;

/// <summary>A rule: its steps in order.</summary>
/// <param name="Statements">Steps.</param>
/// <param name="Comment">Shown behind the rule.</param>
public sealed record NftRule(ImmutableArray<NftStatement> Statements, string? Comment = null);

/// <summary>A chain that rules or maps go to.</summary>
/// <param name="Name">Name.</param>
/// <param name="Rules">Rules in order.</param>
public sealed record NftChain(string Name, ImmutableArray<NftRule> Rules)
{
    /// <summary>Type, hook and priority where the chain hooks in by itself.</summary>
    public NftBaseHook? Hook { get; init; }
    /// <summary>Shown with the chain.</summary>
    public string? Comment { get; init; }
}

/// <summary>Where a base chain hooks in.</summary>
/// <param name="Type">filter or nat.</param>
/// <param name="Hook">prerouting, input, forward, output or postrouting.</param>
/// <param name="Priority">Lower is sooner.</param>
public sealed record NftBaseHook(string Type, string Hook, int Priority);

/// <summary>A set of client addresses that stay with an endpoint.</summary>
/// <param name="Name">Name.</param>
/// <param name="Seconds">How long after a client's last connection.</param>
public sealed record NftAffinitySet(string Name, int Seconds);
