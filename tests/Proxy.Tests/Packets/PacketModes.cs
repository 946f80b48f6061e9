namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>The modes that packets are sent through in this process.</summary>
internal static class PacketModes
{
    private const string Variable = "NODE_AGENT_PACKET_MODES";

    /// <summary>The iptables programs of ipvs mode: nft, or $NODE_AGENT_PACKET_IPTABLES on a kernel without nf_tables.</summary>
    public static string IptablesOfIpvs => Environment.GetEnvironmentVariable("NODE_AGENT_PACKET_IPTABLES") is { Length: > 0 } chosen ? chosen : "nft";

    /// <summary>Those that every host can run; ipvs where it is asked for by $NODE_AGENT_PACKET_MODES, as in the guest, whose kernel has it.</summary>
    public static IReadOnlyList<string> All => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } chosen ? chosen.Split(',')
        : [.. ((string[])["iptables-nft", "iptables-nft-chains", "iptables-legacy"]).Where(m => File.Exists($"/usr/sbin/{m.Replace("-chains", "", StringComparison.Ordinal)}")), "nftables"];
}
