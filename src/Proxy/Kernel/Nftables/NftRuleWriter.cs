using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using NodeAgent.Linux.Netlink.NfTables;
using NodeAgent.Proxy.Rulesets.Nftables;

namespace NodeAgent.Proxy.Kernel.Nftables;

/// <summary>Writes rules of the model as expressions, the same the nft program makes of their text.</summary>
internal sealed class NftRuleWriter(NftFamily family)
{
    // Bits of a connection's state and status. Source: linux/netfilter/nf_conntrack_common.h.
    private const uint New = 8, DestinationChanged = 0x20;
    private const int State = 0, Status = 2, LocalAddress = 2;

    private NftType Endpoint => NftType.Address(family).Then(NftType.Port);

    /// <summary>Adds a rule to the end of a chain.</summary>
    public void Write(NftBatch batch, string chain, NftRule rule)
    {
        // Anonymous sets come before the rule that uses them.
        uint anonymous = 0;
        foreach (NftStatement statement in rule.Statements)
        {
            anonymous = statement switch
            {
                MatchAddresses m => Ranges(batch, m),
                TranslateToAnyOf t => Targets(batch, t.Endpoints),
                GotoAnyOf g => Chains(batch, g.Chains),
                _ => anonymous,
            };
        }

        batch.BeginRule(chain);
        foreach (NftStatement statement in rule.Statements)
        {
            Write(batch, statement, anonymous);
        }

        batch.EndRule(rule.Comment);
    }

    private static void Write(NftBatch batch, NftStatement statement, uint anonymous)
    {
        switch (statement)
        {
            case MatchAddress or MatchAddresses or MatchAddressInSet or MatchInterface or MatchHairpin or MatchLocalAddress:
                Address(batch, statement, anonymous);
                break;
            case DispatchByDestination or TranslateByDestination or TranslateToAnyOf or TranslateTo or GotoAnyOf:
                Choose(batch, statement, anonymous);
                break;
            case MatchNewConnection:
                Bits(batch, State, New);
                break;
            case MatchProtocol m:
                batch.Load(NftField.Protocol, 0);
                batch.Compare(NftComparison.Equal, [NftKey.ProtocolNumber(m.Protocol)]);
                break;
            case MatchMark m:
                batch.LoadMark();
                batch.Bitwise(Word(m.Bit), Word(0));
                batch.Compare(NftComparison.NotEqual, Word(0));
                break;
            case SetMark m:
                Mark(batch, ~m.Bit, m.Bit);
                break;
            case FlipMark m:
                Mark(batch, uint.MaxValue, m.Bit);
                break;
            case RememberSource r:
                batch.Load(NftField.Source, 0);
                batch.Update(r.Set);
                break;
            case GotoChain g:
                batch.Verdict(g.Return ? NftVerdict.Jump : NftVerdict.Goto, g.Chain);
                break;
            case DropPacket:
                batch.Verdict(NftVerdict.Drop);
                break;
            case RejectPacket:
                batch.Reject();
                break;
            case MasqueradeSource:
                batch.Masquerade();
                break;
            default:
                throw new ArgumentException($"statement {statement.GetType().Name} is unknown", nameof(statement));
        }
    }

    private static void Address(NftBatch batch, NftStatement statement, uint anonymous)
    {
        switch (statement)
        {
            case MatchAddress m:
                Range(batch, m);
                break;
            case MatchAddresses m:
                batch.Load(m.Source ? NftField.Source : NftField.Destination, 0);
                batch.Lookup("__set%d", m.Negated, anonymous);
                break;
            case MatchAddressInSet m:
                batch.Load(m.Source ? NftField.Source : NftField.Destination, 0);
                batch.Lookup(m.Set);
                break;
            case MatchInterface m:
                batch.LoadInputInterface();
                batch.Compare(m.Negated ? NftComparison.NotEqual : NftComparison.Equal, NftBatch.InterfaceName(m.Name, m.Prefix));
                break;
            case MatchHairpin m:
                Bits(batch, Status, DestinationChanged);
                Destination(batch, batch.Load(NftField.Destination, batch.Load(NftField.Source, 0)));
                batch.Lookup(m.Set);
                break;
            case MatchLocalAddress m:
                batch.LoadAddressType(m.Source);
                batch.Compare(NftComparison.Equal, Word(LocalAddress));
                break;
        }
    }

