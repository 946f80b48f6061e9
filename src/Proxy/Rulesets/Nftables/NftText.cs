using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Text;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Nftables;

/// <summary>Writes rulesets in the nft program's language: for people, for golden files, and to be compared with what it lists. Pure.</summary>
public static class NftText
{
    /// <summary>Names, types and comments of the shared sets and maps.</summary>
    public static (string Name, string Type, string? Comment) Describe(NftContainer container, IPFamily family)
    {
        string ip = family == IPFamily.IPv4 ? "ip" : "ip6", address = family == IPFamily.IPv4 ? "ipv4_addr" : "ipv6_addr";
        const string port = "inet_proto . inet_service";
        return container switch
        {
            NftContainer.ClusterIPs => ("cluster-ips", $"type {address}", "Active ClusterIPs"),
            NftContainer.NodePortIPs => ("nodeport-ips", $"type {address}", "IPs that accept NodePort traffic"),
            NftContainer.Hairpins => ("hairpin-connections", $"type {address} . {address} . {port}", "service hairpin connections"),
            NftContainer.ServiceEndpoints => ("service-endpoints", $"typeof {ip} daddr . meta l4proto . th dport . numgen random mod 65536 : {ip} daddr . th dport", null),
            NftContainer.NodePortEndpoints => ("nodeport-endpoints", $"typeof meta l4proto . th dport . numgen random mod 65536 : {ip} daddr . th dport", null),
            NftContainer.ServiceIPs => ("service-ips", $"type {address} . {port} : verdict", "ClusterIP, ExternalIP and LoadBalancer IP traffic"),
            NftContainer.ServiceNodePorts => ("service-nodeports", $"type {port} : verdict", "NodePort traffic"),
            NftContainer.NoEndpointServices => ("no-endpoint-services", $"type {address} . {port} : verdict", "vmap to drop or reject packets to services with no endpoints"),
            NftContainer.NoEndpointNodePorts => ("no-endpoint-nodeports", $"type {port} : verdict", "vmap to drop or reject packets to service nodeports with no endpoints"),
            _ => ("firewall-ips", $"type {address} . {port} : verdict", "destinations that are subject to LoadBalancerSourceRanges"),
        };
    }

    /// <summary>The container's name.</summary>
    public static string Name(NftContainer container) => Describe(container, IPFamily.IPv4).Name;

    /// <summary>A rule.</summary>
    public static string Rule(NftRule rule, IPFamily family) =>
        string.Join(' ', rule.Statements.Select(s => Statement(s, family == IPFamily.IPv4 ? "ip" : "ip6"))) + (rule.Comment is null ? "" : $" comment \"{rule.Comment}\"");

    /// <summary>A chain with its rules, one a line.</summary>
    public static string Chain(NftChain chain, IPFamily family)
    {
        var text = new StringBuilder($"chain {chain.Name} {{\n");
        if (chain.Comment is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $"\tcomment \"{chain.Comment}\"\n");
        }

        if (chain.Hook is { } hook)
        {
            text.Append(CultureInfo.InvariantCulture, $"\ttype {hook.Type} hook {hook.Hook} priority {hook.Priority}\n");
        }

        foreach (NftRule rule in chain.Rules)
        {
            text.Append('\t').Append(Rule(rule, family)).Append('\n');
        }

