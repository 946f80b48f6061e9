using System.Text;
using NodeAgent.Linux.Netlink.NfTables;
using NodeAgent.Proxy.Rulesets.Nftables;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Kernel.Nftables;

/// <summary>
/// The shared sets and maps as the kernel takes them, with the same kinds as upstream's, so that either proxy goes on with the other's.
/// The user data is what the nft program writes there and needs to print them: byte orders, key expressions, comments.
/// Source: libnftnl, include/libnftnl/udata.h; nftables, include/expression.h.
/// </summary>
internal static class NftContainers
{
    private const int Verdict = 1, Payload = 7, Meta = 9, Concat = 13, Numgen = 23;

    /// <summary>User data of a set of addresses: keys in network order.</summary>
    public static byte[] PlainSet { get; } = new UserData().Number(0, 2).Bytes;

    /// <summary>User data of an anonymous map by a number.</summary>
    public static byte[] RandomMap(bool endpoints) => (endpoints
        ? new UserData().Number(0, 1).Number(1, 0)
        : new UserData().Number(0, 1).Number(1, 0).Nest(4, Expression(Verdict, new UserData()))).Number(6, 0).Bytes;

    /// <summary>A container.</summary>
    public static NftSet Set(NftContainer container, IPFamily family)
    {
        NftType address = NftType.Address(NftWriter.Family(family)), port = NftType.Protocol.Then(NftType.Port);
        NftType destination = address.Then(NftType.Protocol).Then(NftType.Port), endpoint = address.Then(NftType.Port);
        (string name, _, string? comment) = NftText.Describe(container, family);
        return container switch
        {
            NftContainer.ClusterIPs or NftContainer.NodePortIPs =>
                new NftSet(name, address) { UserData = new UserData().Number(0, 2).Comment(comment).Bytes },
            NftContainer.Hairpins => new NftSet(name, address.Then(address).Then(NftType.Protocol).Then(NftType.Port)) { UserData = new UserData().Number(0, 0).Comment(comment).Bytes },
            NftContainer.ServiceEndpoints => new NftSet(name, destination.Then(NftType.Integer)) { Data = endpoint, UserData = Endpoints(family, withAddress: true) },
            NftContainer.NodePortEndpoints => new NftSet(name, port.Then(NftType.Integer)) { Data = endpoint, UserData = Endpoints(family, withAddress: false) },
            NftContainer.ServiceNodePorts or NftContainer.NoEndpointNodePorts => Verdicts(name, port, comment),
            _ => Verdicts(name, destination, comment),
        };
    }

    private static NftSet Verdicts(string name, NftType key, string? comment) => new(name, key)
    {
        Data = NftType.Verdict,
        UserData = new UserData().Number(0, 0).Number(1, 0).Comment(comment).Number(6, 0).Bytes,
    };

    /// <summary>Keys and data by expressions, since the slot has no type that may be named.</summary>
    private static byte[] Endpoints(IPFamily family, bool withAddress)
    {
        (uint ip, uint destination) = family == IPFamily.IPv4 ? (12u, 12u) : (13u, 9u);
        UserData address = Expression(Payload, new UserData().Number(0, ip).Number(1, destination)), port = Expression(Payload, new UserData().Number(0, 11).Number(1, 2));
        UserData key = new(), data = new();
        int at = 0;
        if (withAddress)
        {
            key.Nest(at++, address);
        }

        key.Nest(at++, Expression(Meta, new UserData().Number(0, 16)));
        key.Nest(at++, port);
        key.Nest(at, Expression(Numgen, new UserData().Number(0, 1).Number(1, 65536).Number(2, 0)));
        data.Nest(0, address).Nest(1, port);
        return new UserData().Number(0, 0).Number(1, 0).Nest(3, Expression(Concat, key)).Nest(4, Expression(Concat, data)).Number(6, 0).Bytes;
    }

    private static UserData Expression(uint kind, UserData description) => new UserData().Number(0, kind).Nest(1, description);

    /// <summary>Type, length, value; numbers of four bytes in the host's order.</summary>
    private sealed class UserData
    {
        private readonly List<byte> _bytes = [];

        public byte[] Bytes => [.. _bytes];

        public UserData Number(byte type, uint value)
        {
            _bytes.AddRange([type, 4, .. BitConverter.GetBytes(value)]);
            return this;
        }

        public UserData Nest(int type, UserData within)
        {
            _bytes.AddRange([(byte)type, checked((byte)within._bytes.Count), .. within._bytes]);
            return this;
        }

        public UserData Comment(string? text)
        {
            if (text is not null)
            {
                _bytes.AddRange([7, (byte)(text.Length + 1), .. Encoding.ASCII.GetBytes(text), 0]);
            }

            return this;
        }
    }
}
