using System.Text;
using NodeAgent.Proxy.Rulesets.Nftables;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Rulesets;

/// <summary>Writes changes as input of the nft program, to compare what it makes of them with what we send.</summary>
internal static class NftScript
{
    public static string From(IEnumerable<NftChange> changes, IPFamily family)
    {
        string table = family == IPFamily.IPv4 ? "ip kube-proxy" : "ip6 kube-proxy";
        var text = new StringBuilder($"add table {table} {{ comment \"rules for kube-proxy\" ; }}\n");
        foreach (NftChange change in changes)
        {
            if (change.AddContainers)
            {
                foreach (NftContainer container in Enum.GetValues<NftContainer>())
                {
                    (string name, string type, string? comment) = NftText.Describe(container, family);
                    text.AppendLine($"add {(type.Contains(':', StringComparison.Ordinal) ? "map" : "set")} {table} {name} {{ {type} ; {(comment is null ? "" : $"comment \"{comment}\" ;")} }}");
                }
            }

            foreach (NftChain chain in change.Write)
            {
                string hook = chain.Hook is { } h ? $"type {h.Type} hook {h.Hook} priority {h.Priority} ;" : "";
                text.AppendLine($"add chain {table} {chain.Name} {{ {hook} {(chain.Comment is null ? "" : $"comment \"{chain.Comment}\" ;")} }}");
            }

            foreach (NftAffinitySet set in change.AddAffinity)
            {
                text.AppendLine($"add set {table} {set.Name} {{ type {(family == IPFamily.IPv4 ? "ipv4_addr" : "ipv6_addr")} ; flags dynamic,timeout ; timeout {set.Seconds}s ; }}");
            }

            foreach (NftChain chain in change.Write)
            {
                foreach (NftRule rule in chain.Rules)
                {
                    // The program wants to be told a protocol before it translates ports, unless it is in the key.
                    text.AppendLine($"add rule {table} {chain.Name} {NftText.Rule(rule, family)}");
                }
            }

            foreach (NftElement element in change.Add)
            {
                text.AppendLine($"add element {table} {NftText.Name(element.Container)} {{ {NftText.Element(element)} }}");
            }
        }

        return text.ToString();
    }

    /// <summary>A listing as sorted facts, since elements are listed in no order.</summary>
    public static string[] Facts(string listing)
    {
        List<string> facts = [];
        string block = "";
        int number = 0;
        foreach (string raw in listing.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (raw.EndsWith('{') && !raw.StartsWith("elements", StringComparison.Ordinal))
            {
                (block, number) = (raw, 0);
                continue;
            }

            if (raw == "}")
            {
                continue;
            }

            bool rule = block.StartsWith("chain", StringComparison.Ordinal);
            string[] parts = rule ? [$"{number++} {string.Join(", ", raw.Split(", ").Order())}"] : raw.Replace("elements = {", "").TrimEnd('}', ' ', ',').Split(", ", StringSplitOptions.TrimEntries);
            facts.AddRange(parts.Select(p => $"{block} {p}"));
        }

        facts.Sort(StringComparer.Ordinal);
        return [.. facts];
    }
}