        return text.Append("}\n").ToString();
    }

    /// <summary>An element, as it stands between braces.</summary>
    public static string Element(NftElement element)
    {
        string comment = element.Comment is null ? "" : $" comment \"{element.Comment}\"";
        string value = element.Value.Endpoint is { } to ? $" : {to.Address} . {to.Port}"
            : element.Value.Chain is { } chain ? $" : goto {chain}" : element.Value.IsDrop ? " : drop" : "";
        return Key(element.Container, element.Key.Bytes) + comment + value;
    }

    private static string Key(NftContainer container, byte[] key)
    {
        int at = 0, address = container switch
        {
            NftContainer.ServiceNodePorts or NftContainer.NoEndpointNodePorts or NftContainer.NodePortEndpoints => 0,
            NftContainer.ClusterIPs or NftContainer.NodePortIPs => key.Length,
            NftContainer.Hairpins => (key.Length - 8) / 2,
            NftContainer.ServiceEndpoints => key.Length - 12,
            _ => key.Length - 8,
        };
        List<string> parts = [];
        for (int i = 0; i < (container == NftContainer.Hairpins ? 2 : address == 0 ? 0 : 1); i++, at += address)
        {
            parts.Add(new IPAddress(key.AsSpan(at, address)).ToString());
        }

        if (at < key.Length)
        {
            parts.Add(key[at] switch { 6 => "tcp", 17 => "udp", _ => "sctp" });
            parts.Add(BinaryPrimitives.ReadUInt16BigEndian(key.AsSpan(at + 4)).ToString(CultureInfo.InvariantCulture));
            at += 8;
        }

        if (at < key.Length)
        {
            parts.Add(BinaryPrimitives.ReadInt32LittleEndian(key.AsSpan(at)).ToString(CultureInfo.InvariantCulture));
        }

        return string.Join(" . ", parts);
    }

    private static string Statement(NftStatement statement, string ip) => statement switch
    {
        MatchAddress m => $"{ip} {Side(m.Source)} {Not(m.Negated)}{m.Cidr}",
        MatchAddresses m => $"{ip} {Side(m.Source)} {Not(m.Negated)}{{ {string.Join(", ", m.Cidrs)} }}",
        MatchAddressInSet m => $"{ip} {Side(m.Source)} @{m.Set}",
        MatchInterface m => $"iifname {Not(m.Negated)}\"{m.Name}{(m.Prefix ? "*" : "")}\"",
        MatchNewConnection => "ct state new",
        MatchHairpin m => $"ct status dnat {ip} saddr . {ip} daddr . meta l4proto . th dport @{m.Set}",
        MatchLocalAddress m => $"fib {Side(m.Source)} type local",
        MatchProtocol m => $"meta l4proto {m.Protocol}",
        MatchMark m => $"meta mark & 0x{m.Bit:x8} != 0x00000000",
        SetMark m => $"meta mark set meta mark | 0x{m.Bit:x8}",
        FlipMark m => $"meta mark set meta mark ^ 0x{m.Bit:x8}",
        DispatchByDestination d => $"{(d.WithAddress ? $"{ip} daddr . " : "")}meta l4proto . th dport vmap @{d.Map}",
        TranslateByDestination t => $"dnat {ip} to {(t.WithAddress ? $"{ip} daddr . " : "")}meta l4proto . th dport . numgen random mod {t.Count} map @{t.Map}",
        TranslateToAnyOf t => $"dnat {ip} to numgen random mod {t.Endpoints.Length} map {{ {string.Join(", ", t.Endpoints.Select((e, i) => $"{i} : {e.Address} . {e.Port}"))} }}",
        TranslateTo t => $"dnat {ip} to {(t.Endpoint.AddressLength == 16 ? $"[{t.Endpoint.Address}]" : t.Endpoint.Address)}:{t.Endpoint.Port}",
        GotoAnyOf g => $"numgen random mod {g.Chains.Length} vmap {{ {string.Join(", ", g.Chains.Select((c, i) => $"{i} : goto {c}"))} }}",
        RememberSource r => $"update @{r.Set} {{ {ip} saddr }}",
        GotoChain g => $"{(g.Return ? "jump" : "goto")} {g.Chain}",
        DropPacket => "drop",
        RejectPacket => "reject",
        MasqueradeSource => "masquerade fully-random",
        _ => throw new ArgumentException($"statement {statement.GetType().Name} is unknown", nameof(statement)),
    };

    private static string Side(bool source) => source ? "saddr" : "daddr";

    private static string Not(bool negated) => negated ? "!= " : "";
}