    private static void Choose(NftBatch batch, NftStatement statement, uint anonymous)
    {
        switch (statement)
        {
            case DispatchByDestination d:
                Destination(batch, d.WithAddress ? batch.Load(NftField.Destination, 0) : 0);
                batch.LookupMap(d.Map, verdict: true);
                break;
            case TranslateByDestination t:
                batch.Random(Destination(batch, t.WithAddress ? batch.Load(NftField.Destination, 0) : 0), (uint)t.Count);
                batch.LookupMap(t.Map, verdict: false);
                batch.DestinationNat();
                break;
            case TranslateToAnyOf t:
                batch.Random(0, (uint)t.Endpoints.Length);
                batch.LookupMap("__map%d", verdict: false, anonymous);
                batch.DestinationNat();
                break;
            case TranslateTo t:
                batch.LoadEndpoint(t.Endpoint.ToData().AsSpan(0, t.Endpoint.AddressLength), t.Endpoint.Port);
                batch.DestinationNat();
                break;
            case GotoAnyOf g:
                batch.Random(0, (uint)g.Chains.Length);
                batch.LookupMap("__map%d", verdict: true, anonymous);
                break;
        }
    }

    /// <summary>Protocol and port, from a word on; gives the next free one.</summary>
    private static int Destination(NftBatch batch, int word) => batch.Load(NftField.DestinationPort, batch.Load(NftField.Protocol, word));

    private static void Range(NftBatch batch, MatchAddress match)
    {
        NftComparison comparison = match.Negated ? NftComparison.NotEqual : NftComparison.Equal;
        (byte[] network, byte[] mask, int bits) = Prefix(match.Cidr);
        if (bits > 0 && bits % 8 == 0)
        {
            batch.LoadAddress(match.Source, bits / 8);
            batch.Compare(comparison, network.AsSpan(0, bits / 8));
            return;
        }

        batch.Load(match.Source ? NftField.Source : NftField.Destination, 0);
        batch.Bitwise(mask, new byte[mask.Length]);
        batch.Compare(comparison, network);
    }

    /// <summary>"address/bits" or an address, as bytes; without the numbers of NftRange: code over UInt128 is never compiled ahead of time.</summary>
    private static (byte[] Network, byte[] Mask, int Bits) Prefix(string cidr)
    {
        int slash = cidr.IndexOf('/', StringComparison.Ordinal);
        byte[] network = IPAddress.Parse(slash < 0 ? cidr : cidr[..slash]).GetAddressBytes(), mask = new byte[network.Length];
        int bits = slash < 0 ? network.Length * 8 : int.Parse(cidr.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture);
        for (int i = 0; i < mask.Length; i++)
        {
            mask[i] = (byte)~(0xFF >> Math.Clamp(bits - (8 * i), 0, 8));
            network[i] &= mask[i];
        }

        return (network, mask, bits);
    }

    private uint Ranges(NftBatch batch, MatchAddresses match)
    {
        List<NftAnonymousElement> elements = [];
        HashSet<byte[]> ends = [];
        foreach (NftRange range in NftRange.Merge(match.Cidrs.Select(NftRange.Parse)))
        {
            if (elements.Count == 0 && range.First != 0)
            {
                byte[] zero = new byte[range.Length];
                ends.Add(zero);
                elements.Add(new NftAnonymousElement(zero, []));
            }

            elements.Add(new NftAnonymousElement(NftRange.Bytes(range.First, range.Length), []));
            if (range.Last != UInt128.MaxValue)
            {
                byte[] end = NftRange.Bytes(range.Last + 1, range.Length);
                ends.Add(end);
                elements.Add(new NftAnonymousElement(end, []));
            }
        }

        var set = new NftSet("__set%d", NftType.Address(family)) { Flags = NftSetFlags.Interval, UserData = NftContainers.PlainSet };
        return batch.AddAnonymous(set, elements, e => ends.Contains(e.Key));
    }

    private uint Targets(NftBatch batch, ImmutableArray<NftEndpoint> endpoints) => batch.AddAnonymous(
        new NftSet("__map%d", NftType.Integer) { Data = Endpoint, UserData = NftContainers.RandomMap(endpoints: true) },
        [.. endpoints.Select((e, i) => new NftAnonymousElement(BitConverter.GetBytes(i), e.ToData()))]);

    private static uint Chains(NftBatch batch, ImmutableArray<string> chains) => batch.AddAnonymous(
        new NftSet("__map%d", NftType.Integer) { Data = NftType.Verdict, UserData = NftContainers.RandomMap(endpoints: false) },
        [.. chains.Select((c, i) => new NftAnonymousElement(BitConverter.GetBytes(i), [], c))]);

    private static void Bits(NftBatch batch, int key, uint bits)
    {
        batch.LoadConnection(key);
        batch.Bitwise(Word(bits), Word(0));
        batch.Compare(NftComparison.NotEqual, Word(0));
    }

    private static void Mark(NftBatch batch, uint mask, uint xor)
    {
        batch.LoadMark();
        batch.Bitwise(Word(mask), Word(xor));
        batch.StoreMark();
    }

    /// <summary>Registers hold such numbers in the host's order.</summary>
    private static byte[] Word(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }
}
